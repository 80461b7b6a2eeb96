//! Holds the answers of the rotation endpoints against the schemas of the contract (`tests/contract`).

use std::sync::LazyLock;

use axum::http::Method;
use jsonschema::Validator;
use serde_json::{Value, json};

/// The rotations of all types.
const ALL: &str = "/api/v2/secret-rotations";
/// The rotations of the one type that there is.
const BASE: &str = "/api/v2/secret-rotations/aws-iam-user-secret";

/// A request body of a create.
pub static CREATE: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../../contract/create-request.json")));
/// A request body of an update.
pub static UPDATE: LazyLock<Validator> =
    LazyLock::new(|| validator(include_str!("../../contract/update-request.json")));
static ERRORS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../contract/errors.json")).unwrap());
static ONE: LazyLock<Validator> = LazyLock::new(|| build(&wrapped("secretRotation", &rotation())));
static MANY: LazyLock<Validator> = LazyLock::new(|| {
    build(&wrapped(
        "secretRotations",
        &json!({"type": "array", "items": rotation()}),
    ))
});

fn rotation() -> Value {
    serde_json::from_str(include_str!("../../contract/secret-rotation.json")).unwrap()
}

fn wrapped(key: &str, schema: &Value) -> Value {
    json!({"type": "object", "properties": {key: schema}, "required": [key], "additionalProperties": false})
}

fn validator(text: &str) -> Validator {
    build(&serde_json::from_str(text).unwrap())
}

fn build(schema: &Value) -> Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .build(schema)
        .unwrap()
}

/// Where an answer breaks the contract; empty if it keeps it, or if the contract has no schema for it.
pub fn violations(method: &Method, path: &str, status: u16, body: &[u8]) -> Vec<String> {
    let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
    if !path.starts_with(ALL) {
        return Vec::new();
    }
    let body = || serde_json::from_slice(body).unwrap_or(Value::Null);
    match status {
        200 if answers_many(method, path) => faults(&MANY, &body()),
        200 if answers_one(path) => faults(&ONE, &body()),
        // No route: that 404 is the same for the whole API and not of these endpoints.
        404 if body()["error"] == "Not Found" => Vec::new(),
        _ => match ERRORS.get(status.to_string()) {
            Some(schema) => faults(&build(schema), &body()),
            None => Vec::new(),
        },
    }
}

/// Where a value breaks a schema.
pub fn faults(validator: &Validator, value: &Value) -> Vec<String> {
    let place = |fault: jsonschema::ValidationError<'_>| format!("{}: {fault}", fault.instance_path());
    validator.iter_errors(value).map(place).collect()
}

fn answers_many(method: &Method, path: &str) -> bool {
    method == Method::GET && (path == ALL || path == BASE)
}

/// Whether a success there shows one rotation, and not a sub-resource of Keywheel's or the credentials.
fn answers_one(path: &str) -> bool {
    let Some(rest) = path.strip_prefix(BASE) else {
        return false;
    };
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        ["preview" | "schedule"] => false,
        [] | [_] | ["rotation-name" | "move", _] => true,
        [_, sub] => *sub == "rotate-secrets",
        _ => false,
    }
}
