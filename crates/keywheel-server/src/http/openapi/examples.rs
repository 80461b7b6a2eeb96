//! Examples of bodies and answers, put together from the examples of their fields.

use serde_json::{Map, Value, json};

use super::complete::operations;

/// How deep references are followed: a preview holds the preview of the rotation after it.
const DEPTH_MAX: usize = 12;
/// What an example is better without: fields for special cases.
const LEFT_OUT: [&str; 2] = ["adoption", "policy"];

/// Gives every body and every answer its example.
pub(super) fn give(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    for (_, _, operation) in operations(document) {
        for place in [
            "/requestBody/content/application~1json",
            "/responses/200/content/application~1json",
        ] {
            let Some(content) = operation.pointer_mut(place) else {
                continue;
            };
            if content.get("example").is_some() {
                continue;
            }
            if let Some(example) = example_of(&content["schema"], &schemas, 0) {
                content["example"] = example;
            }
        }
    }
}

/// An example of what a schema takes; none where the schema does not say enough.
fn example_of(schema: &Value, schemas: &Value, depth: usize) -> Option<Value> {
    if depth > DEPTH_MAX || schema["deprecated"] == true {
        return None;
    }
    if let Some(example) = schema["examples"].get(0) {
        return Some(example.clone());
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return example_of(&schemas[name], schemas, depth + 1);
    }
    for keyword in ["const", "default"] {
        if let Some(value) = schema.get(keyword) {
            return Some(value.clone());
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().find(|word| !word.is_null()).cloned();
    }
    if let Some(properties) = schema["properties"].as_object() {
        return Some(object(properties, schemas, depth));
    }
    for keyword in ["oneOf", "anyOf", "allOf"] {
        let mut options = schema[keyword].as_array().into_iter().flatten();
        let found = options.find_map(|option| example_of(option, schemas, depth + 1));
        if found.is_some() {
            return found;
        }
    }
    let word = schema["type"].as_str().or_else(|| schema["type"][0].as_str())?;
    match word {
        "array" => Some(
            example_of(&schema["items"], schemas, depth + 1)
                .into_iter()
                .collect(),
        ),
        "string" => match schema["format"].as_str()? {
            "uuid" => Some(json!("3c90c3cc-0d44-4b50-8888-8dd25736052a")),
            "date-time" => Some(json!("2026-03-10T09:30:00.000Z")),
            _ => None,
        },
        "boolean" => Some(json!(false)),
        _ => None,
    }
}

fn object(properties: &Map<String, Value>, schemas: &Value, depth: usize) -> Value {
    let usual = properties
        .iter()
        .filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()));
    let fields = usual.filter_map(|(name, schema)| {
        let example = example_of(schema, schemas, depth + 1)?;
        Some((name.clone(), example))
    });
    Value::Object(fields.collect())
}
