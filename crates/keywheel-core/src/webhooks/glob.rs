//! Patterns of folders: `*` is any part of one name, `**` is any number of folders, none included.

use std::fmt;

use serde::Serialize;

use crate::issues::IssueCode;
use crate::names::{self, FOLDER_NAME_CHARS_MAX, NameFault, SecretPath};

/// The characters of a pattern between its slashes, as in a regular expression.
pub const PATTERN_CHARS: &str = "[A-Za-z0-9_*-]";

/// Any number of folders.
const ANY_DEPTH: &str = "**";

/// A pattern of folders: in one form, as a path is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(transparent)]
pub struct PathGlob(String);

impl PathGlob {
    /// The root folder alone.
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// Reads a pattern: a missing leading `/` is added, a trailing one removed.
    pub fn parse(text: &str) -> Result<Self, NameFault> {
        let segments = names::segments(text)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '*'].contains(&c);
        if segments
            .iter()
            .any(|s| s.len() > FOLDER_NAME_CHARS_MAX || !s.chars().all(allowed))
        {
            return Err(NameFault::new(
                IssueCode::Custom,
                "Invalid secret path. Only folder names, * for a part of a name and ** for any folders are allowed.",
            ));
        }
        Ok(Self(format!("/{}", segments.join("/"))))
    }

    /// A pattern that was checked before it was stored.
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a folder is meant.
    pub fn matches(&self, path: &SecretPath) -> bool {
        let folders: Vec<&str> = parts(path.as_str()).collect();
        // After each part of the pattern: how many folders from the root it may have used up.
        let mut used = vec![false; folders.len() + 1];
        used[0] = true;
        for part in parts(&self.0) {
            let before = used.clone();
            for count in 0..used.len() {
                used[count] = if part == ANY_DEPTH {
                    before[..=count].contains(&true)
                } else {
                    count > 0 && before[count - 1] && name_matches(part, folders[count - 1])
                };
            }
        }
        used[folders.len()]
    }
}

impl fmt::Display for PathGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

/// The text between stars is found from left to right, each as early as it can be: later would leave less for the rest.
fn name_matches(pattern: &str, name: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut left) = name.strip_prefix(begin).and_then(|left| left.strip_suffix(end)) else {
        return false;
    };
    middle.split('*').all(|text| match left.find(text) {
        Some(at) => {
            left = &left[at + text.len()..];
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        let pattern = PathGlob::parse(pattern).unwrap();
        pattern.matches(&SecretPath::parse(path).unwrap())
    }

    #[test]
    fn a_pattern_means_the_folders_of_this_table_and_no_others() {
        for (pattern, meant, others) in [
            ("/", &["/"][..], &["/a", "/a/b"][..]),
            ("/a", &["/a"], &["/", "/a/b", "/ab", "/b"]),
            ("/a/b", &["/a/b"], &["/a", "/a/b/c", "/b/a"]),
            ("/*", &["/a", "/abc"], &["/", "/a/b"]),
            ("/a/*", &["/a/b"], &["/a", "/a/b/c", "/b/b"]),
            ("/*/b", &["/a/b"], &["/b", "/a/c/b"]),
            ("/**", &["/", "/a", "/a/b/c"], &[]),
            ("/a/**", &["/a", "/a/b", "/a/b/c"], &["/", "/b", "/ab/c"]),
            ("/**/b", &["/b", "/a/b", "/a/a/b"], &["/", "/b/a", "/ab"]),
            ("/a/**/z", &["/a/z", "/a/b/z", "/a/b/c/z"], &["/a", "/z", "/a/b"]),
            ("/**/**", &["/", "/a/b"], &[]),
            ("/**/a/**", &["/a", "/b/a", "/a/b", "/b/a/b"], &["/", "/b"]),
            (
                "/app-*",
                &["/app-", "/app-one"],
                &["/app", "/my-app-one", "/app-one/x"],
            ),
            ("/*-prod", &["/a-prod", "/-prod"], &["/prod", "/a-prod-b"]),
            (
                "/a*b*c",
                &["/abc", "/axbxc", "/abbc", "/abcbc"],
                &["/ac", "/acb", "/abcx"],
            ),
            ("/a*a", &["/aa", "/aba"], &["/a", "/ab"]),
            ("/a**b", &["/ab", "/axb"], &["/a/b"]),
        ] {
            for path in meant {
                assert!(matches(pattern, path), "{pattern} means {path}");
            }
            for path in others {
                assert!(!matches(pattern, path), "{pattern} does not mean {path}");
            }
        }
    }

    #[test]
    fn patterns_are_brought_to_one_form() {
        for (given, kept) in [("", "/"), ("a/**", "/a/**"), (" //a//*/ ", "/a/*")] {
            assert_eq!(PathGlob::parse(given).unwrap().as_str(), kept);
        }
        for wrong in ["/a b", "/{a,b}", "/[ab]", "/a?", "/..", "/!a", "/é"] {
            assert!(PathGlob::parse(wrong).is_err(), "{wrong}");
        }
        assert!(PathGlob::parse(&"/*".repeat(20)).is_ok() && PathGlob::parse(&"/*".repeat(21)).is_err());
        assert!(PathGlob::parse(&"a".repeat(129)).is_err());
    }

    #[test]
    fn a_pattern_of_many_stars_is_answered_at_once() {
        let deep = "/aaaaaaaaaaaaaaaa".repeat(20);
        assert!(!matches(&"/**".repeat(20).replacen("/**", "/*b", 1), &deep));
        assert!(!matches(
            &format!("/{}b", "*a".repeat(60)),
            &format!("/{}", "a".repeat(128))
        ));
    }
}
