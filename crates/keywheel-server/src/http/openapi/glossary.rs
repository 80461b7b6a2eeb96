//! What a field means, and an example: once for each name, since a name means the same everywhere. The words are in
//! `glossary.txt`.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::complete::operations;

/// Stands in the place of an example for names that only older clients use.
const OLDER: &str = "older";

/// What is said of a name.
pub(super) struct Word {
    meaning: &'static str,
    example: Option<Value>,
    is_older: bool,
}

/// What is said of all names.
pub(super) fn words() -> &'static HashMap<&'static str, Word> {
    static WORDS: OnceLock<HashMap<&str, Word>> = OnceLock::new();
    WORDS.get_or_init(|| {
        let lines = include_str!("glossary.txt").lines();
        lines
            .filter(|line| !line.starts_with('#'))
            .filter_map(word)
            .collect()
    })
}

fn word(line: &'static str) -> Option<(&'static str, Word)> {
    let (name, rest) = line.split_once('|')?;
    let (meaning, example) = rest.rsplit_once('|')?;
    let (meaning, example) = (meaning.trim(), example.trim());
    let word = Word {
        meaning,
        example: serde_json::from_str(example).ok(),
        is_older: example == OLDER,
    };
    Some((name.trim(), word))
}

/// The form of a variable part of a path.
pub(super) fn path_shape(name: &str) -> Value {
    match name {
        "project" | "folder" | "slug" => json!({"type": "string", "minLength": 1}),
        "name" | "rotationName" => {
            json!({"type": "string", "minLength": 1, "pattern": r"^[^:/\x00]*[^:/\s\x00][^:/\x00]*$"})
        }
        "userName" => json!({"type": "string", "pattern": r"^[A-Za-z0-9_+=,.@-]{1,128}$"}),
        "accessKeyId" => json!({"type": "string", "pattern": "^[A-Za-z0-9_]{16,128}$"}),
        _ => json!({"type": "string", "format": "uuid"}),
    }
}

/// Explains every field and every parameter that says nothing of itself.
pub(super) fn explain(document: &mut Value) {
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        for (name, schema) in schemas {
            explain_fields(name, name, schema);
        }
    }
    for (_, _, operation) in operations(document) {
        let parameters = operation["parameters"].as_array_mut().into_iter().flatten();
        for parameter in parameters {
            let Some(word) = parameter["name"].as_str().and_then(|name| words().get(name)) else {
                continue;
            };
            parameter["description"] = word.meaning.into();
            if word.is_older {
                parameter["deprecated"] = true.into();
            }
        }
        if operation["parameters"].is_null()
            && let Some(operation) = operation.as_object_mut()
        {
            operation.remove("parameters");
        }
    }
}

/// Explains the fields of a schema, and of all that are inside of it.
fn explain_fields(schema_name: &str, parent: &str, schema: &mut Value) {
    match schema {
        Value::Object(keywords) => {
            for (keyword, value) in keywords {
                if keyword != "properties" {
                    explain_fields(schema_name, parent, value);
                    continue;
                }
                for (name, field) in value.as_object_mut().into_iter().flatten() {
                    explain_field(schema_name, parent, name, field);
                    explain_fields(schema_name, name, field);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                explain_fields(schema_name, parent, item);
            }
        }
        _ => {}
    }
}

fn explain_field(schema_name: &str, parent: &str, name: &str, field: &mut Value) {
    let of = |owner: &str| words().get(format!("{owner}.{name}").as_str());
    let Some(word) = of(schema_name)
        .or_else(|| of(parent))
        .or_else(|| words().get(name))
    else {
        return;
    };
    let Some(field) = field.as_object_mut() else {
        return;
    };
    field.entry("description").or_insert(word.meaning.into());
    if word.is_older {
        field.insert("deprecated".to_owned(), true.into());
    }
    let says_enough = ["default", "properties", "oneOf", "const", "$ref"];
    let words = field.get("enum").and_then(Value::as_array);
    if let Some(example) = &word.example
        && words.is_none_or(|words| words.contains(example))
        && !says_enough.iter().any(|keyword| field.contains_key(*keyword))
    {
        field.insert("examples".to_owned(), json!([example]));
    }
}
