//! Who may do what: roles, actions and subjects, as one pure table (platform contract, roles; rotation
//! contract, section 6).

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// See that it is there, and its settings.
    Read,
    /// See the value of a secret.
    ReadValue,
    /// Make a new one.
    Create,
    /// Change it.
    Edit,
    /// Remove it.
    Delete,
    /// Use a connection to act outside.
    Connect,
    /// Rotate now.
    RotateSecrets,
    /// See the credentials that a rotation made.
    ReadGeneratedCredentials,
    /// Enter any project of the organization.
    AccessAllProjects,
}

/// What it is done to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Subject {
    /// Projects and their settings.
    Projects,
    /// Environments of a project.
    Environments,
    /// Folders.
    Folders,
    /// Secrets.
    Secrets,
    /// Imports of secrets into other folders.
    Imports,
    /// Tags that secrets can have.
    Tags,
    /// Rotations.
    Rotations,
    /// Credentials for systems outside.
    AppConnections,
    /// Accounts of people.
    Accounts,
    /// Machine identities, their logins and memberships.
    Identities,
    /// The audit log.
    AuditLogs,
    /// Webhooks.
    Webhooks,
    /// What Prometheus reads.
    Metrics,
    /// All projects of the organization, whoever is in them.
    AdminConsole,
}

/// A role in the organization.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OrganizationRole {
    /// Everything at the level of the organization.
    Admin,
    /// Makes projects and uses connections.
    Member,
    /// Nothing but what projects grant.
    NoAccess,
}

/// A role in a project.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ProjectRole {
    /// Everything in the project.
    Admin,
    /// Works with secrets, tags, folders and webhooks, sees the rest.
    Member,
    /// Sees.
    Viewer,
    /// Nothing.
    NoAccess,
}

impl Action {
    /// The word that refusals use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::ReadValue => "read-value",
            Self::Create => "create",
            Self::Edit => "edit",
            Self::Delete => "delete",
            Self::Connect => "connect",
            Self::RotateSecrets => "rotate-secrets",
            Self::ReadGeneratedCredentials => "read-generated-credentials",
            Self::AccessAllProjects => "access-all-projects",
        }
    }
}

impl Subject {
    /// The word that refusals use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Projects => "project",
            Self::Environments => "environments",
            Self::Folders => "secret-folders",
            Self::Secrets => "secrets",
            Self::Imports => "secret-imports",
            Self::Tags => "tags",
            Self::Rotations => "secret-rotation",
            Self::AppConnections => "app-connections",
            Self::Accounts => "accounts",
            Self::Identities => "identity",
            Self::AuditLogs => "audit-logs",
            Self::Webhooks => "webhooks",
            Self::Metrics => "metrics",
            Self::AdminConsole => "organization-admin-console",
        }
    }
}

impl OrganizationRole {
    /// The roles and their words in the API.
    pub const WORDS: [(&'static str, Self); 3] = [
        ("admin", Self::Admin),
        ("member", Self::Member),
        ("no-access", Self::NoAccess),
    ];

    /// The word in the API and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Member => "member",
            Self::NoAccess => "no-access",
        }
    }

    /// The role of a stored word; an unknown word grants nothing.
    pub fn from_stored(word: &str) -> Self {
        lookup(&Self::WORDS, word).unwrap_or(Self::NoAccess)
    }

    /// Whether the role allows it outside of any project.
    pub const fn allows(self, action: Action, subject: Subject) -> bool {
        match self {
            Self::Admin => true,
            Self::Member => matches!(
                (action, subject),
                (Action::Create | Action::Read, Subject::Projects)
                    | (Action::Read | Action::Connect, Subject::AppConnections)
                    | (Action::Read, Subject::Identities)
            ),
            Self::NoAccess => false,
        }
    }
}

impl ProjectRole {
    /// The roles and their words in the API.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("admin", Self::Admin),
        ("member", Self::Member),
        ("viewer", Self::Viewer),
        ("no-access", Self::NoAccess),
    ];

    /// The word in the API and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Viewer => "viewer",
            Self::NoAccess => "no-access",
        }
    }

    /// The role of a stored word; an unknown word grants nothing.
    pub fn from_stored(word: &str) -> Self {
        lookup(&Self::WORDS, word).unwrap_or(Self::NoAccess)
    }

    /// Whether the role allows it inside of its project.
    pub const fn allows(self, action: Action, subject: Subject) -> bool {
        match self {
            Self::Admin => true,
            Self::Member => match subject {
                Subject::Secrets
                | Subject::Imports
                | Subject::Folders
                | Subject::Tags
                | Subject::Webhooks => true,
                Subject::AppConnections => matches!(action, Action::Read | Action::Connect),
                Subject::Projects | Subject::Environments | Subject::Rotations | Subject::Identities => {
                    matches!(action, Action::Read)
                }
                Subject::AuditLogs | Subject::Accounts | Subject::Metrics | Subject::AdminConsole => false,
            },
            Self::Viewer => match subject {
                Subject::Secrets => matches!(action, Action::Read | Action::ReadValue),
                Subject::AppConnections
                | Subject::AuditLogs
                | Subject::Accounts
                | Subject::Metrics
                | Subject::AdminConsole => false,
                _ => matches!(action, Action::Read),
            },
            Self::NoAccess => false,
        }
    }
}

fn lookup<T: Copy>(words: &[(&'static str, T)], word: &str) -> Option<T> {
    words
        .iter()
        .find(|(known, _)| *known == word)
        .map(|(_, role)| *role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_admins_change_rotations_or_see_their_credentials() {
        for action in [
            Action::ReadGeneratedCredentials,
            Action::Create,
            Action::Edit,
            Action::Delete,
            Action::RotateSecrets,
        ] {
            assert!(ProjectRole::Admin.allows(action, Subject::Rotations));
            for role in [ProjectRole::Member, ProjectRole::Viewer, ProjectRole::NoAccess] {
                assert!(!role.allows(action, Subject::Rotations), "{role:?} {action:?}");
            }
        }
        assert!(ProjectRole::Viewer.allows(Action::Read, Subject::Rotations));
    }

    #[test]
    fn viewers_read_secrets_and_change_nothing() {
        assert!(ProjectRole::Viewer.allows(Action::ReadValue, Subject::Secrets));
        for action in [Action::Create, Action::Edit, Action::Delete] {
            assert!(!ProjectRole::Viewer.allows(action, Subject::Secrets));
            assert!(!ProjectRole::Viewer.allows(action, Subject::Folders));
        }
    }

    #[test]
    fn only_admins_read_the_audit_log() {
        for role in [ProjectRole::Member, ProjectRole::Viewer, ProjectRole::NoAccess] {
            assert!(!role.allows(Action::Read, Subject::AuditLogs), "{role:?}");
        }
        for role in [OrganizationRole::Member, OrganizationRole::NoAccess] {
            assert!(!role.allows(Action::Read, Subject::AuditLogs), "{role:?}");
        }
        assert!(ProjectRole::Admin.allows(Action::Read, Subject::AuditLogs));
        assert!(OrganizationRole::Admin.allows(Action::Read, Subject::AuditLogs));
    }

    #[test]
    fn unknown_words_grant_nothing() {
        assert_eq!(ProjectRole::from_stored("owner"), ProjectRole::NoAccess);
        assert_eq!(OrganizationRole::from_stored(""), OrganizationRole::NoAccess);
        for (word, role) in ProjectRole::WORDS {
            assert_eq!((role.as_str(), ProjectRole::from_stored(word)), (word, role));
        }
    }
}
