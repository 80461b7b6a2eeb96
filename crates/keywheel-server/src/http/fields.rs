//! Reads request data field by field: every fault is noted as an issue, and all of them are answered at once.
//!
//! Unknown keys are dropped by not being asked for. Queries and path parameters go through the same reader,
//! as objects whose values are all texts; so numbers and booleans are read from texts as well (contract
//! rule R6 and its lenient booleans).
//!
//! ```
//! # use keywheel_server::http::fields::{Field, Fields};
//! # use serde_json::json;
//! let given = json!({"name": "demo", "size": "7", "unknown": true});
//! let mut fields = Fields::new(&given);
//! let name = fields.required("name", Field::text);
//! let size = fields.optional("size", |field| field.integer(1..=10));
//! let (name, size) = fields.finish(|| Ok((name?, size?))).unwrap();
//! assert_eq!((name.as_str(), size), ("demo", Some(7)));
//! ```

use std::ops::RangeInclusive;
use std::str::FromStr;

use keywheel_core::issues::{Issue, IssueCode};
use keywheel_core::names::NameFault;
use serde_json::Value;

use super::errors::ApiError;

/// What one value was read as, or what is wrong with it.
pub type Read<T> = Result<T, Vec<Issue>>;

/// The fault is in the list of issues already.
#[derive(Clone, Copy, Debug)]
pub struct Noted;

/// What a field was read as, or the word that its faults were noted.
pub type Taken<T> = Result<T, Noted>;

/// What a PATCH says of a field that can be empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change<T> {
    /// Not mentioned: as it was.
    Keep,
    /// `null`.
    Clear,
    /// A new value.
    Set(T),
}

impl<T> Change<T> {
    /// The field after the change.
    pub fn apply(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Keep => before,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}

/// The fields of one object.
pub struct Fields<'a> {
    object: Option<&'a serde_json::Map<String, Value>>,
    issues: Vec<Issue>,
}

/// One value that is there.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a>(&'a Value);

impl<'a> Fields<'a> {
    /// The fields of a request. Anything but an object is an issue.
    pub fn new(value: &'a Value) -> Self {
        let issues = if value.is_object() {
            Vec::new()
        } else {
            vec![wrong_type("object", value)]
        };
        Self {
            object: value.as_object(),
            issues,
        }
    }

    /// A field that has to be there.
    pub fn required<T>(&mut self, key: &str, read: impl FnOnce(Field<'a>) -> Read<T>) -> Taken<T> {
        match self.get(key) {
            Some(value) => self.take(key, read(Field(value))),
            None if self.object.is_none() => Err(Noted),
            None => {
                let code = IssueCode::InvalidType {
                    expected: "string",
                    received: "undefined",
                };
                Err(self.note(Issue::at(key, code, "Required")))
            }
        }
    }

    /// A field that may be absent; `null` counts as absent.
    pub fn optional<T>(&mut self, key: &str, read: impl FnOnce(Field<'a>) -> Read<T>) -> Taken<Option<T>> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => self.take(key, read(Field(value))).map(Some),
        }
    }

    /// A field of a PATCH that can be emptied with `null`.
    pub fn change<T>(&mut self, key: &str, read: impl FnOnce(Field<'a>) -> Read<T>) -> Taken<Change<T>> {
        match self.get(key) {
            None => Ok(Change::Keep),
            Some(Value::Null) => Ok(Change::Clear),
            Some(value) => self.take(key, read(Field(value))).map(Change::Set),
        }
    }

    /// The first of several names that is there: older clients use older names for the same field. If none
    /// is there, the first one is reported as missing.
    pub fn required_any<T>(&mut self, keys: &[&str], read: impl FnOnce(Field<'a>) -> Read<T>) -> Taken<T> {
        let key = keys.iter().find(|key| self.has(key)).or(keys.first());
        key.map_or(Err(Noted), |key| self.required(key, read))
    }

    /// Like [`Fields::required_any`], but none of them has to be there.
    pub fn optional_any<T>(
        &mut self,
        keys: &[&str],
        read: impl FnOnce(Field<'a>) -> Read<T>,
    ) -> Taken<Option<T>> {
        let key = keys.iter().find(|key| self.has(key));
        key.map_or(Ok(None), |key| self.optional(key, read))
    }

    /// Whether the field is there and not `null`.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| !value.is_null())
    }

    /// Notes a fault that concerns more than one field, at `key`.
    pub fn refuse(&mut self, key: &str, message: impl Into<String>) -> Noted {
        self.note(Issue::at(key, IssueCode::Custom, message))
    }

    /// All faults at once, or what `build` makes of the values.
    pub fn finish<T>(self, build: impl FnOnce() -> Taken<T>) -> Result<T, ApiError> {
        self.outcome(build()).map_err(ApiError::validation)
    }

    fn outcome<T>(self, built: Taken<T>) -> Read<T> {
        match built {
            Ok(built) if self.issues.is_empty() => Ok(built),
            _ => Err(self.issues),
        }
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.object?.get(key)
    }

    fn take<T>(&mut self, key: &str, read: Read<T>) -> Taken<T> {
        read.map_err(|issues| {
            self.issues
                .extend(issues.into_iter().map(|issue| issue.within(key)));
            Noted
        })
    }

    fn note(&mut self, issue: Issue) -> Noted {
        self.issues.push(issue);
        Noted
    }
}

impl<'a> Field<'a> {
    /// A text, trimmed.
    pub fn text(self) -> Read<String> {
        self.str().map(|text| text.trim().to_owned())
    }

    /// A text as it came, of at most so many characters.
    pub fn raw_text_up_to(self, chars_max: i64) -> Read<String> {
        let text = self.str()?;
        check_length(text, 0, chars_max)?;
        Ok(text.to_owned())
    }

    /// A trimmed text with bounds in characters.
    pub fn text_within(self, chars: RangeInclusive<i64>) -> Read<String> {
        let text = self.str()?.trim();
        check_length(text, *chars.start(), *chars.end())?;
        Ok(text.to_owned())
    }

    /// A name of the core.
    pub fn parsed<T>(self, parse: impl FnOnce(&str) -> Result<T, NameFault>) -> Read<T> {
        parse(self.str()?).map_err(|fault| refusal(fault.code, fault.message))
    }

    /// An id.
    pub fn id<T: FromStr>(self) -> Read<T> {
        let parsed = self.str()?.trim().parse();
        parsed.map_err(|_| refusal(IssueCode::InvalidString { validation: "uuid" }, "Invalid uuid"))
    }

    /// One word of a list, and what it stands for.
    pub fn one_of<T: Clone>(self, options: &[(&str, T)]) -> Read<T> {
        let text = self.str()?.trim();
        if let Some((_, value)) = options.iter().find(|(word, _)| *word == text) {
            return Ok(value.clone());
        }
        let quoted: Vec<String> = options.iter().map(|(word, _)| format!("'{word}'")).collect();
        let message = format!(
            "Invalid enum value. Expected {}, received '{text}'",
            quoted.join(" | ")
        );
        let options = options.iter().map(|(word, _)| (*word).to_owned()).collect();
        Err(refusal(
            IssueCode::InvalidEnumValue {
                received: text.to_owned(),
                options,
            },
            message,
        ))
    }

    /// `true` or `false`; as texts also `True`, `False`, `1` and `0`.
    pub fn boolean(self) -> Read<bool> {
        match self.0 {
            Value::Bool(value) => Ok(*value),
            Value::String(text) if ["true", "True", "1"].contains(&text.as_str()) => Ok(true),
            Value::String(text) if ["false", "False", "0"].contains(&text.as_str()) => Ok(false),
            other => Err(vec![wrong_type("boolean", other)]),
        }
    }

    /// A whole number, also as a text.
    pub fn integer(self, range: RangeInclusive<i64>) -> Read<i64> {
        let (parsed, received) = match self.0 {
            Value::Number(number) => (whole(number), "float"),
            Value::String(text) => (text.trim().parse().ok(), "nan"),
            other => return Err(vec![wrong_type("number", other)]),
        };
        let number = parsed.ok_or_else(|| {
            let code = IssueCode::InvalidType {
                expected: "integer",
                received,
            };
            refusal(code, format!("Expected integer, received {received}"))
        })?;
        let (least, most) = range.into_inner();
        if number < least {
            return Err(too_low(least));
        }
        if number > most {
            return Err(too_high(most));
        }
        Ok(number)
    }

    /// A number that may have a fraction; never from a text. It is returned as it was written.
    pub fn number(self, range: RangeInclusive<i32>) -> Read<serde_json::Number> {
        let Value::Number(number) = self.0 else {
            return Err(vec![wrong_type("number", self.0)]);
        };
        let value = number.as_f64().unwrap_or(f64::INFINITY);
        let (least, most) = range.into_inner();
        if value < f64::from(least) {
            return Err(too_low(least.into()));
        }
        if value > f64::from(most) {
            return Err(too_high(most.into()));
        }
        Ok(number.clone())
    }

    /// Whether the value says nothing: `null`, `false` or an empty text.
    pub fn is_blank(self) -> bool {
        match self.0 {
            Value::Null | Value::Bool(false) => true,
            Value::String(text) => text.trim().is_empty(),
            _ => false,
        }
    }

    /// An object inside of this one, whose fields `read` takes.
    pub fn object<T>(self, read: impl FnOnce(&mut Fields<'a>) -> Taken<T>) -> Read<T> {
        let mut fields = Fields::new(self.0);
        let built = read(&mut fields);
        fields.outcome(built)
    }

    /// A list of at most `items_max` values; the faults of all of them are noted.
    pub fn list<T>(self, items_max: usize, mut read: impl FnMut(Field<'a>) -> Read<T>) -> Read<Vec<T>> {
        let Value::Array(values) = self.0 else {
            return Err(vec![wrong_type("array", self.0)]);
        };
        if values.len() > items_max {
            let maximum = i64::try_from(items_max).unwrap_or(i64::MAX);
            let code = IssueCode::TooBig {
                maximum,
                r#type: "array",
                inclusive: true,
                exact: false,
            };
            return Err(refusal(
                code,
                format!("Array must contain at most {items_max} element(s)"),
            ));
        }
        let mut items = Vec::with_capacity(values.len());
        let mut issues = Vec::new();
        for (index, value) in values.iter().enumerate() {
            match read(Field(value)) {
                Ok(item) => items.push(item),
                Err(faults) => issues.extend(faults.into_iter().map(|issue| issue.within_index(index))),
            }
        }
        if issues.is_empty() { Ok(items) } else { Err(issues) }
    }

    fn str(self) -> Read<&'a str> {
        self.0.as_str().ok_or_else(|| vec![wrong_type("string", self.0)])
    }
}

/// One issue with the value itself.
pub fn refusal(code: IssueCode, message: impl Into<String>) -> Vec<Issue> {
    vec![Issue {
        code,
        path: Vec::new(),
        message: message.into(),
    }]
}

fn too_low(least: i64) -> Vec<Issue> {
    refusal(
        IssueCode::low(least),
        format!("Number must be greater than or equal to {least}"),
    )
}

fn too_high(most: i64) -> Vec<Issue> {
    refusal(
        IssueCode::high(most),
        format!("Number must be less than or equal to {most}"),
    )
}

fn wrong_type(expected: &'static str, value: &Value) -> Issue {
    let received = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let message = format!("Expected {expected}, received {received}");
    Issue {
        code: IssueCode::InvalidType { expected, received },
        path: Vec::new(),
        message,
    }
}

fn check_length(text: &str, least: i64, most: i64) -> Read<()> {
    let chars = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    if chars < least {
        return Err(refusal(
            IssueCode::short(least),
            format!("String must contain at least {least} character(s)"),
        ));
    }
    if chars > most {
        return Err(refusal(
            IssueCode::long(most),
            format!("String must contain at most {most} character(s)"),
        ));
    }
    Ok(())
}

/// A JSON number without a fraction; `30.0` is one.
fn whole(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let value = number.as_f64()?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked to be whole and small on the same line"
        )]
        (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64)
    })
}

#[cfg(test)]
mod tests {
    use keywheel_core::names::Slug;
    use serde_json::json;

    use super::*;

    fn issues(error: &ApiError) -> Value {
        serde_json::from_slice::<Value>(&error.body("req-1")).unwrap()["message"].clone()
    }

    #[test]
    fn all_faults_are_answered_at_once_with_their_paths() {
        let given = json!({"name": "Nope", "time": {"hours": 24, "minutes": "x"}, "list": [1, "a"]});
        let mut fields = Fields::new(&given);
        let name = fields.required("name", |f| f.parsed(|t| Slug::parse("name", t)));
        let time = fields.required("time", |f| {
            f.object(|time| {
                let hours = time.required("hours", |f| f.number(0..=23));
                let minutes = time.required("minutes", |f| f.number(0..=59));
                Ok((hours?, minutes?))
            })
        });
        let list = fields.required("list", |f| f.list(5, Field::text));
        let absent = fields.required("absent", Field::text);
        let error = fields.finish(|| Ok((name?, time?, list?, absent?))).unwrap_err();
        let answered = issues(&error);
        let shown: Vec<(String, String)> = answered
            .as_array()
            .unwrap()
            .iter()
            .map(|issue| {
                (
                    issue["path"].to_string(),
                    issue["message"].as_str().unwrap().to_owned(),
                )
            })
            .collect();
        let expected = [
            (
                r#"["name"]"#,
                "name field can only contain lowercase letters, numbers, and hyphens",
            ),
            (r#"["time","hours"]"#, "Number must be less than or equal to 23"),
            (r#"["time","minutes"]"#, "Expected number, received string"),
            (r#"["list",0]"#, "Expected string, received number"),
            (r#"["absent"]"#, "Required"),
        ];
        assert_eq!(
            shown,
            expected.map(|(path, message)| (path.to_owned(), message.to_owned()))
        );
    }

    #[test]
    fn whole_numbers_come_as_numbers_or_texts_and_never_with_a_fraction() {
        for (value, read) in [
            (json!(30), Some(30)),
            (json!("30"), Some(30)),
            (json!(30.0), Some(30)),
            (json!(0), None),
            (json!(1.5), None),
            (json!("x"), None),
            (json!(1e300), None),
            (json!(true), None),
        ] {
            let given = json!({"n": value});
            let mut fields = Fields::new(&given);
            let number = fields.required("n", |f| f.integer(1..=100));
            assert_eq!(fields.finish(|| number).ok(), read, "{given}");
        }
    }

    #[test]
    fn a_patch_tells_absent_null_and_a_value_apart() {
        let given = json!({"b": null, "c": "x"});
        let mut fields = Fields::new(&given);
        let mut read = |key| fields.change(key, Field::text).unwrap();
        assert_eq!(
            (read("a"), read("b"), read("c")),
            (Change::Keep, Change::Clear, Change::Set("x".to_owned()))
        );
    }

    #[test]
    fn a_body_that_is_no_object_is_one_issue() {
        let given = json!([]);
        let mut fields = Fields::new(&given);
        let name = fields.required("name", Field::text);
        let error = fields.finish(|| name).unwrap_err();
        assert_eq!(issues(&error)[0]["message"], "Expected object, received array");
        assert_eq!(issues(&error).as_array().unwrap().len(), 1);
    }
}
