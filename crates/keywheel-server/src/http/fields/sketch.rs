//! What a reader would take, written down as a JSON Schema.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::{Fields, Presence};

/// A JSON Schema in the making.
#[derive(Clone)]
pub struct Sketch {
    schema: Rc<RefCell<Map<String, Value>>>,
    texts: bool,
}

impl Sketch {
    /// Of a JSON value.
    pub fn json() -> Self {
        Self::new(false)
    }

    /// Of a query or a path, whose values are texts.
    pub fn texts() -> Self {
        Self::new(true)
    }

    fn new(texts: bool) -> Self {
        let schema = Rc::default();
        Self { schema, texts }
    }

    /// What a reader takes. What it ends in says nothing: there was nothing to read.
    pub fn of<T>(self, read: impl FnOnce(Fields<'static>) -> T) -> Value {
        self.also(&json!({"type": "object"}));
        drop(read(Fields::sketch(self.clone())));
        self.finish()
    }

    /// The same of a reader of a part.
    pub(super) fn of_part<'a, T>(self, read: impl FnOnce(&mut Fields<'a>) -> T) -> Value {
        self.also(&json!({"type": "object"}));
        drop(read(&mut Fields::sketch(self.clone())));
        self.finish()
    }

    /// The schema.
    pub fn finish(self) -> Value {
        Value::Object(self.schema.take())
    }

    pub(super) const fn is_of_texts(&self) -> bool {
        self.texts
    }

    /// A sketch of a part.
    pub(super) fn part(&self) -> Self {
        Self::new(self.texts)
    }

    /// Adds keywords.
    pub(super) fn also(&self, keywords: &Value) {
        if let Value::Object(keywords) = keywords {
            self.schema.borrow_mut().extend(keywords.clone());
        }
    }

    pub(super) fn keep(&self, key: &str, presence: Presence, part: Self) {
        let mut part = part.finish();
        if presence == Presence::Nullable && !self.texts {
            part = or_null(part);
        }
        self.list("properties", json!({}))[key] = part;
        if presence == Presence::Required
            && let Value::Array(required) = &mut *self.list("required", json!([]))
        {
            required.push(key.into());
        }
    }

    /// Fields that have to be of a form only if a flag is set.
    pub(super) fn only_if(&self, flag: &str, part: Self) {
        let without = json!({"properties": {flag: {"enum": [false, null]}}});
        let mut with = part.finish();
        with["properties"][flag] = json!({"const": true});
        if let Value::Array(required) = &mut with["required"] {
            required.push(flag.into());
        }
        self.also(&json!({"anyOf": [without, with]}));
    }

    pub(super) fn default_of(&self, key: &str, default: Value) {
        let default = match default {
            Value::Bool(flag) if self.texts => flag.to_string().into(),
            default => default,
        };
        self.list("properties", json!({}))[key]["default"] = default;
    }

    /// A pattern of up to so many of what this takes, joined by commas.
    pub(super) fn joined_by_commas(self, items_max: usize) -> String {
        let item = self.finish();
        let one = match item["enum"].as_array() {
            Some(words) => {
                let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
                words.join("|")
            }
            None => item["pattern"]
                .as_str()
                .unwrap_or("[^,]*")
                .trim_matches(['^', '$'])
                .to_owned(),
        };
        let more = items_max.saturating_sub(1);
        format!(r"^[\s,]*(({one})(\s*,[\s,]*({one})){{0,{more}}})?[\s,]*$")
    }

    /// The word of an issue for the type that was wanted.
    pub(super) fn type_word(&self) -> &'static str {
        let schema = self.schema.borrow();
        let word = schema.get("type").map(|word| word.get(0).unwrap_or(word));
        match word.and_then(Value::as_str) {
            Some("integer" | "number") => "number",
            Some("boolean") => "boolean",
            Some("array") => "array",
            Some("object") => "object",
            _ => "string",
        }
    }

    fn list(&self, keyword: &str, empty: Value) -> std::cell::RefMut<'_, Value> {
        std::cell::RefMut::map(self.schema.borrow_mut(), |schema| {
            schema.entry(keyword).or_insert(empty)
        })
    }
}

/// A schema that takes `null` as well.
fn or_null(mut schema: Value) -> Value {
    if schema.as_object().is_some_and(Map::is_empty) {
        return schema;
    }
    if let Some(word) = schema["type"].as_str() {
        schema["type"] = json!([word, "null"]);
        if let Some(Value::Array(options)) = schema.get_mut("oneOf") {
            options.push(json!({"type": "null"}));
        }
        if let Some(Value::Array(words)) = schema.get_mut("enum") {
            words.push(Value::Null);
        }
        return schema;
    }
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        if !words.contains(&Value::Null) {
            words.push(Value::Null);
        }
        return schema;
    }
    json!({"anyOf": [schema, {"type": "null"}]})
}
