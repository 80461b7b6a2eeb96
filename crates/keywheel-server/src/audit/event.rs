//! The types of events: the words of the contract (platform contract, section 6.13; rotation contract, section 11),
//! and words in the same style for what it does not name.

/// How an entry is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weight {
    /// In two records: one before anything is changed, one before the answer leaves.
    Change,
    /// In one record before the answer leaves, because the answer reveals a credential.
    Reveal,
    /// In one record within a second; equal reads in that time are one entry with how often.
    Read,
}

macro_rules! events {
    ($($name:ident = $word:literal, $weight:ident;)+) => {
        /// What is done.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[expect(missing_docs, reason = "each is described by its word")]
        pub enum Event {
            $($name,)+
        }

        impl Event {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word in entries and filters.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }

            /// How its entries are written.
            pub const fn weight(self) -> Weight {
                match self {
                    $(Self::$name => Weight::$weight,)+
                }
            }
        }
    };
}

events! {
    CreateOrganization = "create-organization", Change;
    CreateOrganizationFailed = "create-organization-failed", Read;
    Login = "login-identity-universal-auth", Reveal;
    LoginFailed = "login-identity-universal-auth-failed", Read;
    RenewToken = "renew-identity-access-token", Reveal;
    RevokeToken = "revoke-identity-access-token", Change;

    LoginAccount = "login-account", Reveal;
    LoginAccountFailed = "login-account-failed", Read;
    LogoutAccount = "logout-account", Change;
    RevokeSession = "revoke-account-session", Change;
    CreateAccount = "create-account", Change;
    DeleteAccount = "delete-account", Change;
    CreateAccountLink = "create-account-link", Change;
    UseAccountLink = "use-account-link", Change;
    UseAccountLinkFailed = "use-account-link-failed", Read;
    UpdateAccountPassword = "update-account-password", Change;
    CreateAccountTotp = "create-account-totp", Change;
    ConfirmAccountTotp = "confirm-account-totp", Change;
    DeleteAccountTotp = "delete-account-totp", Change;

    CreateIdentity = "create-identity", Change;
    UpdateIdentity = "update-identity", Change;
    DeleteIdentity = "delete-identity", Change;
    AddUniversalAuth = "add-identity-universal-auth", Change;
    UpdateUniversalAuth = "update-identity-universal-auth", Change;
    RevokeUniversalAuth = "revoke-identity-universal-auth", Change;
    CreateClientSecret = "create-identity-universal-auth-client-secret", Change;
    RevokeClientSecret = "revoke-identity-universal-auth-client-secret", Change;
    ClearLockouts = "clear-identity-universal-auth-lockouts", Change;

    CreateProject = "create-project", Change;
    UpdateProject = "update-project", Change;
    DeleteProject = "delete-project", Change;
    EnterProject = "enter-project", Change;
    CreateMembership = "create-identity-project-membership", Change;
    UpdateMembership = "update-identity-project-membership", Change;
    DeleteMembership = "delete-identity-project-membership", Change;
    CreateEnvironment = "create-environment", Change;
    UpdateEnvironment = "update-environment", Change;
    DeleteEnvironment = "delete-environment", Change;
    CreateFolder = "create-folder", Change;
    UpdateFolder = "update-folder", Change;
    UpdateFolders = "update-folders", Change;
    DeleteFolder = "delete-folder", Change;

    GetSecrets = "get-secrets", Read;
    GetSecret = "get-secret", Read;
    GetSecretVersions = "get-secret-versions", Read;
    CreateSecret = "create-secret", Change;
    UpdateSecret = "update-secret", Change;
    DeleteSecret = "delete-secret", Change;
    CreateImport = "create-secret-import", Change;
    UpdateImport = "update-secret-import", Change;
    DeleteImport = "delete-secret-import", Change;
    CreateSecrets = "create-secrets", Change;
    UpdateSecrets = "update-secrets", Change;
    DeleteSecrets = "delete-secrets", Change;
    MoveSecrets = "move-secrets", Change;
    CreateTag = "create-tag", Change;
    UpdateTag = "update-tag", Change;
    DeleteTag = "delete-tag", Change;

    CreateWebhook = "create-webhook", Change;
    UpdateWebhook = "update-webhook-status", Change;
    DeleteWebhook = "delete-webhook", Change;
    TriggerWebhook = "webhook-triggered", Change;

    GetConnections = "get-app-connections", Read;
    GetConnection = "get-app-connection", Read;
    GetIamUsers = "get-app-connection-iam-users", Read;
    GetIamUserKeys = "get-app-connection-iam-user-keys", Read;
    GetIamPolicies = "get-app-connection-iam-policies", Read;
    TestConnection = "test-app-connection", Read;
    CreateConnection = "create-app-connection", Change;
    UpdateConnection = "update-app-connection", Change;
    DeleteConnection = "delete-app-connection", Change;

    GetRotations = "get-secret-rotations", Read;
    GetRotation = "get-secret-rotation", Read;
    GetGeneratedCredentials = "get-secret-rotation-generated-credentials", Reveal;
    CreateRotation = "create-secret-rotation", Change;
    UpdateRotation = "update-secret-rotation", Change;
    DeleteRotation = "delete-secret-rotation", Change;
    RotateSecrets = "secret-rotation-rotate-secrets", Change;
    CheckCredentials = "check-secret-rotation-credentials", Change;
    MoveRotation = "move-secret-rotation", Change;
    PreviewRotation = "preview-secret-rotation", Read;
    UpdateRotationPolicy = "update-secret-rotation-policy", Change;
    UpdateRetirementDefault = "update-secret-rotation-retirement-default", Change;
    RollBackKey = "secret-rotation-roll-back-key", Change;
    RetireKey = "secret-rotation-retire-key", Change;
    ResolveKey = "secret-rotation-resolve-key", Change;
    HandOverKey = "secret-rotation-hand-over-key", Change;
    HoldKey = "secret-rotation-hold-key", Change;
    ReleaseKey = "secret-rotation-release-key", Change;
}

impl Event {
    /// The event that it is if it fails: the contract has a word of its own for a failed login.
    #[must_use]
    pub const fn when_failed(self) -> Self {
        match self {
            Self::Login => Self::LoginFailed,
            Self::LoginAccount => Self::LoginAccountFailed,
            other => other,
        }
    }

    /// Whether somebody who proved nothing can have an entry of it written, as often as they like. What they say of
    /// themselves tells no two of these apart then: else they could fill the log with their words.
    #[must_use]
    pub const fn is_free_to_make(self) -> bool {
        matches!(
            self,
            Self::CreateOrganizationFailed
                | Self::LoginFailed
                | Self::LoginAccountFailed
                | Self::UseAccountLinkFailed
        )
    }

    /// Every word that a filter may name.
    pub fn words() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|event| event.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_word_means_one_event() {
        let words: BTreeSet<_> = Event::words().collect();
        assert_eq!(words.len(), Event::ALL.len());
    }

    #[test]
    fn what_anybody_can_make_is_merged_with_its_equals() {
        for event in Event::ALL {
            let is_of_nobody = event.as_str().ends_with("-failed");
            assert_eq!(event.is_free_to_make(), is_of_nobody, "{event:?}");
            assert!(!is_of_nobody || event.weight() == Weight::Read, "{event:?}");
        }
    }

    #[test]
    fn what_changes_something_is_written_before_and_after_it() {
        for event in Event::ALL {
            let word = event.as_str();
            let reads = ["get-", "preview-", "test-"]
                .iter()
                .any(|start| word.starts_with(start));
            let logs_in = word.starts_with("login-") || word.starts_with("renew-");
            let changes_nothing = reads || logs_in || word.ends_with("-failed");
            assert_eq!(event.weight() != Weight::Change, changes_nothing, "{word}");
        }
    }
}
