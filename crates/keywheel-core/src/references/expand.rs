//! What values say once the references in them are replaced.
//!
//! What cannot be replaced is left out: a reference to nothing, one into a loop, one that is nested deeper than
//! [`DEPTH_MAX`], and one that would make its value longer than [`EXPANDED_BYTES_MAX`]. So a mistake in one secret
//! costs what refers to it, and nothing else.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Address, find};

/// How deep values may be nested. People use two or three levels.
pub const DEPTH_MAX: usize = 16;
/// Longest value that grows out of references, in bytes: as long as a value that can be written.
pub const EXPANDED_BYTES_MAX: usize = 1_048_576;

/// Values that refer to each other, and what has to be known to write each of them out.
#[derive(Debug)]
pub struct Expansion<'a> {
    values: Vec<Value<'a>>,
    indices: BTreeMap<&'a Address, usize>,
}

struct Value<'a> {
    text: &'a str,
    references: Vec<Placed>,
    /// How long it is once it is written out, in bytes.
    len: usize,
    /// How many values are nested in it.
    depth: usize,
}

/// A reference, and the value that is written in its place; none leaves it out.
struct Placed {
    range: Range<usize>,
    target: Option<usize>,
}

impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Value({} bytes)", self.len)
    }
}

impl<'a> Expansion<'a> {
    /// Of secrets and everything that they refer to, directly or not. What is not among them does not exist.
    pub fn new(secrets: impl IntoIterator<Item = (&'a Address, &'a str)>) -> Self {
        let (addresses, texts): (Vec<_>, Vec<_>) = secrets.into_iter().unzip();
        let indices: BTreeMap<_, _> = addresses.iter().copied().zip(0..).collect();
        let values = addresses.iter().zip(texts).map(|(address, text)| Value {
            text,
            references: placed(address, text, &indices),
            len: 0,
            depth: 0,
        });
        let values = values.collect();
        let mut expansion = Self { values, indices };
        expansion.settle_all();
        expansion
    }

    /// How long the value at an address is once it is written out, in bytes; none if it is not among the secrets.
    pub fn len(&self, address: &Address) -> Option<usize> {
        Some(self.values[*self.indices.get(address)?].len)
    }

    /// The value at an address, written out; none if it is not among the secrets. The text is made with its final
    /// size, so that no part of a secret is left behind by growing.
    pub fn expand(&self, address: &Address) -> Option<String> {
        let value = &self.values[*self.indices.get(address)?];
        let mut text = String::with_capacity(value.len);
        self.write(value, &mut text);
        Some(text)
    }

    /// From those that refer to nothing to those that refer to them. What is left then leads into a loop.
    fn settle_all(&mut self) {
        let mut users = vec![Vec::new(); self.values.len()];
        let mut waits_for: Vec<usize> = Vec::with_capacity(self.values.len());
        for (index, value) in self.values.iter().enumerate() {
            let targets = value.references.iter().filter_map(|placed| placed.target);
            waits_for.push(targets.map(|target| users[target].push(index)).count());
        }
        let mut ready: Vec<usize> = (0..self.values.len()).filter(|i| waits_for[*i] == 0).collect();
        while let Some(index) = ready.pop() {
            self.settle(index);
            for user in std::mem::take(&mut users[index]) {
                waits_for[user] -= 1;
                if waits_for[user] == 0 {
                    ready.push(user);
                }
            }
        }
        let looping: Vec<usize> = (0..self.values.len()).filter(|i| waits_for[*i] > 0).collect();
        for index in &looping {
            for number in 0..self.values[*index].references.len() {
                let target = self.values[*index].references[number].target;
                if target.is_some_and(|target| waits_for[target] > 0) {
                    self.values[*index].references[number].target = None;
                }
            }
        }
        for index in looping {
            self.settle(index);
        }
    }

    /// Finds out length and depth of a value whose targets are settled, and leaves out what goes too far.
    fn settle(&mut self, index: usize) {
        let mut references = std::mem::take(&mut self.values[index].references);
        let text = self.values[index].text;
        let mut len = text.len() - references.iter().map(|placed| placed.range.len()).sum::<usize>();
        let mut depth = 0;
        for placed in &mut references {
            let Some(target) = placed.target.map(|target| &self.values[target]) else {
                continue;
            };
            if target.depth < DEPTH_MAX && len + target.len <= EXPANDED_BYTES_MAX {
                len += target.len;
                depth = depth.max(target.depth + 1);
            } else {
                placed.target = None;
            }
        }
        self.values[index] = Value {
            text,
            references,
            len,
            depth,
        };
    }

    /// Each call writes something or has no reference that is followed, and none is nested deeper than
    /// [`DEPTH_MAX`]: the work is bounded by the length of what is written.
    fn write(&self, value: &Value<'_>, text: &mut String) {
        let mut kept = 0;
        for placed in &value.references {
            text.push_str(&value.text[kept..placed.range.start]);
            kept = placed.range.end;
            let target = placed.target.map(|target| &self.values[target]);
            if let Some(target) = target.filter(|target| target.len > 0) {
                self.write(target, text);
            }
        }
        text.push_str(&value.text[kept..]);
    }
}

fn placed(address: &Address, text: &str, indices: &BTreeMap<&Address, usize>) -> Vec<Placed> {
    let placed = find(text).map(|reference| Placed {
        target: reference
            .resolve(&address.folder)
            .and_then(|target| indices.get(&target).copied()),
        range: reference.range,
    });
    placed.collect()
}

#[cfg(test)]
mod tests {
    use super::super::Folder;
    use super::*;
    use crate::names::{SecretName, SecretPath, Slug};

    fn address(name: &str) -> Address {
        let (path, name) = name.rsplit_once('/').unwrap_or(("/", name));
        Address {
            folder: Folder {
                environment: Slug::parse("environment", "dev").unwrap(),
                path: SecretPath::parse(path).unwrap(),
            },
            name: SecretName::parse(name).unwrap(),
        }
    }

    /// The values of secrets, written out, in their order.
    fn expanded(secrets: &[(&str, &str)]) -> Vec<String> {
        let addresses: Vec<_> = secrets.iter().map(|(name, _)| address(name)).collect();
        let texts = secrets.iter().map(|(_, text)| *text);
        let expansion = Expansion::new(addresses.iter().zip(texts));
        let expand = |address| expansion.expand(address).unwrap();
        let values: Vec<String> = addresses.iter().map(expand).collect();
        assert!(values.iter().all(|value| value.len() == value.capacity()));
        values
    }

    #[test]
    fn references_are_replaced_also_in_what_they_mean() {
        let secrets = [
            ("URL", "db://${USER}:${dev.sub.PASSWORD}@host"),
            ("USER", "app"),
            ("/sub/PASSWORD", "${WORD}-${WORD}"),
            ("/sub/WORD", "é"),
            ("WORD", "of another folder"),
        ];
        let expected = ["db://app:é-é@host", "app", "é-é", "é", "of another folder"];
        assert_eq!(expanded(&secrets), expected);
    }

    #[test]
    fn what_refers_to_nothing_is_left_out() {
        let secrets = [("A", "<${NONE}${}${dev..B}${prod.B}${ B }>"), ("B", "b")];
        assert_eq!(expanded(&secrets)[0], "<>");
    }

    #[test]
    fn a_value_is_not_searched_again_after_it_was_replaced() {
        let secrets = [("A", "${B}C}"), ("B", "${"), ("C", "c")];
        assert_eq!(expanded(&secrets)[0], "${C}");
    }

    #[test]
    fn references_into_a_loop_are_left_out_whoever_is_asked_for() {
        let secrets = [
            ("SELF", "s${SELF}"),
            ("A", "a${B}${PLAIN}"),
            ("B", "b${A}"),
            ("OUTSIDE", "o${A}${PLAIN}"),
            ("PLAIN", "p"),
        ];
        let expected = ["s", "ap", "b", "op", "p"];
        assert_eq!(expanded(&secrets), expected);
        let mut turned = secrets;
        turned.reverse();
        let mut values = expanded(&turned);
        values.reverse();
        assert_eq!(values, expected);
    }

    #[test]
    fn values_are_nested_so_deep_and_no_deeper() {
        let chain: Vec<(String, String)> = (0..=DEPTH_MAX + 1)
            .map(|number| (format!("N{number}"), format!("{number} ${{N{}}}", number + 1)))
            .collect();
        let secrets: Vec<_> = chain.iter().map(|(name, text)| (&name[..], &text[..])).collect();
        let values = expanded(&secrets);
        let last = format!("{} ", DEPTH_MAX + 1);
        assert!(values[1].ends_with(&last), "{}", values[1]);
        assert_eq!(values[0], "0 ");
    }

    #[test]
    fn values_that_double_each_other_stay_within_the_limit_and_end_soon() {
        let doubling = |end: &'static str| -> Vec<(String, String)> {
            (0..DEPTH_MAX)
                .map(|number| {
                    let one = format!("${{N{}}}", number + 1);
                    (format!("N{number}"), one.repeat(40))
                })
                .chain([(format!("N{DEPTH_MAX}"), end.to_owned())])
                .collect()
        };
        for (end, expected) in [
            ("", 0..=0),
            ("sixteen letters.", EXPANDED_BYTES_MAX / 2..=EXPANDED_BYTES_MAX),
        ] {
            let chain = doubling(end);
            let secrets: Vec<_> = chain.iter().map(|(name, text)| (&name[..], &text[..])).collect();
            let addresses: Vec<_> = secrets.iter().map(|(name, _)| address(name)).collect();
            let expansion = Expansion::new(addresses.iter().zip(secrets.iter().map(|(_, text)| *text)));
            let value = expansion.expand(&addresses[0]).unwrap();
            assert!(expected.contains(&value.len()), "{}", value.len());
        }
    }
}
