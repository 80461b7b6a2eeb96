//! Names that were checked once and cannot be wrong afterwards.
//!
//! Rules and message texts: rotation contract, section 3; platform contract, sections 6.2.3, 6.3 and 6.4.

use std::fmt;

use serde::Serialize;

use crate::issues::{Issue, IssueCode};

/// Why a text is not a name of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NameFault {
    /// The kind of fault.
    pub code: IssueCode,
    /// For people.
    pub message: String,
}

impl NameFault {
    /// A fault of this kind, with a text for people.
    pub fn new(code: IssueCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// This fault as an issue of a request, at the given key.
    pub fn at(self, key: &str) -> Issue {
        Issue::at(key, self.code, self.message)
    }
}

macro_rules! names {
    ($($(#[$doc:meta])+ $name:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// A name that was checked before it was stored.
            pub fn from_stored(text: String) -> Self {
                Self(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )+};
}

names! {
    /// A lower-case slug of 1 to 64 characters: names of rotations, connections, environments and projects.
    Slug;
    /// The name of a secret: not empty, without `:` and `/`.
    SecretName;
    /// The name of one folder: letters, digits, dashes and underscores.
    FolderName;
    /// Where a secret lies in an environment: starts with `/`, does not end with one unless it is the root.
    SecretPath;
    /// A name for people: trimmed, 1 to 64 characters.
    Title;
}

/// Longest slug and title, in characters (contract).
pub const SLUG_CHARS_MAX: usize = 64;
/// Longest name of a secret, in characters. The contract has no bound; ours keeps rows and lists small.
pub const SECRET_NAME_CHARS_MAX: usize = 512;
/// Longest name of a folder, in characters. The contract has no bound.
pub const FOLDER_NAME_CHARS_MAX: usize = 128;
/// Deepest folder (platform contract, section 6.2.2: recursive lists go 20 levels deep).
pub const FOLDER_DEPTH_MAX: usize = 20;
/// Longest description, in characters (contract).
pub const DESCRIPTION_CHARS_MAX: usize = 256;

impl Slug {
    /// Reads a slug. `field` is the name of the request field, which the contract's texts contain.
    pub fn parse(field: &str, text: &str) -> Result<Self, NameFault> {
        let text = text.trim();
        if text.is_empty() {
            return Err(NameFault::new(
                IssueCode::short(1),
                format!("{field} field must be at least 1 lowercase character"),
            ));
        }
        if text.chars().count() > SLUG_CHARS_MAX {
            return Err(NameFault::new(
                IssueCode::long(64),
                format!("{field} field must be at most 64 lowercase characters"),
            ));
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !text.chars().all(allowed) || text.starts_with('-') || text.ends_with('-') || text.contains("--") {
            return Err(NameFault::new(
                IssueCode::Custom,
                format!("{field} field can only contain lowercase letters, numbers, and hyphens"),
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl SecretName {
    /// Reads the name of a secret.
    pub fn parse(text: &str) -> Result<Self, NameFault> {
        let text = text.trim();
        if text.is_empty() {
            return Err(NameFault::new(
                IssueCode::short(1),
                "Secret name cannot be empty.",
            ));
        }
        if text.chars().count() > SECRET_NAME_CHARS_MAX {
            return Err(NameFault::new(
                IssueCode::long(512),
                format!("Secret name cannot exceed {SECRET_NAME_CHARS_MAX} characters."),
            ));
        }
        if text.contains([':', '/']) {
            return Err(NameFault::new(
                IssueCode::Custom,
                "Secret name cannot contain colon or forward slash.",
            ));
        }
        // No database takes it in a text.
        if text.contains('\0') {
            return Err(NameFault::new(
                IssueCode::Custom,
                "Secret name cannot contain a null character.",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FolderName {
    /// Reads the name of a folder.
    pub fn parse(text: &str) -> Result<Self, NameFault> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let text = text.trim();
        if text.is_empty() || !text.chars().all(allowed) {
            return Err(NameFault::new(
                IssueCode::Custom,
                "Invalid folder name. Only alphanumeric characters, dashes, and underscores are allowed.",
            ));
        }
        if text.len() > FOLDER_NAME_CHARS_MAX {
            return Err(NameFault::new(
                IssueCode::long(128),
                format!("Folder name cannot exceed {FOLDER_NAME_CHARS_MAX} characters."),
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl SecretPath {
    /// The root folder, `/`.
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// Reads a path: a missing leading `/` is added, a trailing one removed, each segment is a folder name.
    pub fn parse(text: &str) -> Result<Self, NameFault> {
        let segments = segments(text)?;
        for segment in &segments {
            FolderName::parse(segment)?;
        }
        Ok(Self(format!("/{}", segments.join("/"))))
    }

    /// The path of a folder inside of this one.
    #[must_use]
    pub fn join(&self, name: &FolderName) -> Self {
        if self.0 == "/" {
            Self(format!("/{name}"))
        } else {
            Self(format!("{}/{name}", self.0))
        }
    }

    /// The names of the folders from the root inwards; empty for the root.
    pub fn segments(&self) -> impl Iterator<Item = FolderName> + '_ {
        self.0
            .split('/')
            .filter(|s| !s.is_empty())
            .map(|s| FolderName(s.to_owned()))
    }
}

/// What is between the slashes of a path, or of a pattern of paths.
pub(crate) fn segments(text: &str) -> Result<Vec<&str>, NameFault> {
    let segments: Vec<&str> = text.trim().split('/').filter(|s| !s.is_empty()).collect();
    if segments.len() > FOLDER_DEPTH_MAX {
        return Err(NameFault::new(
            IssueCode::Custom,
            format!("Secret path cannot be deeper than {FOLDER_DEPTH_MAX} folders."),
        ));
    }
    Ok(segments)
}

impl Title {
    /// Reads a name for people. `field` is the name of the request field.
    pub fn parse(field: &str, text: &str) -> Result<Self, NameFault> {
        let text = text.trim();
        if text.is_empty() {
            return Err(NameFault::new(
                IssueCode::short(1),
                format!("{field} must not be empty"),
            ));
        }
        if text.chars().count() > SLUG_CHARS_MAX {
            return Err(NameFault::new(
                IssueCode::long(64),
                format!("{field} cannot exceed {SLUG_CHARS_MAX} characters"),
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_keeps_lower_case_words_joined_by_single_hyphens() {
        for good in ["a", "demo-app", "x1-2-3", " padded "] {
            assert!(Slug::parse("name", good).is_ok(), "{good:?}");
        }
        for bad in ["", "  ", "Upper", "under_score", "-a", "a-", "a--b", "a b", "é"] {
            assert!(Slug::parse("name", bad).is_err(), "{bad:?}");
        }
        assert!(Slug::parse("name", &"a".repeat(64)).is_ok());
        assert!(Slug::parse("name", &"a".repeat(65)).is_err());
    }

    #[test]
    fn a_slug_fault_names_the_field_as_the_contract_does() {
        let fault = Slug::parse("name", "Nope").unwrap_err();
        assert_eq!(
            fault.message,
            "name field can only contain lowercase letters, numbers, and hyphens"
        );
    }

    #[test]
    fn a_secret_name_may_hold_spaces_but_no_separators() {
        assert_eq!(SecretName::parse(" MY KEY ").unwrap().as_str(), "MY KEY");
        for bad in ["", " ", "a:b", "a/b"] {
            assert!(SecretName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn paths_are_brought_to_one_form() {
        for (given, kept) in [
            ("", "/"),
            ("/", "/"),
            ("a", "/a"),
            ("/a/b/", "/a/b"),
            ("//a//b", "/a/b"),
        ] {
            assert_eq!(SecretPath::parse(given).unwrap().as_str(), kept);
        }
        assert!(SecretPath::parse("/a b").is_err());
        assert!(SecretPath::parse("/../etc").is_err());
        assert!(SecretPath::parse(&"/a".repeat(21)).is_err());
    }

    #[test]
    fn joining_and_taking_apart_are_opposites() {
        let path = SecretPath::parse("/a/b").unwrap();
        let rebuilt = path
            .segments()
            .fold(SecretPath::root(), |at, name| at.join(&name));
        assert_eq!(rebuilt, path);
    }

    #[test]
    fn the_longest_names_are_accepted_and_no_longer_ones() {
        let long = |n: usize| "a".repeat(n);
        assert!(SecretName::parse(&long(512)).is_ok() && SecretName::parse(&long(513)).is_err());
        assert!(FolderName::parse(&long(128)).is_ok() && FolderName::parse(&long(129)).is_err());
        assert!(Title::parse("name", &long(64)).is_ok() && Title::parse("name", &long(65)).is_err());
        assert!(SecretPath::parse(&"/a".repeat(20)).is_ok());
    }

    #[test]
    fn a_folder_name_holds_letters_digits_dashes_and_underscores() {
        for good in ["a", "Z9", "a-b", "a_b"] {
            assert!(FolderName::parse(good).is_ok(), "{good:?}");
        }
        for bad in ["", "a.b", "a b", "é"] {
            assert!(FolderName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_title_is_trimmed_and_not_empty() {
        assert_eq!(Title::parse("name", " My app ").unwrap().as_str(), "My app");
        let fault = Title::parse("name", "  ").unwrap_err();
        assert_eq!(fault.message, "name must not be empty");
    }

    #[test]
    fn a_fault_becomes_an_issue_of_its_field() {
        let issue = SecretName::parse("").unwrap_err().at("secretName");
        assert_eq!(
            issue,
            Issue::at("secretName", IssueCode::short(1), "Secret name cannot be empty.")
        );
    }
}
