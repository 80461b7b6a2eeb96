//! The document in OpenAPI 3.0.3, for generators that do not read 3.1 yet.
//!
//! Between the two versions schemas became those of JSON Schema. What 3.0 can say in other words is said so; what it
//! has no words for is left out, so the older document may allow more than the newer one and never less.

use serde_json::{Map, Value, json};

type Keywords = Map<String, Value>;

/// Keywords without a counterpart. Each of them only narrows, or organizes, what the others say.
const WITHOUT_COUNTERPART: &[&str] = &[
    "$anchor",
    "$comment",
    "$defs",
    "$dynamicAnchor",
    "$dynamicRef",
    "$id",
    "$schema",
    "contains",
    "contentSchema",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "maxContains",
    "minContains",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// What is done to each schema, in this order: earlier rules may bring up keywords that later ones look at.
const RULES: &[fn(&mut Keywords)] = &[
    null_among_alternatives,
    words_beside_a_reference,
    constant,
    types,
    null_in_enum,
    exclusive_bounds,
    tuple,
    items_of_an_array,
    patterns_of_names,
    encoded_content,
    examples,
    without_counterpart,
];

/// The same API in OpenAPI 3.0.3.
pub(super) fn to_3_0(mut document: Value) -> Value {
    for (place, newer) in [
        ("", "webhooks"),
        ("", "jsonSchemaDialect"),
        ("/info", "summary"),
        ("/info/license", "identifier"),
        ("/components", "pathItems"),
    ] {
        if let Some(Value::Object(fields)) = document.pointer_mut(place) {
            fields.remove(newer);
        }
    }
    if let Some(version) = document.pointer_mut("/openapi") {
        *version = "3.0.3".into();
    }
    if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
        schemas.values_mut().for_each(convert);
    }
    convert_below(&mut document);
    document
}

/// Converts the schemas below something that is none itself.
fn convert_below(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(convert_below),
        Value::Object(fields) => {
            if fields.contains_key("$ref") {
                // Words of its own beside a reference are of 3.1.
                fields.retain(|name, _| name == "$ref");
            }
            for (name, below) in fields {
                match name.as_str() {
                    "schema" => convert(below),
                    // Data, which may look like anything; and the named schemas, which are converted already.
                    "example" | "examples" | "schemas" => {}
                    _ => convert_below(below),
                }
            }
        }
        _ => {}
    }
}

/// Converts a schema and those in it.
fn convert(schema: &mut Value) {
    match schema {
        Value::Bool(true) => *schema = json!({}),
        Value::Bool(false) => *schema = json!({"not": {}}),
        Value::Object(keywords) => {
            for rule in RULES {
                rule(keywords);
            }
            for (keyword, value) in keywords {
                inner(keyword, value).into_iter().for_each(convert);
            }
        }
        _ => {}
    }
}

/// The schemas that a keyword holds.
fn inner<'a>(keyword: &str, value: &'a mut Value) -> Vec<&'a mut Value> {
    match (keyword, value) {
        ("properties", Value::Object(named)) => named.values_mut().collect(),
        ("allOf" | "anyOf" | "oneOf", Value::Array(listed)) => listed.iter_mut().collect(),
        // The one keyword that may be a boolean in 3.0 too.
        ("additionalProperties", Value::Bool(_)) => Vec::new(),
        ("items" | "not" | "additionalProperties", one) => vec![one],
        _ => Vec::new(),
    }
}

/// `anyOf: [A, {type: null}]` is a nullable A.
fn null_among_alternatives(schema: &mut Keywords) {
    for keyword in ["anyOf", "oneOf"] {
        let Some(Value::Array(mut branches)) = schema.remove(keyword) else {
            continue;
        };
        let all = branches.len();
        branches.retain(|branch| branch["type"] != "null");
        if branches.len() < all {
            schema.insert("nullable".into(), true.into());
        }
        if branches.len() == all || branches.len() > 1 {
            schema.insert(keyword.into(), branches.into());
        } else if let Some(only) = branches.pop() {
            absorb(schema, only);
        }
    }
}

/// Makes another schema a part of this one.
fn absorb(schema: &mut Keywords, other: Value) {
    match other {
        Value::Object(other)
            if !other.contains_key("$ref") && !other.keys().any(|keyword| schema.contains_key(keyword)) =>
        {
            schema.extend(other);
        }
        other => also(schema, other),
    }
}

/// What else has to hold.
fn also(schema: &mut Keywords, other: Value) {
    let all = schema.entry("allOf").or_insert_with(|| json!([]));
    if let Value::Array(all) = all {
        all.push(other);
    }
}

/// Nothing may stand beside a `$ref`.
fn words_beside_a_reference(schema: &mut Keywords) {
    if schema.len() > 1
        && let Some(reference) = schema.remove("$ref")
    {
        also(schema, json!({"$ref": reference}));
    }
}

fn constant(schema: &mut Keywords) {
    if let Some(value) = schema.remove("const") {
        schema.insert("enum".into(), json!([value]));
    }
}

/// One type or none; `null` is no type, but a property of another.
fn types(schema: &mut Keywords) {
    let mut listed = match schema.get("type") {
        Some(Value::Array(listed)) => listed.clone(),
        Some(Value::String(one)) if one == "null" => vec![one.as_str().into()],
        _ => return,
    };
    schema.remove("type");
    let all = listed.len();
    listed.retain(|one| one != "null");
    if listed.len() < all {
        schema.insert("nullable".into(), true.into());
    }
    match listed.len() {
        0 => {
            schema.insert("enum".into(), json!([null]));
        }
        1 => schema.extend(listed.pop().map(|one| ("type".to_owned(), one))),
        _ => {
            let branches: Vec<_> = listed.into_iter().map(|one| json!({"type": one})).collect();
            absorb(schema, json!({"anyOf": branches}));
        }
    }
}

/// In 3.0 `null` has to be allowed by both, `nullable` and `enum`.
fn null_in_enum(schema: &mut Keywords) {
    let nullable = schema.get("nullable") == Some(&true.into());
    let typed = schema.contains_key("type");
    let Some(Value::Array(values)) = schema.get_mut("enum") else {
        return;
    };
    let listed = values.contains(&Value::Null);
    if nullable && !listed {
        values.push(Value::Null);
    } else if listed && typed && !nullable {
        values.retain(|value| !value.is_null());
    } else if listed {
        schema.insert("nullable".into(), true.into());
    }
}

/// `exclusiveMinimum: 5` is `minimum: 5` with a flag.
fn exclusive_bounds(schema: &mut Keywords) {
    flag_bound(schema, "exclusiveMinimum", "minimum", |given, exclusive| {
        given > exclusive
    });
    flag_bound(schema, "exclusiveMaximum", "maximum", |given, exclusive| {
        given < exclusive
    });
}

/// Of an exclusive and an inclusive bound the tighter one is kept.
fn flag_bound(schema: &mut Keywords, exclusive: &str, inclusive: &str, is_tighter: fn(f64, f64) -> bool) {
    let Some(bound) = schema.remove(exclusive) else {
        return;
    };
    let both = schema.get(inclusive).and_then(Value::as_f64).zip(bound.as_f64());
    if both.is_none_or(|(given, bound)| !is_tighter(given, bound)) {
        schema.insert(inclusive.into(), bound);
        schema.insert(exclusive.into(), true.into());
    }
}

/// A list whose places differ becomes a list of any of them.
fn tuple(schema: &mut Keywords) {
    let Some(Value::Array(mut places)) = schema.remove("prefixItems") else {
        return;
    };
    match schema.remove("items") {
        Some(Value::Bool(false)) => {}
        rest => places.push(rest.unwrap_or_else(|| json!({}))),
    }
    schema.insert("items".into(), json!({"anyOf": places}));
}

/// 3.0 asks for it.
fn items_of_an_array(schema: &mut Keywords) {
    if schema.get("type") == Some(&"array".into()) {
        schema.entry("items").or_insert_with(|| json!({}));
    }
}

/// Names that only a pattern allowed are not to be forbidden by its absence.
fn patterns_of_names(schema: &mut Keywords) {
    if schema.remove("patternProperties").is_some() {
        schema.remove("additionalProperties");
    }
}

/// Bytes in a text were a format.
fn encoded_content(schema: &mut Keywords) {
    let encoding = schema.remove("contentEncoding");
    let media_type = schema.remove("contentMediaType");
    let format = match (encoding.as_ref().and_then(Value::as_str), &media_type) {
        (Some("base64"), _) => "byte",
        (None, Some(Value::String(kind))) if kind == "application/octet-stream" => "binary",
        _ => return,
    };
    schema.entry("format").or_insert_with(|| format.into());
}

/// A schema has one example.
fn examples(schema: &mut Keywords) {
    if let Some(Value::Array(listed)) = schema.remove("examples")
        && let Some(first) = listed.into_iter().next()
    {
        schema.entry("example").or_insert(first);
    }
}

fn without_counterpart(schema: &mut Keywords) {
    schema.retain(|keyword, _| !WITHOUT_COUNTERPART.contains(&keyword.as_str()));
}

#[cfg(test)]
mod tests;
