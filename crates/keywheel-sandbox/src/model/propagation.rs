//! When a change of a key is seen in a region. The control plane (lists, updates) always sees the newest state;
//! the data plane of each region, which checks signatures, follows after a delay and not always in one direction.

use serde::{Deserialize, Serialize};

use crate::clock::Moment;

/// A rule: how long changes of some keys take in some regions. An absent condition means every key or region.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PropagationRule {
    /// Only this key.
    #[serde(default)]
    pub access_key_id: Option<String>,
    /// Only keys of this user.
    #[serde(default)]
    pub user_name: Option<String>,
    /// Only in this region.
    #[serde(default)]
    pub region: Option<String>,
    /// Milliseconds after a change at which its visibility toggles; before the first it is unseen.
    /// `[5000]` is a plain delay; `[2000, 5000, 7000]` is seen from 2 s, lost again at 5 s, and seen from 7 s on.
    pub toggles_ms: Vec<i64>,
}

/// The rules in force; the first that fits decides, and without one a change is seen at once.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Propagation(Vec<PropagationRule>);

impl From<Vec<PropagationRule>> for Propagation {
    fn from(rules: Vec<PropagationRule>) -> Self {
        Self(rules)
    }
}

impl Propagation {
    /// Whether a change of `key` made at `changed` is seen in `region` at `now`.
    pub(super) fn is_seen(
        &self,
        key: &str,
        user_name: &str,
        region: &str,
        changed: Moment,
        now: Moment,
    ) -> bool {
        let fits = |condition: &Option<String>, value: &str| {
            condition.as_deref().is_none_or(|c| c.eq_ignore_ascii_case(value))
        };
        let rule = self.0.iter().find(|rule| {
            fits(&rule.access_key_id, key) && fits(&rule.user_name, user_name) && fits(&rule.region, region)
        });
        rule.is_none_or(|rule| {
            let age = now.since(changed);
            rule.toggles_ms.is_empty() || rule.toggles_ms.iter().filter(|at| **at <= age).count() % 2 == 1
        })
    }
}
