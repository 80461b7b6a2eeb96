//! The secrets of an answer as variables.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use super::names::Choice;
use crate::output::Output;

/// Variables by their names, and the secrets that are none.
#[derive(Clone, Default)]
pub(super) struct Secrets {
    pub(super) variables: BTreeMap<String, SecretString>,
    left_out: BTreeMap<String, Reason>,
}

/// Why a secret is not passed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reason {
    /// The system takes no such name or value.
    IsNoVariable,
    /// It would decide which programs run, and nobody allowed that.
    SteersPrograms,
    /// It was named, and is not there.
    IsMissing,
}

/// `{secrets, imports}`
#[derive(Deserialize)]
pub(super) struct Answer {
    secrets: Vec<Secret>,
    #[serde(default)]
    imports: Vec<Import>,
}

#[derive(Deserialize)]
struct Import {
    secrets: Vec<Secret>,
}

#[derive(Deserialize)]
struct Secret {
    #[serde(rename = "secretKey")]
    key: String,
    #[serde(rename = "secretValue", deserialize_with = "secret")]
    value: SecretString,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    Ok(String::deserialize(deserializer)?.into())
}

impl Secrets {
    /// The folder's own secrets win, then its last import. Names that steer programs have to be allowed.
    pub(super) fn new(answer: Answer, choice: &Choice) -> Self {
        let mut merged = Self::default();
        let imported = answer.imports.into_iter().flat_map(|import| import.secrets);
        let found = imported.chain(answer.secrets);
        for Secret { key, value } in found.filter(|secret| choice.wants(&secret.key)) {
            if !is_variable(&key) || value.expose_secret().contains('\0') {
                merged.left_out.insert(key, Reason::IsNoVariable);
            } else if !choice.permits(&key) {
                merged.left_out.insert(key, Reason::SteersPrograms);
            } else {
                merged.variables.insert(key, value);
            }
        }
        for name in &choice.only {
            if !merged.variables.contains_key(name) && !merged.left_out.contains_key(name) {
                merged.left_out.insert(name.clone(), Reason::IsMissing);
            }
        }
        merged
    }

    /// Tells what is left out, as far as it was not so before.
    pub(super) fn tell_left_out(&self, before: &Self, out: Output) {
        let is_new = |(name, _): &(&String, &Reason)| !before.left_out.contains_key(*name);
        for (name, reason) in self.left_out.iter().filter(is_new) {
            match reason {
                Reason::IsNoVariable => out.note(format_args!(
                    "keywheel: {name:?} cannot be the name of a variable, or has a value that none can have, and is left out"
                )),
                Reason::IsMissing => out.note(format_args!("keywheel: there is no secret {name:?} to pass on")),
                Reason::SteersPrograms => out.note(format_args!(
                    "keywheel: {name} decides which programs run, and is left out; to pass it on, give --allow-name {name}"
                )),
            }
        }
    }

    /// The names of variables that are not the same in both.
    pub(super) fn changed(&self, other: &Self) -> Vec<String> {
        let value = |secrets: &Self, name: &String| {
            secrets
                .variables
                .get(name)
                .map(|value| value.expose_secret().to_owned())
        };
        let mut names: Vec<_> = self
            .variables
            .keys()
            .chain(other.variables.keys())
            .cloned()
            .collect();
        names.sort();
        names.dedup();
        names.retain(|name| value(self, name) != value(other, name));
        names
    }
}

/// What the system takes as a name: it splits at the first `=`.
fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secrets(answer: serde_json::Value) -> Secrets {
        Secrets::new(serde_json::from_value(answer).unwrap(), &Choice::default())
    }

    #[test]
    fn own_secrets_win_over_imports_and_later_imports_over_earlier_ones() {
        let secret = |key: &str, value: &str| json!({"secretKey": key, "secretValue": value});
        let merged = secrets(json!({
            "secrets": [secret("A", "own")],
            "imports": [
                {"secrets": [secret("A", "first"), secret("B", "first")]},
                {"secrets": [secret("B", "last"), secret("no=name", "x")]}]}));
        let value = |name: &str| merged.variables[name].expose_secret();
        assert_eq!((value("A"), value("B")), ("own", "last"));
        assert_eq!(
            merged.left_out,
            BTreeMap::from([("no=name".to_owned(), Reason::IsNoVariable)])
        );
    }

    #[test]
    fn who_writes_secrets_decides_on_no_program_that_nobody_allowed() {
        let secret = |key: &str| json!({"secretKey": key, "secretValue": "x"});
        let answer = json!({
            "secrets": [secret("LD_PRELOAD"), secret("PATH"), secret("KEPT")],
            "imports": [{"secrets": [secret("BASH_ENV"), secret("KEYWHEEL_URL")]}]});
        let choice = Choice {
            allowed: vec!["PATH".to_owned()],
            ..Choice::default()
        };
        let merged = Secrets::new(serde_json::from_value(answer).unwrap(), &choice);
        let passed_on: Vec<_> = merged.variables.keys().collect();
        assert_eq!(passed_on, ["KEPT", "PATH"]);
        let left_out: Vec<_> = merged.left_out.keys().collect();
        assert_eq!(left_out, ["BASH_ENV", "KEYWHEEL_URL", "LD_PRELOAD"]);
    }

    #[test]
    fn of_named_secrets_no_other_is_passed_on_and_who_is_missing_or_steers_is_told() {
        let secret = |key: &str| json!({"secretKey": key, "secretValue": "x"});
        let answer = json!({
            "secrets": [secret("WANTED"), secret("OTHER"), secret("PATH"), secret("LD_PRELOAD")],
            "imports": [{"secrets": [secret("IMPORTED"), secret("NOT_THIS")]}]});
        let choice = Choice {
            only: ["WANTED", "IMPORTED", "PATH", "ABSENT"]
                .map(str::to_owned)
                .to_vec(),
            ..Choice::default()
        };
        let merged = Secrets::new(serde_json::from_value(answer).unwrap(), &choice);
        let passed_on: Vec<_> = merged.variables.keys().collect();
        assert_eq!(passed_on, ["IMPORTED", "WANTED"]);
        let left_out = [("ABSENT", Reason::IsMissing), ("PATH", Reason::SteersPrograms)];
        assert_eq!(
            merged.left_out,
            left_out.map(|(name, reason)| (name.to_owned(), reason)).into()
        );
    }

    #[test]
    fn only_what_differs_has_changed() {
        let of = |pairs: &[(&str, &str)]| {
            let list: Vec<_> = pairs
                .iter()
                .map(|(k, v)| json!({"secretKey": k, "secretValue": v}))
                .collect();
            secrets(json!({"secrets": list}))
        };
        let before = of(&[("A", "1"), ("B", "2"), ("C", "3")]);
        assert!(before.changed(&before.clone()).is_empty());
        assert_eq!(
            before.changed(&of(&[("A", "1"), ("B", "x"), ("D", "4")])),
            ["B", "C", "D"]
        );
    }
}
