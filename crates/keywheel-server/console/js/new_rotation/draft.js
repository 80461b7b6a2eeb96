// What has been said of the new rotation so far. It lives as long as the console is open, so that a way to another page
// and back loses nothing; the secret of a key is forgotten when the page is left.

const FRESH = {
  connectionId: "", userName: "", region: "us-east-1", keys: [], takenBy: null,
  adopt: "", adoptedKey: "", secretAccessKey: "",
  rotationInterval: 30, time: "00:00", isAutoRotationEnabled: true,
  // As the instance has it by default, once it is asked for.
  policy: null,
  projectId: "", environment: "", secretPath: "/", makeFolder: false, name: "", description: "",
  idName: "AWS_ACCESS_KEY_ID", secretName: "AWS_SECRET_ACCESS_KEY",
};

let draft = { ...FRESH };

/** The draft that is open. */
export const current = () => draft;

/** Begins anew. */
export function discard() {
  draft = { ...FRESH };
}

/** Forgets the secret that was typed. */
export function forgetSecret() {
  draft.secretAccessKey = "";
}

/** A name for the rotation of a user: what is allowed of the user's own. */
export function nameFor(userName) {
  return userName.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 64).replace(/-$/, "");
}

/** The body of the request that makes it. */
export function bodyOf(draft) {
  const [hours, minutes] = draft.time.split(":").map(Number);
  const adoption = adoptionOf(draft);
  return {
    name: draft.name,
    ...(draft.description && { description: draft.description }),
    projectId: draft.projectId,
    connectionId: draft.connectionId,
    environment: draft.environment,
    secretPath: draft.secretPath,
    isAutoRotationEnabled: draft.isAutoRotationEnabled,
    rotationInterval: draft.rotationInterval,
    rotateAtUtc: { hours, minutes },
    parameters: { userName: draft.userName, region: draft.region },
    secretsMapping: { accessKeyId: draft.idName, secretAccessKey: draft.secretName },
    policy: draft.policy,
    ...(adoption && { adoption }),
  };
}

function adoptionOf({ keys, adopt, adoptedKey, secretAccessKey }) {
  if (keys.length === 0 || adopt === "leave") return null;
  const accessKeyId = adoptedKey || keys[0].accessKeyId;
  if (adopt === "import") return { mode: "import", accessKeyId, secretAccessKey };
  return { mode: "hand-over", accessKeyId, retireAtOnce: keys.length > 1 };
}
