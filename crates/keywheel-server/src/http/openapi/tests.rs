//! The document keeps its promises.

use super::*;

/// Set to write the file anew: `KEYWHEEL_WRITE_OPENAPI=1 cargo test -p keywheel --lib openapi`.
const WRITE: &str = "KEYWHEEL_WRITE_OPENAPI";

#[test]
fn the_document_that_is_checked_in_is_the_one_that_is_served() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi.json");
    let served = serde_json::to_string_pretty(document()).unwrap() + "\n";
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&file, &served).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(
        kept == served,
        "openapi.json differs from the code; write it anew with {WRITE}=1"
    );
}

#[test]
fn no_route_is_left_out_of_the_document() {
    fn sources(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    sources(
        &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http"),
        &mut found,
    );
    let undocumented: Vec<_> = found
        .into_iter()
        .filter(|path| !path.ends_with("openapi/tests.rs"))
        .filter(|path| std::fs::read_to_string(path).unwrap().contains(".route("))
        .collect();
    assert!(
        undocumented.is_empty(),
        "describe these with #[utoipa::path] and routes!: {undocumented:?}"
    );
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let mut document = document().clone();
    let mut names = std::collections::BTreeSet::new();
    for (path, method, operation) in complete::operations(&mut document) {
        let name = operation["operationId"].as_str().unwrap().to_owned();
        assert!(names.insert(name.clone()), "{method} {path}: {name}");
    }
}

/// Every field of every schema, as `SCHEMA.FIELD`, with what the document says of it.
fn fields() -> Vec<(String, Value)> {
    fn walk(owner: &str, schema: &Value, found: &mut Vec<(String, Value)>) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            found.push((format!("{owner}.{name}"), field.clone()));
            walk(name, field, found);
        }
        match schema {
            Value::Object(keywords) => {
                let others = keywords.iter().filter(|(keyword, _)| *keyword != "properties");
                others.for_each(|(_, value)| walk(owner, value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(owner, item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for (name, schema) in document()["components"]["schemas"].as_object().unwrap() {
        walk(name, schema, &mut found);
    }
    found
}

#[test]
fn every_field_and_every_parameter_is_explained() {
    let mute: Vec<String> = fields()
        .into_iter()
        .filter(|(_, field)| {
            field.get("const").is_none() && field["description"].as_str().is_none_or(str::is_empty)
        })
        .map(|(name, _)| name)
        .collect();
    assert!(mute.is_empty(), "glossary.txt has no words for {mute:?}");
    let mut document = document().clone();
    for (path, method, operation) in complete::operations(&mut document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(
                parameter["description"].is_string(),
                "{method} {path}: {parameter}"
            );
        }
    }
}

#[test]
fn every_word_of_the_glossary_is_used() {
    let mut document = document().clone();
    let parameters: Vec<String> = complete::operations(&mut document)
        .flat_map(|(_, _, operation)| operation["parameters"].as_array().cloned().unwrap_or_default())
        .filter_map(|parameter| parameter["name"].as_str().map(str::to_owned))
        .collect();
    let fields = fields();
    let idle: Vec<&str> = glossary::words()
        .keys()
        .filter(|word| {
            let in_field = fields
                .iter()
                .any(|(name, _)| name == *word || name.split_once('.').unwrap().1 == **word);
            !in_field && !parameters.iter().any(|name| name == *word)
        })
        .copied()
        .collect();
    assert!(idle.is_empty(), "nothing has these names: {idle:?}");
}

#[test]
fn every_body_and_every_answer_has_an_example() {
    let mut document = document().clone();
    for (path, method, operation) in complete::operations(&mut document) {
        for place in [
            "/requestBody/content/application~1json",
            "/responses/200/content/application~1json",
        ] {
            if let Some(content) = operation.pointer(place) {
                let is_free = content["schema"] == serde_json::json!({"type": "object"});
                assert!(
                    is_free || content.get("example").is_some(),
                    "{method} {path}: {place}"
                );
            }
        }
    }
}

#[test]
fn no_schema_is_left_out_of_its_place() {
    assert!(!document().to_string().contains(described::WAITING));
}
