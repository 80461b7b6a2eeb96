//! Every refusal of input is a list of issues: what is wrong, where, and what was expected.
//!
//! The API shows them as the `message` array of a 422 answer, in the shape that clients of the contract
//! know: `{code, path, message, …}` (rotation contract, sections 2 and 3).

use serde::Serialize;

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Issue {
    /// The kind of fault.
    #[serde(flatten)]
    pub code: IssueCode,
    /// Where: keys and indexes from the outermost object inwards.
    pub path: Vec<PathPart>,
    /// For people.
    pub message: String,
}

/// A key of an object or an index of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum PathPart {
    /// A key of an object.
    Key(String),
    /// A position in a list.
    Index(usize),
}

/// The kinds of fault and what each of them adds to the issue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum IssueCode {
    /// A value has another JSON type than expected, or is missing (`received` is then `undefined`).
    InvalidType {
        /// The type that was wanted.
        expected: &'static str,
        /// The type that came.
        received: &'static str,
    },
    /// Shorter or smaller than allowed.
    TooSmall {
        /// The least that is allowed, inclusive.
        minimum: i64,
        /// `string`, `number` or `array`.
        r#type: &'static str,
        /// Always true: the bound itself is allowed.
        inclusive: bool,
        /// Always false: the length may exceed the bound.
        exact: bool,
    },
    /// Longer or larger than allowed.
    TooBig {
        /// The most that is allowed, inclusive.
        maximum: i64,
        /// `string`, `number` or `array`.
        r#type: &'static str,
        /// Always true: the bound itself is allowed.
        inclusive: bool,
        /// Always false: the length may be below the bound.
        exact: bool,
    },
    /// Text that is not of the wanted form.
    InvalidString {
        /// The form: `uuid`, `regex`, `url`, `email`, `datetime`.
        validation: &'static str,
    },
    /// Not one of the allowed words.
    InvalidEnumValue {
        /// What came.
        received: String,
        /// What is allowed.
        options: Vec<String>,
    },
    /// Anything else.
    Custom,
}

impl Issue {
    /// An issue at a key of the outermost object.
    pub fn at(key: &str, code: IssueCode, message: impl Into<String>) -> Self {
        Self {
            code,
            path: vec![PathPart::Key(key.to_owned())],
            message: message.into(),
        }
    }

    /// The same issue, one level further in: `key` is put in front of the path.
    #[must_use]
    pub fn within(mut self, key: &str) -> Self {
        self.path.insert(0, PathPart::Key(key.to_owned()));
        self
    }

    /// The same issue inside of an element of a list.
    #[must_use]
    pub fn within_index(mut self, index: usize) -> Self {
        self.path.insert(0, PathPart::Index(index));
        self
    }
}

impl IssueCode {
    /// Text shorter than `minimum` characters.
    pub fn short(minimum: i64) -> Self {
        Self::TooSmall {
            minimum,
            r#type: "string",
            inclusive: true,
            exact: false,
        }
    }

    /// Text longer than `maximum` characters.
    pub fn long(maximum: i64) -> Self {
        Self::TooBig {
            maximum,
            r#type: "string",
            inclusive: true,
            exact: false,
        }
    }

    /// A number below `minimum`.
    pub fn low(minimum: i64) -> Self {
        Self::TooSmall {
            minimum,
            r#type: "number",
            inclusive: true,
            exact: false,
        }
    }

    /// A number above `maximum`.
    pub fn high(maximum: i64) -> Self {
        Self::TooBig {
            maximum,
            r#type: "number",
            inclusive: true,
            exact: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_has_the_shape_that_clients_of_the_contract_know() {
        let issue = Issue::at(
            "hours",
            IssueCode::high(23),
            "Number must be less than or equal to 23",
        )
        .within("rotateAtUtc");
        assert_eq!(
            serde_json::to_value(issue).unwrap(),
            serde_json::json!({
                "code": "too_big", "maximum": 23, "type": "number", "inclusive": true, "exact": false,
                "path": ["rotateAtUtc", "hours"], "message": "Number must be less than or equal to 23"
            })
        );
    }

    #[test]
    fn bounds_are_told_with_what_they_bound() {
        for (code, word, kind) in [
            (IssueCode::short(1), "too_small", "string"),
            (IssueCode::low(1), "too_small", "number"),
            (IssueCode::long(1), "too_big", "string"),
            (IssueCode::high(1), "too_big", "number"),
        ] {
            let shown = serde_json::to_value(code).unwrap();
            assert_eq!((&shown["code"], &shown["type"]), (&word.into(), &kind.into()));
        }
    }

    #[test]
    fn a_path_leads_from_the_outermost_object_inwards() {
        let issue = Issue::at("name", IssueCode::Custom, "bad")
            .within_index(3)
            .within("items");
        assert_eq!(
            serde_json::to_value(issue).unwrap()["path"],
            serde_json::json!(["items", 3, "name"])
        );
    }
}
