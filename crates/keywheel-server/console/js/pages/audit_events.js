// The types of events that the audit log tells apart, offered while one is typed. Others may be typed as well, so that
// a list that has grown on the server is no obstacle.

const verbs = (some, things) => things.split(" ").flatMap((thing) => some.split(" ").map((verb) => `${verb}-${thing}`));

export const EVENT_TYPES = [
  ...verbs("create update delete", "identity identity-project-membership project environment folder secret-import tag"),
  ...verbs("get create update delete", "secret app-connection secret-rotation"),
  ...verbs("get", "secrets secret-versions app-connections app-connection-iam-users app-connection-iam-user-keys app-connection-iam-policies secret-rotations secret-rotation-generated-credentials"),
  ...verbs("create update delete move", "secrets"),
  ...verbs("move preview", "secret-rotation"),
  ...verbs("secret-rotation", "rotate-secrets roll-back-key retire-key resolve-key hand-over-key hold-key release-key"),
  ...verbs("update", "folders secret-rotation-policy secret-rotation-retirement-default webhook-status account-password"),
  ...verbs("create delete", "webhook account account-totp"),
  ...verbs("create use", "account-link"),
  ...verbs("login", "account account-failed identity-universal-auth identity-universal-auth-failed"),
  ...verbs("add update revoke", "identity-universal-auth"),
  ...verbs("create revoke", "identity-universal-auth-client-secret"),
  ...verbs("renew revoke", "identity-access-token"),
  "create-organization", "enter-project", "create-organization-failed", "use-account-link-failed", "clear-identity-universal-auth-lockouts", "logout-account", "revoke-account-session", "confirm-account-totp",
  "check-secret-rotation-credentials", "test-app-connection", "webhook-triggered",
].sort();

/** Those that change something, people's signing in and out with them. */
export const CHANGES = EVENT_TYPES.filter((type) => !/^(get|preview|test)-/.test(type));
