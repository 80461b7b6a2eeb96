//! Who may call what, by hand. The server's own table is `auth/access.rs`, and nothing here is taken from it.

use Need::{Anyone, Connection, Either, Organization, Project, Public};

/// What an operation asks of its caller. Permissions are `action subject`, in the order in which they are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// Nothing, not even a token.
    Public,
    /// A good token.
    Anyone,
    /// Permissions of the role in the organization.
    Organization(&'static str),
    /// Permissions of the roles in the project.
    Project(&'static str),
    /// A permission of the role in the organization, or of the roles in the project that is asked for.
    Either(&'static str),
    /// Permissions where the connection belongs: in its project, or in the organization.
    Connection(&'static str),
}

/// A role, and its permissions; `*` is every action, or every subject.
pub type Role = (&'static str, &'static [&'static str]);

/// The roles of an organization: they count outside of projects only.
pub const ORGANIZATION_ROLES: [Role; 3] = [
    ("admin", &["* *"]),
    (
        "member",
        &[
            "create project",
            "read project",
            "read app-connections",
            "connect app-connections",
            "read identity",
        ],
    ),
    ("no-access", &[]),
];

/// The roles of a project (rotation contract, section 6: of the six actions on rotations, all but `read` are the
/// admin's).
pub const PROJECT_ROLES: [Role; 4] = [
    ("admin", &["* *"]),
    (
        "member",
        &[
            "read project",
            "read environments",
            "* secret-folders",
            "* secrets",
            "* secret-imports",
            "* tags",
            "read secret-rotation",
            "read app-connections",
            "connect app-connections",
            "read identity",
            "* webhooks",
        ],
    ),
    (
        "viewer",
        &[
            "read project",
            "read environments",
            "read secret-folders",
            "read secrets",
            "read-value secrets",
            "read secret-imports",
            "read tags",
            "read secret-rotation",
            "read identity",
            "read webhooks",
        ],
    ),
    ("no-access", &[]),
];

/// Ends of the names of operations that are another one again, at another path: they need what that one needs.
const AGAIN: [&str; 9] = [
    "V1",
    "V2",
    "V3",
    "OfProject",
    "OfWorkspace",
    "AsWorkspace",
    "OfAllTypes",
    "OfAllApps",
    "AtHealthcheck",
];

/// Every operation. One that is not here fails the tests until somebody says who may call it.
pub const OPERATIONS: &[(&str, Need)] = &[
    // The instance.
    ("getApiPage", Public),
    ("getApiDocument", Public),
    ("getApiDocumentAtOpenapi", Public),
    ("getOlderApiDocument", Public),
    ("getStatus", Public),
    ("isAlive", Public),
    ("isReady", Public),
    // For callers on this machine; others need the token of an administrator (`metrics.rs`).
    ("getMetrics", Public),
    ("bootstrap", Public),
    // Access tokens: the secret in the body is what counts.
    ("logIn", Public),
    ("renewAccessToken", Public),
    ("revokeAccessToken", Public),
    // People: the password, the link or the printed token is what counts.
    ("getSessionOptions", Public),
    ("signIn", Public),
    ("setUpAccount", Public),
    ("joinAccount", Public),
    // Their own sessions and accounts; who calls here has none.
    ("getCurrentSession", Anyone),
    ("listSessions", Anyone),
    ("revokeSession", Anyone),
    ("signOut", Anyone),
    ("changePassword", Anyone),
    ("startTotp", Anyone),
    ("confirmTotp", Anyone),
    ("stopTotp", Anyone),
    // Accounts.
    ("listAccounts", Organization("read accounts")),
    ("createAccount", Organization("create accounts")),
    ("createAccountLink", Organization("edit accounts")),
    ("deleteAccount", Organization("delete accounts")),
    // Identities.
    ("getOwnDetails", Anyone),
    ("listIdentities", Organization("read identity")),
    ("searchIdentities", Organization("read identity")),
    ("createIdentity", Organization("create identity")),
    ("getIdentity", Organization("read identity")),
    ("updateIdentity", Organization("edit identity")),
    ("deleteIdentity", Organization("delete identity")),
    ("listMembershipsOfIdentity", Organization("read identity")),
    ("attachUniversalAuth", Organization("edit identity")),
    ("getUniversalAuth", Organization("read identity")),
    ("updateUniversalAuth", Organization("edit identity")),
    ("detachUniversalAuth", Organization("delete identity")),
    ("clearLockouts", Organization("edit identity")),
    ("createClientSecret", Organization("edit identity")),
    ("listClientSecrets", Organization("read identity")),
    ("getClientSecret", Organization("read identity")),
    ("revokeClientSecret", Organization("delete identity")),
    // Projects. A list holds only those that the caller is a member of.
    ("listProjects", Anyone),
    ("listWorkspaces", Anyone),
    ("createProject", Organization("create project")),
    ("getProject", Project("read project")),
    ("getProjectBySlug", Project("read project")),
    ("getWorkspace", Project("read project")),
    ("updateProject", Project("edit project")),
    ("updateProjectBySlug", Project("edit project")),
    ("updateWorkspace", Project("edit project")),
    ("keepAuditLogs", Project("edit project")),
    ("deleteProject", Project("delete project")),
    ("deleteProjectBySlug", Project("delete project")),
    ("deleteWorkspace", Project("delete project")),
    (
        "listOrganizationProjects",
        Organization("access-all-projects organization-admin-console"),
    ),
    (
        "grantOrganizationAdminProjectAccess",
        Organization("access-all-projects organization-admin-console"),
    ),
    // Environments.
    ("createEnvironment", Project("create environments")),
    ("getEnvironment", Project("read environments")),
    ("getEnvironmentAnywhere", Project("read environments")),
    ("getEnvironmentBySlug", Project("read environments")),
    ("updateEnvironment", Project("edit environments")),
    ("deleteEnvironment", Project("delete environments")),
    // Memberships.
    ("createMembership", Project("create identity")),
    ("listMemberships", Project("read identity")),
    ("getMembership", Project("read identity")),
    ("updateMembership", Project("edit identity")),
    ("deleteMembership", Project("delete identity")),
    ("getMembershipById", Project("read identity")),
    ("inviteMembers", Project("create identity")),
    // Folders.
    ("createFolder", Project("create secret-folders")),
    ("listFolders", Project("read secret-folders")),
    ("getFolder", Project("read secret-folders")),
    ("updateFolder", Project("edit secret-folders")),
    ("updateFolders", Project("edit secret-folders")),
    ("deleteFolder", Project("delete secret-folders")),
    ("deleteFolderByForce", Project("delete secret-folders")),
    // Secrets.
    ("createSecret", Project("create secrets")),
    ("listSecrets", Project("read secrets, read-value secrets")),
    ("getSecret", Project("read secrets, read-value secrets")),
    ("getSecretById", Project("read secrets, read-value secrets")),
    ("listSecretVersions", Project("read secrets, read-value secrets")),
    ("updateSecret", Project("edit secrets")),
    ("deleteSecret", Project("delete secrets")),
    ("createSecretImport", Project("create secret-imports")),
    ("listSecretImports", Project("read secret-imports")),
    ("getSecretImport", Project("read secret-imports")),
    ("updateSecretImport", Project("edit secret-imports")),
    ("deleteSecretImport", Project("delete secret-imports")),
    ("createSecrets", Project("create secrets")),
    ("updateSecrets", Project("edit secrets")),
    ("deleteSecrets", Project("delete secrets")),
    ("moveSecrets", Project("delete secrets, create secrets")),
    // Tags.
    ("listTags", Project("read tags")),
    ("createTag", Project("create tags")),
    ("getTag", Project("read tags")),
    ("getTagBySlug", Project("read tags")),
    ("updateTag", Project("edit tags")),
    ("deleteTag", Project("delete tags")),
    // Connections.
    ("listAppConnectionOptions", Anyone),
    ("createAppConnection", Connection("create app-connections")),
    ("listAppConnections", Connection("read app-connections")),
    (
        "listAvailableAppConnections",
        Connection("connect app-connections"),
    ),
    ("getAppConnection", Connection("read app-connections")),
    ("getAppConnectionByName", Connection("read app-connections")),
    ("updateAppConnection", Connection("edit app-connections")),
    ("deleteAppConnection", Connection("delete app-connections")),
    ("listIamUsers", Connection("connect app-connections")),
    ("listIamUserKeys", Connection("connect app-connections")),
    ("testAppConnection", Connection("connect app-connections")),
    ("getAppConnectionPolicies", Connection("read app-connections")),
    // Rotations. To read one is not to read its credentials.
    ("listSecretRotationOptions", Anyone),
    ("getScheduleDates", Anyone),
    // Without a project, they show what the caller may read.
    ("searchSecretRotations", Project("read secret-rotation")),
    ("getSecretRotationsOverview", Project("read secret-rotation")),
    ("createAWSIAMUserSecretRotation", Project(TO_CREATE_A_ROTATION)),
    ("previewCreate", Project(TO_CREATE_A_ROTATION)),
    ("listAWSIAMUserSecretRotations", Project("read secret-rotation")),
    ("getAWSIAMUserSecretRotation", Project("read secret-rotation")),
    (
        "getAWSIAMUserSecretRotationByName",
        Project("read secret-rotation"),
    ),
    (
        "updateAWSIAMUserSecretRotation",
        Project("edit secret-rotation, edit secrets"),
    ),
    (
        "moveAWSIAMUserSecretRotation",
        Project("delete secret-rotation, create secret-rotation, create secrets"),
    ),
    (
        "deleteAWSIAMUserSecretRotation",
        Project("delete secret-rotation"),
    ),
    (
        "rotateAWSIAMUserSecretRotation",
        Project("rotate-secrets secret-rotation"),
    ),
    (
        "getAWSIAMUserSecretRotationGeneratedCredentials",
        Project("read-generated-credentials secret-rotation"),
    ),
    (
        "checkCredentials",
        Project("read-generated-credentials secret-rotation"),
    ),
    // Webhooks.
    ("createWebhook", Project("create webhooks")),
    ("listWebhooks", Project("read webhooks")),
    ("getWebhook", Project("read webhooks")),
    ("updateWebhook", Project("edit webhooks")),
    ("deleteWebhook", Project("delete webhooks")),
    ("testWebhook", Project("edit webhooks")),
    ("listWebhookDeliveries", Project("read webhooks")),
    ("getWebhookOptions", Project("read webhooks")),
    // The audit log.
    ("listAuditLogs", Either("read audit-logs")),
    ("listAuditLogsOfProject", Either("read audit-logs")),
    // What belongs to a rotation.
    ("getRetirementDefault", Anyone),
    ("replaceRetirementDefault", Organization("edit secret-rotation")),
    ("getPolicy", Project("read secret-rotation")),
    ("updatePolicy", Project("edit secret-rotation")),
    ("listKeys", Project("read secret-rotation")),
    ("listRuns", Project("read secret-rotation")),
    ("previewRun", Project("rotate-secrets secret-rotation")),
    ("handOverKey", Project("rotate-secrets secret-rotation")),
    ("holdKey", Project("rotate-secrets secret-rotation")),
    ("releaseKey", Project("rotate-secrets secret-rotation")),
    ("resolveSuspect", Project("rotate-secrets secret-rotation")),
    ("retireKey", Project("rotate-secrets secret-rotation")),
    ("rollBackToKey", Project("rotate-secrets secret-rotation")),
];

/// Operations that the world of the matrix has nothing for, with what the caller is told once the permission is there:
/// 400.
pub const SHORT_OF_SUCCESS: &[(&[&str], &str)] = &[
    (&["bootstrap", "setUpAccount"], "already been set up"),
    (&["createAccount"], "already an account"),
    (
        &[
            "getCurrentSession",
            "listSessions",
            "revokeSession",
            "signOut",
            "changePassword",
            "startTotp",
            "confirmTotp",
            "stopTotp",
        ],
        "has no session",
    ),
    (
        &["deleteProject", "deleteProjectBySlug", "deleteWorkspace"],
        "holds secret rotations",
    ),
    (&["inviteMembers"], "no people to invite"),
    (&["handOverKey"], "only a live key that is not Keywheel's"),
    (&["releaseKey"], "it is not held"),
    (&["resolveSuspect"], "only a suspect can be"),
];

/// Where the contract asks for another answer than 404 to what is not there.
pub const UNKNOWN: &[(&str, u16)] = &[
    // An unknown project is answered like an unknown folder in a known one (rotation contract, section 5.4).
    ("getAWSIAMUserSecretRotationByName", 400),
    // A machine has no sessions at all.
    ("revokeSession", 400),
];

const TO_CREATE_A_ROTATION: &str = "create secret-rotation, create secrets, connect app-connections";

/// What an operation of the API document needs; none if the table does not say.
pub fn need(operation: &str) -> Option<Need> {
    let line = |id: &str| OPERATIONS.iter().find(|(known, _)| *known == id);
    let again = || AGAIN.iter().find_map(|end| line(operation.strip_suffix(end)?));
    line(operation).or_else(again).map(|(_, need)| *need)
}

/// The first of the permissions, as action and subject, that a role does not have.
pub fn missing(permissions: &'static str, (_, granted): Role) -> Option<(&'static str, &'static str)> {
    let pair = |text: &'static str| text.split_once(' ').expect("an action and a subject");
    let fits = |granted: &str, wanted: &str| granted == "*" || granted == wanted;
    permissions.split(", ").map(pair).find(|(action, subject)| {
        let grants = |(actions, subjects): (&str, &str)| fits(actions, action) && fits(subjects, subject);
        !granted.iter().copied().map(pair).any(grants)
    })
}
