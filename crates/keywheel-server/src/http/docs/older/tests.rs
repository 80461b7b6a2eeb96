//! Each rule by an example, and all of them over the document that is served.

use serde_json::{Value, json};

use super::{WITHOUT_COUNTERPART, convert, to_3_0};

/// What a schema becomes.
#[track_caller]
fn becomes(mut newer: Value, older: &Value) {
    convert(&mut newer);
    assert_eq!(&newer, older);
}

#[test]
fn a_type_that_may_be_null_is_nullable() {
    becomes(
        json!({"type": ["string", "null"], "maxLength": 3}),
        &json!({"type": "string", "nullable": true, "maxLength": 3}),
    );
    becomes(
        json!({"type": "null"}),
        &json!({"nullable": true, "enum": [null]}),
    );
}

#[test]
fn several_types_are_alternatives() {
    becomes(
        json!({"type": ["integer", "string", "null"], "minimum": 1}),
        &json!({"anyOf": [{"type": "integer"}, {"type": "string"}], "nullable": true, "minimum": 1}),
    );
    becomes(
        json!({"type": ["array", "string"], "anyOf": [{"maxItems": 1}, {"maxLength": 1}]}),
        &json!({
            "anyOf": [{"maxItems": 1}, {"maxLength": 1}],
            "allOf": [{"anyOf": [{"type": "array", "items": {}}, {"type": "string"}]}],
        }),
    );
}

#[test]
fn null_in_an_enum_goes_with_nullable() {
    for (newer, older) in [
        (
            json!({"type": ["string", "null"], "enum": ["a"]}),
            json!({"type": "string", "nullable": true, "enum": ["a", null]}),
        ),
        (
            json!({"enum": ["a", null]}),
            json!({"nullable": true, "enum": ["a", null]}),
        ),
        (
            json!({"type": "string", "enum": ["a", null]}),
            json!({"type": "string", "enum": ["a"]}),
        ),
        (
            json!({"type": "string", "enum": ["a"]}),
            json!({"type": "string", "enum": ["a"]}),
        ),
    ] {
        becomes(newer, &older);
    }
}

#[test]
fn an_alternative_to_null_is_nullable() {
    for keyword in ["anyOf", "oneOf"] {
        becomes(
            json!({keyword: [{"type": "null"}, {"$ref": "#/components/schemas/A"}], "description": "An A"}),
            &json!({"allOf": [{"$ref": "#/components/schemas/A"}], "nullable": true, "description": "An A"}),
        );
        becomes(
            json!({keyword: [{"type": "string", "enum": ["a"]}, {"type": "null"}]}),
            &json!({"type": "string", "enum": ["a", null], "nullable": true}),
        );
        becomes(
            json!({keyword: [{"type": "string"}, {"const": 1}, {"type": "null"}]}),
            &json!({keyword: [{"type": "string"}, {"enum": [1]}], "nullable": true}),
        );
        becomes(
            json!({keyword: [{"type": "string"}]}),
            &json!({keyword: [{"type": "string"}]}),
        );
    }
}

#[test]
fn a_reference_stands_alone() {
    becomes(
        json!({"$ref": "#/components/schemas/A", "default": "x", "examples": ["y"]}),
        &json!({"allOf": [{"$ref": "#/components/schemas/A"}], "default": "x", "example": "y"}),
    );
    becomes(
        json!({"$ref": "#/components/schemas/A"}),
        &json!({"$ref": "#/components/schemas/A"}),
    );
}

#[test]
fn a_constant_is_an_enum_of_one() {
    becomes(json!({"const": "a"}), &json!({"enum": ["a"]}));
    becomes(json!({"const": null}), &json!({"enum": [null], "nullable": true}));
}

#[test]
fn the_first_example_stays() {
    becomes(json!({"examples": ["a", "b"]}), &json!({"example": "a"}));
    becomes(json!({"examples": []}), &json!({}));
    becomes(
        json!({"examples": ["a"], "example": "b"}),
        &json!({"example": "b"}),
    );
}

#[test]
fn exclusive_bounds_are_flags() {
    becomes(
        json!({"exclusiveMinimum": 1, "exclusiveMaximum": 9}),
        &json!({"minimum": 1, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": true}),
    );
    // Of two bounds the tighter one holds.
    becomes(
        json!({"exclusiveMinimum": 1, "minimum": 2}),
        &json!({"minimum": 2}),
    );
    becomes(
        json!({"exclusiveMaximum": 2, "maximum": 2}),
        &json!({"maximum": 2, "exclusiveMaximum": true}),
    );
}

#[test]
fn bytes_are_a_format() {
    becomes(
        json!({"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}),
        &json!({"type": "string", "format": "byte"}),
    );
    becomes(
        json!({"type": "string", "contentMediaType": "application/octet-stream"}),
        &json!({"type": "string", "format": "binary"}),
    );
    becomes(
        json!({"type": "string", "contentMediaType": "text/html"}),
        &json!({"type": "string"}),
    );
}

#[test]
fn what_cannot_be_said_is_left_out_and_forbids_nothing_more() {
    becomes(
        json!({
            "type": "object", "if": {"required": ["a"]}, "then": {}, "else": {}, "propertyNames": {"maxLength": 3},
            "patternProperties": {"^x-": {"type": "string"}}, "additionalProperties": false,
        }),
        &json!({"type": "object"}),
    );
    becomes(
        json!({"type": "array", "prefixItems": [{"const": 1}, {"type": "string"}], "items": false}),
        &json!({"type": "array", "items": {"anyOf": [{"enum": [1]}, {"type": "string"}]}}),
    );
    becomes(
        json!({"type": "array", "prefixItems": [{"const": 1}]}),
        &json!({"type": "array", "items": {"anyOf": [{"enum": [1]}, {}]}}),
    );
}

#[test]
fn schemas_that_are_booleans_are_written_out() {
    becomes(
        json!({"properties": {"a": true, "b": false}, "additionalProperties": false}),
        &json!({"properties": {"a": {}, "b": {"not": {}}}, "additionalProperties": false}),
    );
}

#[test]
fn names_and_data_are_not_taken_for_keywords() {
    let data = json!({"const": 1, "type": ["a", "null"], "examples": [1]});
    let newer = json!({
        "type": "object", "default": data, "example": data, "enum": [data],
        "properties": {"const": {"type": "string"}, "examples": {"const": 1}, "schema": {"type": "string"}},
    });
    let mut older = newer.clone();
    older["properties"]["examples"] = json!({"enum": [1]});
    becomes(newer, &older);
    let media_type =
        json!({"paths": {"/a": {"get": {"content": {"x/y": {"example": {"schema": {"const": 1}}}}}}}});
    assert_eq!(to_3_0(media_type.clone()), media_type);
}

#[test]
fn schemas_are_found_wherever_they_are() {
    let schema = json!({"const": 1});
    let content = json!({"application/json": {"schema": schema}});
    let older = to_3_0(json!({
        "openapi": "3.1.0",
        "paths": {"/a": {
            "parameters": [{"schema": schema}, {"$ref": "#/components/parameters/A", "description": "mine"}],
            "post": {
                "requestBody": {"content": content},
                "responses": {"default": {"content": content, "headers": {"H": {"schema": schema}}}},
            },
        }},
        "components": {"schemas": {"schema": schema, "example": schema}},
    }));
    assert_eq!(left_of_3_1(&older), Vec::<String>::new());
    assert_eq!(older.to_string().matches(r#"{"enum":[1]}"#).count(), 6);
    assert_eq!(older.to_string().matches("mine").count(), 0);
}

#[test]
fn what_is_new_around_the_schemas_goes() {
    let older = to_3_0(json!({
        "openapi": "3.1.0", "jsonSchemaDialect": "x", "webhooks": {}, "paths": {},
        "info": {"title": "A", "summary": "B", "license": {"name": "C", "identifier": "D"}},
        "components": {"pathItems": {}},
    }));
    let wanted = json!({
        "openapi": "3.0.3", "paths": {}, "info": {"title": "A", "license": {"name": "C"}}, "components": {},
    });
    assert_eq!(older, wanted);
}

#[test]
fn nothing_of_3_1_is_left_in_the_document_that_is_served() {
    let document = serde_json::to_value(crate::http::openapi::document()).unwrap();
    assert!(
        left_of_3_1(&document).len() > 1,
        "the search finds what is there before"
    );
    assert_eq!(left_of_3_1(&to_3_0(document)), Vec::<String>::new());
}

/// Every place with a word that 3.0 does not have, found by another walk than that of the conversion: whatever is not
/// data or a name is taken for a keyword.
fn left_of_3_1(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    search(document, "", false, &mut found);
    found
}

fn search(value: &Value, place: &str, names: bool, found: &mut Vec<String>) {
    let Value::Object(fields) = value else {
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            search(item, &format!("{place}/{index}"), false, found);
        }
        return;
    };
    for (name, below) in fields {
        let place = format!("{place}/{name}");
        if !names && is_newer(name, below, fields.len()) {
            found.push(place.clone());
        }
        let data = matches!(name.as_str(), "example" | "examples" | "enum" | "const");
        let data = data || name == "default" && !place.contains("/responses/");
        if names || !data {
            let map = matches!(
                name.as_str(),
                "properties" | "schemas" | "responses" | "headers" | "paths" | "parameters"
            );
            search(below, &place, !names && map, found);
        }
    }
}

fn is_newer(name: &str, value: &Value, beside: usize) -> bool {
    match name {
        "openapi" => value != "3.0.3",
        "type" => value.is_array() || value == "null",
        "exclusiveMinimum" | "exclusiveMaximum" => !value.is_boolean(),
        "examples" => value.is_array(),
        "$ref" => beside > 1,
        "const" | "contentEncoding" | "contentMediaType" | "identifier" | "jsonSchemaDialect"
        | "patternProperties" | "pathItems" | "prefixItems" | "webhooks" => true,
        _ => WITHOUT_COUNTERPART.contains(&name),
    }
}
