//! Identity policies: allow and deny with action and resource patterns. Conditions are not modelled, and a
//! document that has them is not read, so that nobody believes them tried.

use serde::{Deserialize, Serialize};

/// A policy document in AWS's own JSON form.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct PolicyDocument {
    /// `2012-10-17`; not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The statements.
    pub statement: OneOrMany<Statement>,
}

/// One statement.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Statement {
    /// A label; not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// What a match means.
    pub effect: Effect,
    /// Patterns of actions, such as `iam:*AccessKey*`; case is not regarded.
    pub action: OneOrMany<String>,
    /// Patterns of resource names.
    pub resource: OneOrMany<String>,
}

/// What a matching statement means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the two words of AWS")]
pub enum Effect {
    Allow,
    Deny,
}

/// A single value or a list, as AWS lets policies be written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "the names say it")]
pub enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    fn as_slice(&self) -> &[T] {
        match self {
            Self::Many(all) => all,
            Self::One(one) => std::slice::from_ref(one),
        }
    }
}

/// What the policies of a principal say of one action on one resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Allowed,
    NotAllowed,
    Denied,
}

impl PolicyDocument {
    /// Everything on everything.
    pub fn allow_all() -> Self {
        Self {
            version: None,
            statement: OneOrMany::One(Statement {
                sid: None,
                effect: Effect::Allow,
                action: OneOrMany::One("*".to_owned()),
                resource: OneOrMany::One("*".to_owned()),
            }),
        }
    }

    /// A deny wins over any allow; nothing said is not allowed.
    pub(super) fn verdict(&self, action: &str, resource: &str) -> Verdict {
        let action = action.to_ascii_lowercase();
        let matching = self.statement.as_slice().iter().filter(|statement| {
            let on_action = |p: &String| matches(&p.to_ascii_lowercase(), &action);
            statement.action.as_slice().iter().any(on_action)
                && statement.resource.as_slice().iter().any(|p| matches(p, resource))
        });
        let mut verdict = Verdict::NotAllowed;
        for statement in matching {
            match statement.effect {
                Effect::Deny => return Verdict::Denied,
                Effect::Allow => verdict = Verdict::Allowed,
            }
        }
        verdict
    }
}

/// Whether `text` fits a pattern with `*` (any text) and `?` (one character). Runs in pattern × text steps.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || text.get(t) == Some(c) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_know_stars_and_question_marks() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("iam:*AccessKey*", "iam:ListAccessKeys", true),
            ("iam:*AccessKey", "iam:ListAccessKeys", false),
            ("user/??", "user/ab", true),
            ("user/?", "user/ab", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern:?} on {text:?}");
        }
    }
}
