//! What values say once the references in them are replaced.
//!
//! A text in `${}` that names nothing and is not written like a reference stays as it is: passwords, scripts and templates
//! have such texts. Of references, what cannot be replaced is left out: a reference to nothing, one to a value of a loop, one to a value that is nested
//! deeper than [`DEPTH_MAX`], and one that would make its value longer than [`EXPANDED_BYTES_MAX`] or take more than
//! [`STEPS_MAX`]. So a mistake in one secret costs what refers to it, and nothing else; and what a value says does not
//! depend on which others are written out beside it.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Address, Folder, find};

/// How deep values may be nested. People use two or three levels.
pub const DEPTH_MAX: usize = 16;
/// Longest value that grows out of references, in bytes: as long as a value that can be written.
pub const EXPANDED_BYTES_MAX: usize = 1_048_576;
/// Most references that are replaced for one value, those in what it refers to among them: somewhat more than fit into
/// the longest value.
pub const STEPS_MAX: usize = 300_000;

/// Values that refer to each other, and what has to be known to write each of them out.
#[derive(Debug)]
pub struct Expansion<'a> {
    values: Vec<Value<'a>>,
    indices: Indices<'a>,
}

type Indices<'a> = BTreeMap<&'a Address, usize>;

/// What it takes to write a value out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cost {
    /// How long it is then, in bytes.
    pub bytes: usize,
    /// How many references are replaced or left out for it.
    pub steps: usize,
    /// How many values are nested in it.
    depth: usize,
}

struct Value<'a> {
    text: &'a str,
    references: Vec<Placed>,
    /// None until it is known.
    cost: Option<Cost>,
}

/// A reference, and the value that is written in its place; none leaves it out.
struct Placed {
    range: Range<usize>,
    target: Option<usize>,
}

impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Value({:?})", self.cost)
    }
}

impl Value<'_> {
    fn targets(&self) -> impl Iterator<Item = usize> {
        self.references.iter().filter_map(|placed| placed.target)
    }
}

impl<'a> Expansion<'a> {
    /// Of secrets and everything that they refer to, directly or not. What is not among them does not exist.
    pub fn new(secrets: impl IntoIterator<Item = (&'a Address, &'a str)>) -> Self {
        let (addresses, texts): (Vec<_>, Vec<_>) = secrets.into_iter().unzip();
        let indices: Indices<'_> = addresses.iter().copied().zip(0..).collect();
        let values = addresses.iter().zip(texts).map(|(address, text)| Value {
            text,
            references: placed(&address.folder, text, &indices),
            cost: None,
        });
        let values = values.collect();
        let mut expansion = Self { values, indices };
        expansion.settle_from_the_leaves();
        expansion.open_loops();
        expansion.settle_from_the_leaves();
        expansion
    }

    /// What it takes to write out the value at an address; none if it is not among the secrets.
    pub fn cost(&self, address: &Address) -> Option<Cost> {
        self.values[*self.indices.get(address)?].cost
    }

    /// The value at an address, written out; none if it is not among the secrets. The text is made with its final
    /// size, so that no part of a secret is left behind by growing.
    pub fn expand(&self, address: &Address) -> Option<String> {
        Some(self.written(&self.values[*self.indices.get(address)?]))
    }

    /// A text that is not the value of any of the secrets, as it would be in a folder.
    pub fn expand_in(&self, home: &Folder, text: &str) -> String {
        let mut value = Value {
            text,
            references: placed(home, text, &self.indices),
            cost: None,
        };
        value.cost = Some(self.bounded(text, &mut value.references));
        self.written(&value)
    }

    /// Settles each value whose targets are settled.
    fn settle_from_the_leaves(&mut self) {
        let mut users = vec![Vec::new(); self.values.len()];
        let mut waits_for = vec![0_usize; self.values.len()];
        for (index, value) in self.values.iter().enumerate() {
            for target in value
                .targets()
                .filter(|target| self.values[*target].cost.is_none())
            {
                users[target].push(index);
                waits_for[index] += 1;
            }
        }
        let is_ready = |index: &usize| self.values[*index].cost.is_none() && waits_for[*index] == 0;
        let mut ready: Vec<usize> = (0..self.values.len()).filter(is_ready).collect();
        while let Some(index) = ready.pop() {
            self.settle(index);
            for user in std::mem::take(&mut users[index]) {
                waits_for[user] -= 1;
                if waits_for[user] == 0 {
                    ready.push(user);
                }
            }
        }
    }

    /// Leaves out every reference to a value of a loop. Of values that are not settled, those that no other one leads to
    /// are in none, and so on; what is left are loops and what lies between them.
    fn open_loops(&mut self) {
        let is_open = |index: usize| self.values[index].cost.is_none();
        let mut used_by = vec![0_usize; self.values.len()];
        let open: Vec<usize> = (0..self.values.len()).filter(|index| is_open(*index)).collect();
        for target in open.iter().flat_map(|index| self.values[*index].targets()) {
            used_by[target] += 1;
        }
        let mut free: Vec<usize> = open
            .iter()
            .copied()
            .filter(|index| used_by[*index] == 0)
            .collect();
        while let Some(index) = free.pop() {
            for target in self.values[index].targets() {
                used_by[target] -= 1;
                if used_by[target] == 0 && is_open(target) {
                    free.push(target);
                }
            }
        }
        let loops: Vec<bool> = (0..self.values.len())
            .map(|index| is_open(index) && used_by[index] > 0)
            .collect();
        for index in open {
            for placed in &mut self.values[index].references {
                placed.target = placed.target.filter(|target| !loops[*target]);
            }
        }
    }

    /// Finds out what a value costs whose targets are settled, and leaves out what goes too far.
    fn settle(&mut self, index: usize) {
        let mut references = std::mem::take(&mut self.values[index].references);
        let cost = self.bounded(self.values[index].text, &mut references);
        self.values[index].references = references;
        self.values[index].cost = Some(cost);
    }

    fn bounded(&self, text: &str, references: &mut [Placed]) -> Cost {
        let replaced: usize = references.iter().map(|placed| placed.range.len()).sum();
        let mut cost = Cost {
            bytes: text.len() - replaced,
            steps: references.len(),
            depth: 0,
        };
        for placed in references {
            let target = placed.target.and_then(|target| self.values[target].cost);
            let with = target.map(|target| Cost {
                bytes: cost.bytes + target.bytes,
                steps: cost.steps + target.steps,
                depth: cost.depth.max(target.depth + 1),
            });
            let fits = |with: &Cost| {
                with.bytes <= EXPANDED_BYTES_MAX && with.steps <= STEPS_MAX && with.depth <= DEPTH_MAX
            };
            match with.filter(fits) {
                Some(with) => cost = with,
                None => placed.target = None,
            }
        }
        cost
    }

    fn written(&self, value: &Value<'_>) -> String {
        let mut text = String::with_capacity(value.cost.unwrap_or_default().bytes);
        self.write(value, &mut text);
        text
    }

    /// Nests no deeper than [`DEPTH_MAX`], and takes the steps that were counted.
    fn write(&self, value: &Value<'_>, text: &mut String) {
        let mut kept = 0;
        for placed in &value.references {
            text.push_str(&value.text[kept..placed.range.start]);
            kept = placed.range.end;
            if let Some(target) = placed.target {
                self.write(&self.values[target], text);
            }
        }
        text.push_str(&value.text[kept..]);
    }
}

fn placed(home: &Folder, text: &str, indices: &Indices<'_>) -> Vec<Placed> {
    let placed = find(text).filter_map(|reference| {
        let target = reference
            .resolve(home)
            .and_then(|target| indices.get(&target).copied());
        let is_meant = target.is_some() || reference.is_plain();
        is_meant.then_some(Placed {
            range: reference.range,
            target,
        })
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
        let secrets = [("A", "<${NONE}${dev..B}${prod.B}${no-such_1.A}>"), ("B", "b")];
        assert_eq!(expanded(&secrets)[0], "<>");
    }

    #[test]
    fn what_is_not_written_like_a_reference_stays_unless_it_names_a_secret() {
        let kept = "pa${x!y}ss ${PORT:-8080} ${#arr[@]} ${{ github.token }} ${json[\"x\"]} ${} ${ B } ${@p.dev.B} ${é}";
        let secrets = [
            ("A", kept),
            ("B", "b"),
            ("OF MINE", "mine"),
            ("C", "<${OF MINE}>"),
        ];
        let values = expanded(&secrets);
        assert_eq!((values[0].as_str(), values[3].as_str()), (kept, "<mine>"));
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
            ("FARTHER", "f${OUTSIDE}"),
            ("PLAIN", "p"),
        ];
        let expected = ["s", "ap", "b", "op", "fop", "p"];
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
    #[test]
    fn a_text_that_is_no_value_of_them_is_written_out_the_same_way() {
        let (home, now) = (address("A"), "plain");
        let user = address("B");
        let expansion = Expansion::new([(&home, now), (&user, "x${A}")]);
        assert_eq!(
            expansion.expand_in(&home.folder, "was ${B}, ${NONE}"),
            "was xplain, "
        );
    }

    #[test]
    fn what_is_left_out_costs_steps_too_and_they_are_bounded() {
        const MANY: usize = 1_000;
        let empty = format!("x{}", "${NONE}".repeat(MANY));
        let user = "${A}".repeat(MANY);
        let (a, b) = (address("A"), address("B"));
        let expansion = Expansion::new([(&a, &empty[..]), (&b, &user[..])]);
        let cost = expansion.cost(&b).unwrap();
        assert!(
            cost.steps <= STEPS_MAX && cost.steps > STEPS_MAX - 2 * MANY,
            "{cost:?}"
        );
        assert_eq!(
            cost.bytes,
            (STEPS_MAX - MANY) / MANY,
            "one letter of each that is replaced"
        );
        assert_eq!(expansion.expand(&b).unwrap().len(), cost.bytes);
    }
}
