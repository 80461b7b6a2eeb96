//! Reads request data field by field: every fault is noted as an issue, and all of them are answered at once.
//!
//! Unknown keys are dropped by not being asked for. Queries and path parameters go through the same reader, as objects
//! whose values are all texts; there, numbers and booleans are read from texts (contract rule R6).
//!
//! ```
//! # use keywheel_server::http::fields::{Field, Fields};
//! # use serde_json::json;
//! let given = json!({"name": "demo", "size": 7, "unknown": true});
//! let mut fields = Fields::json(&given);
//! let name = fields.required("name", Field::text);
//! let size = fields.optional("size", |field| field.integer(1..=10));
//! let (name, size) = fields.finish(|| Ok((name?, size?))).unwrap();
//! assert_eq!((name.as_str(), size), ("demo", Some(7)));
//! ```
//!
//! A reader is also the description of what it reads: fed with a [`Sketch`] instead of a request, it leaves a JSON
//! Schema behind. The API document is made so, and cannot promise anything that is not checked.

mod faults;
mod field;
mod shape;
mod sketch;
#[cfg(test)]
mod tests;

use keywheel_core::issues::{Issue, IssueCode};
use serde::Serialize;
use serde_json::{Value, json};

pub use self::field::{Field, Variant};
pub use self::shape::{Shape, some_path};
pub use self::sketch::Sketch;
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

/// Where values come from.
#[derive(Clone)]
enum Given<'a> {
    /// A JSON body or a part of it.
    Json(&'a Value),
    /// The query or the path: an object of texts.
    Texts(&'a Value),
    /// Nowhere: what is read is written down.
    Sketch(Sketch),
}

/// Whether a field has to be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    /// It has to.
    Required,
    /// It may be absent.
    Optional,
    /// It may be absent or `null`.
    Nullable,
}

/// The fields of one object.
pub struct Fields<'a> {
    given: Given<'a>,
    refuses_null: bool,
    issues: Vec<Issue>,
}

impl<'a> Fields<'a> {
    /// The fields of a body. Anything but an object is an issue.
    pub fn json(value: &'a Value) -> Self {
        Self::of(Given::Json(value))
    }

    /// The fields of a query or of a path.
    pub fn texts(value: &'a Value) -> Self {
        Self::of(Given::Texts(value))
    }

    /// Fields that are written down and not read.
    pub fn sketch(sketch: Sketch) -> Self {
        Self::of(Given::Sketch(sketch))
    }

    fn of(given: Given<'a>) -> Self {
        let issues = match &given {
            Given::Json(value) | Given::Texts(value) if !value.is_object() => {
                vec![faults::wrong_type("object", value)]
            }
            _ => Vec::new(),
        };
        Self {
            given,
            refuses_null: false,
            issues,
        }
    }

    /// The same fields, of which none may be `null` in the place of absent. For others it counts as absent: some
    /// clients send it for what they have no value for.
    #[must_use]
    pub fn refusing_null(mut self) -> Self {
        self.refuses_null = true;
        self
    }

    /// A field that has to be there.
    pub fn required<T>(&mut self, key: &str, read: impl FnOnce(Field<'a>) -> Read<T>) -> Taken<T> {
        match self.get(key) {
            Some(field) => self.take(key, Presence::Required, field, read),
            None if !self.is_object() => Err(Noted),
            None => {
                let sketch = Sketch::json();
                let _ = read(Field::sketch(sketch.clone()));
                let code = IssueCode::InvalidType {
                    expected: sketch.type_word(),
                    received: "undefined",
                };
                Err(self.note(Issue::at(key, code, "Required")))
            }
        }
    }

    /// A field that may be absent.
    pub fn optional<T>(&mut self, key: &str, read: impl FnOnce(Field<'a>) -> Read<T>) -> Taken<Option<T>> {
        match self.get(key) {
            None => Ok(None),
            Some(field) if field.is_null() && !self.refuses_null => Ok(None),
            Some(field) => {
                let presence = if self.refuses_null {
                    Presence::Optional
                } else {
                    Presence::Nullable
                };
                self.take(key, presence, field, read).map(Some)
            }
        }
    }

    /// A field that has a value even if it is absent.
    pub fn or<T: Serialize>(
        &mut self,
        key: &str,
        default: T,
        read: impl FnOnce(Field<'a>) -> Read<T>,
    ) -> Taken<T> {
        let taken = self.optional(key, read);
        if let Given::Sketch(sketch) = &self.given {
            sketch.default_of(key, serde_json::to_value(&default).unwrap_or_default());
        }
        Ok(taken?.unwrap_or(default))
    }

    /// A field of a PATCH that can be emptied with `null`.
    pub fn change<T>(&mut self, key: &str, read: impl FnOnce(Field<'a>) -> Read<T>) -> Taken<Change<T>> {
        match self.get(key) {
            None => Ok(Change::Keep),
            Some(field) if field.is_null() => Ok(Change::Clear),
            Some(field) => self.take(key, Presence::Nullable, field, read).map(Change::Set),
        }
    }

    /// What `read` takes of the fields beside a flag, if that is set. If it is not, they may hold anything.
    pub fn given_if<T>(&mut self, flag: &str, read: impl FnOnce(&mut Self) -> Taken<T>) -> Taken<Option<T>> {
        let set = self.optional(flag, Field::boolean);
        if let Given::Sketch(sketch) = &self.given {
            let part = sketch.part();
            // What it ends in says nothing.
            let _ = read(&mut Self::of(Given::Sketch(part.clone())));
            sketch.only_if(flag, part);
            return Err(Noted);
        }
        if set?.unwrap_or(false) {
            read(self).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The first of several names that is there: older clients use older names for the same field.
    pub fn optional_any<T>(
        &mut self,
        keys: &[&str],
        read: impl Fn(Field<'a>) -> Read<T>,
    ) -> Taken<Option<T>> {
        if matches!(self.given, Given::Sketch(_)) {
            for key in keys {
                // Each name is written down; nothing is read.
                let _ = self.optional(key, &read);
            }
            return Err(Noted);
        }
        let key = keys.iter().find(|key| self.has(key));
        key.map_or(Ok(None), |key| self.optional(key, read))
    }

    /// Describes a field that is not read here, because its form depends on something else.
    pub fn describe<T>(&mut self, key: &str, presence: Presence, read: impl FnOnce(Field<'a>) -> Read<T>) {
        if let Given::Sketch(sketch) = &self.given {
            let part = sketch.part();
            // What it ends in says nothing.
            let _ = read(Field::sketch(part.clone()));
            sketch.keep(key, presence, part);
        }
    }

    /// Describes how other fields depend on the word in `tag`. They are read apart.
    pub fn describe_variants<T>(&self, tag: &str, variants: &[(&str, Variant<T>)]) {
        if let Given::Sketch(sketch) = &self.given {
            let variants = variants.iter();
            let shapes = variants.map(|(word, read)| field::of_variant(tag, word, *read, self.refuses_null));
            sketch.also(&json!({"anyOf": shapes.collect::<Vec<_>>()}));
        }
    }

    /// Whether the field is there and not `null`.
    pub fn has(&self, key: &str) -> bool {
        match &self.given {
            Given::Json(value) | Given::Texts(value) => value.get(key).is_some_and(|value| !value.is_null()),
            Given::Sketch(_) => false,
        }
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

    fn is_object(&self) -> bool {
        match &self.given {
            Given::Json(value) | Given::Texts(value) => value.is_object(),
            Given::Sketch(_) => true,
        }
    }

    fn get(&self, key: &str) -> Option<Field<'a>> {
        let given = match &self.given {
            Given::Json(value) => Given::Json(value.get(key)?),
            Given::Texts(value) => Given::Texts(value.get(key)?),
            Given::Sketch(sketch) => Given::Sketch(sketch.part()),
        };
        Some(Field {
            given,
            refuses_null: self.refuses_null,
        })
    }

    fn take<T>(
        &mut self,
        key: &str,
        presence: Presence,
        field: Field<'a>,
        read: impl FnOnce(Field<'a>) -> Read<T>,
    ) -> Taken<T> {
        let part = field.clone();
        let read = read(field);
        if let (Given::Sketch(whole), Given::Sketch(part)) = (&self.given, part.given) {
            whole.keep(key, presence, part);
            return Err(Noted);
        }
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
