//! References in the values of secrets: `${NAME}` means a secret of the same folder,
//! `${environment.folder.folder.NAME}` one anywhere in the project.
//!
//! A part without a dot is relative, one with dots is absolute. So a secret whose name has a dot or a brace can
//! exist, but nothing can refer to it.

pub mod expand;

use std::iter;
use std::ops::Range;

use crate::names::{SecretName, SecretPath, Slug};

const OPEN: &str = "${";
const CLOSE: char = '}';
const SEPARATOR: char = '.';

/// A folder, in the words that references use.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Folder {
    /// The slug of the environment.
    pub environment: Slug,
    /// Its path.
    pub path: SecretPath,
}

/// A secret, in the words that references use.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Address {
    /// The folder.
    pub folder: Folder,
    /// The name.
    pub name: SecretName,
}

/// A secret that gets another address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Move {
    /// Where it was.
    pub from: Address,
    /// Where it will be.
    pub to: Address,
}

/// A reference as it stands in a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reference<'a> {
    /// Which bytes of the text, braces included.
    pub range: Range<usize>,
    inner: &'a str,
}

/// Longest value that a rewrite makes, in bytes: as long as a value that can be written.
pub const REWRITTEN_BYTES_MAX: usize = 1_048_576;

/// References in a value cannot follow what they mean.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unwritable {
    /// No reference can be written to a secret of this name.
    #[error("no reference can be written to a secret with the name \"{0}\"")]
    Name(SecretName),
    /// The value would become too long.
    #[error("its value would become longer than {REWRITTEN_BYTES_MAX} bytes with the new references")]
    TooLong,
}

impl Reference<'_> {
    /// Whether it means a secret in the folder of the secret that it stands in.
    pub fn is_relative(&self) -> bool {
        !self.inner.contains(SEPARATOR)
    }

    /// Whether it is written with the characters of names that people refer to: letters, digits, `_`, `-`, and dots
    /// between them (platform contract, section 6.2.2).
    pub fn is_plain(&self) -> bool {
        let is_meant = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | SEPARATOR);
        !self.inner.is_empty() && self.inner.chars().all(is_meant)
    }

    /// What it means in a secret of this folder; none if it cannot mean anything.
    pub fn resolve(&self, home: &Folder) -> Option<Address> {
        let mut parts: Vec<&str> = self.inner.split(SEPARATOR).collect();
        if parts.iter().any(|part| part.is_empty()) {
            return None;
        }
        let name = parts.pop()?;
        // What no secret can be named is nothing to ask a store for.
        let name = SecretName::parse(name)
            .ok()
            .filter(|parsed| parsed.as_str() == name)?;
        let folder = match parts.split_first() {
            None => home.clone(),
            Some((environment, folders)) => Folder {
                environment: Slug::parse("environment", environment).ok()?,
                path: SecretPath::parse(&format!("/{}", folders.join("/"))).ok()?,
            },
        };
        Some(Address { folder, name })
    }
}

/// Whether a value may hold a reference.
pub fn may_hold(text: &str) -> bool {
    text.contains(OPEN)
}

/// The references in a text, in their order. Of nested ones the innermost is one.
pub fn find(text: &str) -> impl Iterator<Item = Reference<'_>> {
    let mut from = 0;
    iter::from_fn(move || {
        let rest = &text[from..];
        let first = rest.find(OPEN)?;
        let end = first + rest[first..].find(CLOSE)?;
        let start = rest[..end].rfind(OPEN)?;
        let found = Reference {
            range: from + start..from + end + CLOSE.len_utf8(),
            inner: &rest[start + OPEN.len()..end],
        };
        from = found.range.end;
        Some(found)
    })
}

/// The value of a secret after others have moved, and it too if `new_home` is not `home`; none if nothing changes in it.
/// A relative reference stays one as long as its target is in the folder of the secret. What a secret that moves refers
/// to and what stays where it was is among the moves too, as one to the same place. Everything else is kept byte for
/// byte.
pub fn rewrite(
    text: &str,
    home: &Folder,
    new_home: &Folder,
    moves: &[Move],
) -> Result<Option<String>, Unwritable> {
    let mut edits = Vec::new();
    let mut len = text.len();
    for reference in find(text) {
        let target = reference.resolve(home);
        if let Some(to) = moves
            .iter()
            .find_map(|m| (Some(&m.from) == target.as_ref()).then_some(&m.to))
        {
            let relative = reference.is_relative() && to.folder == *new_home;
            let written = write(to, relative)?;
            if written != text[reference.range.clone()] {
                len = len - reference.range.len() + written.len();
                if len > REWRITTEN_BYTES_MAX.max(text.len()) {
                    return Err(Unwritable::TooLong);
                }
                edits.push((reference.range, written));
            }
        }
    }
    if edits.is_empty() {
        return Ok(None);
    }
    // The value is a secret: with its final size from the start, no part of it is left behind by growing.
    let mut rewritten = String::with_capacity(len);
    let mut kept = 0;
    for (range, new) in edits {
        rewritten.push_str(&text[kept..range.start]);
        rewritten.push_str(&new);
        kept = range.end;
    }
    rewritten.push_str(&text[kept..]);
    Ok(Some(rewritten))
}

fn write(to: &Address, relative: bool) -> Result<String, Unwritable> {
    let mut parts = vec![to.folder.environment.to_string()];
    parts.extend(to.folder.path.segments().map(|segment| segment.to_string()));
    if relative {
        parts.clear();
    }
    parts.push(to.name.to_string());
    let written = format!("{OPEN}{}{CLOSE}", parts.join("."));
    let read = find(&written)
        .next()
        .filter(|found| found.range == (0..written.len()) && found.is_relative() == relative)
        .and_then(|found| found.resolve(&to.folder));
    if read.as_ref() == Some(to) {
        Ok(written)
    } else {
        Err(Unwritable::Name(to.name.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(environment: &str, path: &str) -> Folder {
        Folder {
            environment: Slug::parse("environment", environment).unwrap(),
            path: SecretPath::parse(path).unwrap(),
        }
    }

    fn address(environment: &str, path: &str, name: &str) -> Address {
        Address {
            folder: folder(environment, path),
            name: SecretName::parse(name).unwrap(),
        }
    }

    /// In a secret that does not move itself.
    fn rewrite(text: &str, home: &Folder, moves: &[Move]) -> Result<Option<String>, Unwritable> {
        super::rewrite(text, home, home, moves)
    }

    fn inner(text: &str) -> Vec<&str> {
        find(text).map(|found| found.inner).collect()
    }

    #[test]
    fn references_are_found_wherever_they_stand() {
        for (text, expected) in [
            ("", &[][..]),
            ("plain $ { } $A {A}", &[]),
            ("${A}", &["A"]),
            ("a${A}b${dev.B}c", &["A", "dev.B"]),
            ("${A", &[]),
            ("${A ${B}", &["B"]),
            ("${A${B}}", &["B"]),
            ("$${A}", &["A"]),
            ("${}", &[""]),
            ("é${Ü}é", &["Ü"]),
            ("${A}}${B}", &["A", "B"]),
        ] {
            assert_eq!(inner(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_reference_is_relative_without_a_dot_and_absolute_with_one() {
        let home = folder("prod", "/home");
        for (text, expected) in [
            ("${A}", Some(address("prod", "/home", "A"))),
            ("${MY KEY}", Some(address("prod", "/home", "MY KEY"))),
            ("${dev.A}", Some(address("dev", "/", "A"))),
            ("${dev.a.b.A}", Some(address("dev", "/a/b", "A"))),
            ("${}", None),
            ("${.A}", None),
            ("${dev..A}", None),
            ("${dev.A.}", None),
            ("${A\0}", None),
            ("${ A}", None),
            ("${a:b}", None),
            ("${no such environment.A}", None),
        ] {
            let found = find(text).next().unwrap();
            assert_eq!(found.resolve(&home), expected, "{text}");
        }
    }

    #[test]
    fn only_references_to_what_moves_change_and_all_else_stays_byte_for_byte() {
        let moves = [Move {
            from: address("dev", "/a", "OLD"),
            to: address("dev", "/a", "NEW"),
        }];
        for (home, text, expected) in [
            (folder("dev", "/a"), "x ${OLD} y", Some("x ${NEW} y")),
            (folder("dev", "/a"), "${dev.a.OLD}", Some("${dev.a.NEW}")),
            (
                folder("prod", "/"),
                "${dev.a.OLD}${OLD}",
                Some("${dev.a.NEW}${OLD}"),
            ),
            (folder("prod", "/a"), "${OLD}", None),
            (folder("dev", "/a"), "${OLDER} ${old} $OLD ${ OLD}", None),
            (folder("dev", "/a"), "${dev.OLD} ${dev.a.b.OLD}", None),
            (folder("dev", "/a"), "${X${OLD}}\r\n", Some("${X${NEW}}\r\n")),
        ] {
            assert_eq!(
                rewrite(text, &home, &moves).unwrap().as_deref(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn a_relative_reference_becomes_absolute_when_its_target_moves_away() {
        let moves = [Move {
            from: address("dev", "/a", "KEY"),
            to: address("prod", "/b/c", "KEY"),
        }];
        let rewritten = |home, text| rewrite(text, &home, &moves).unwrap().unwrap();
        assert_eq!(rewritten(folder("dev", "/a"), "${KEY}"), "${prod.b.c.KEY}");
        assert_eq!(
            rewritten(folder("prod", "/b/c"), "${dev.a.KEY}"),
            "${prod.b.c.KEY}"
        );
    }

    #[test]
    fn a_value_that_moves_means_the_same_afterwards() {
        let moves = [
            Move {
                from: address("dev", "/a", "A"),
                to: address("prod", "/b", "A"),
            },
            Move {
                from: address("dev", "/a", "B"),
                to: address("dev", "/a", "B"),
            },
        ];
        let along = |text| {
            let (home, new_home) = (folder("dev", "/a"), folder("prod", "/b"));
            super::rewrite(text, &home, &new_home, &moves).unwrap()
        };
        for (text, expected) in [
            ("${A}", None),
            ("${B}${A}", Some("${dev.a.B}${A}")),
            ("${dev.a.A}", Some("${prod.b.A}")),
            ("${dev.a.B}${C}", None),
        ] {
            assert_eq!(along(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn two_names_can_be_swapped() {
        let (a, b) = (address("dev", "/", "A"), address("dev", "/", "B"));
        let moves = [
            Move {
                from: a.clone(),
                to: b.clone(),
            },
            Move { from: b, to: a },
        ];
        let swapped = rewrite("${A}:${B}:${dev.A}", &folder("dev", "/"), &moves).unwrap();
        assert_eq!(swapped.as_deref(), Some("${B}:${A}:${dev.B}"));
    }

    #[test]
    fn a_name_that_no_reference_can_hold_is_refused_only_if_something_refers_to_it() {
        for name in ["A.B", "A}", "${A", "A${B"] {
            let moves = [Move {
                from: address("dev", "/", "KEY"),
                to: address("dev", "/", name),
            }];
            let home = folder("dev", "/");
            assert_eq!(
                rewrite("${KEY}", &home, &moves),
                Err(Unwritable::Name(moves[0].to.name.clone()))
            );
            assert_eq!(rewrite("${OTHER}", &home, &moves), Ok(None));
        }
    }

    #[test]
    fn a_value_does_not_grow_beyond_what_can_be_written() {
        let deep = format!("/{}", ["f".repeat(100).as_str(); 10].join("/"));
        let moves = [Move {
            from: address("dev", "/", "A"),
            to: address("dev", &deep, "A"),
        }];
        let home = folder("dev", "/");
        let fits = rewrite(&"${A}".repeat(1_000), &home, &moves).unwrap().unwrap();
        assert!(fits.len() > 1_000_000 && fits.len() <= REWRITTEN_BYTES_MAX);
        assert_eq!(
            rewrite(&"${A}".repeat(1_100), &home, &moves),
            Err(Unwritable::TooLong)
        );
    }

    /// Every text of up to five of these parts: the awkward corners of the syntax in all orders.
    #[test]
    fn in_any_text_a_move_there_and_back_gives_the_same_text() {
        const PARTS: [&str; 8] = ["${", "}", "A", "B", "dev.", ".", "$", "é"];
        let home = folder("dev", "/");
        let (from, to) = (address("dev", "/", "A"), address("dev", "/", "C"));
        let there = [Move {
            from: from.clone(),
            to: to.clone(),
        }];
        let back = [Move { from: to, to: from }];
        let mut changed = 0;
        for number in 0..PARTS.len().pow(5) {
            let text: String = (0..5)
                .map(|place| PARTS[number / PARTS.len().pow(place) % PARTS.len()])
                .collect();
            let outside = |text: &str| {
                let mut left = text.to_owned();
                let ranges: Vec<_> = find(text).map(|found| found.range).collect();
                ranges
                    .into_iter()
                    .rev()
                    .for_each(|range| left.replace_range(range, "|"));
                left
            };
            if let Some(moved) = rewrite(&text, &home, &there).unwrap() {
                changed += 1;
                assert_eq!(outside(&moved), outside(&text));
                assert_eq!(
                    moved.len(),
                    moved.capacity(),
                    "{text:?} grew while it was written"
                );
                assert!(
                    !find(&moved).any(|found| found.resolve(&home).as_ref() == Some(&there[0].from)),
                    "{text:?} still refers to what moved: {moved:?}"
                );
                assert_eq!(rewrite(&moved, &home, &back).unwrap(), Some(text));
            }
        }
        assert!(changed > 100, "{changed}");
    }
}
