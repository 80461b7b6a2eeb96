//! The fields that data may have, as rows of a table.

use serde_json::Value;

use super::prose::{Prose, prose};
use super::schema::{DEPTH_MAX, Reader, list, only_value, text, variants};

/// A field of a body, or a parameter.
pub(super) struct Field<'a> {
    /// Where it is, such as `keys[].state`.
    pub(super) name: String,
    /// Its type in words.
    pub(super) kind: String,
    pub(super) is_required: bool,
    /// When it is there, for one of several forms: `mode` is `"import"`.
    pub(super) condition: Option<String>,
    pub(super) limits: Vec<String>,
    pub(super) default: Option<String>,
    pub(super) description: Prose<'a>,
}

impl<'a> Reader<'a> {
    /// All fields of an object, those of objects in it too.
    pub(super) fn fields(self, schema: &'a Value) -> Vec<Field<'a>> {
        let mut fields = Vec::new();
        self.add(&mut fields, schema, "", None, 0);
        fields
    }

    /// One field, without what is in it.
    pub(super) fn field(self, name: String, schema: &'a Value, is_required: bool) -> Field<'a> {
        let default = Some(self.find(schema, "default")).filter(|value| !value.is_null());
        Field {
            name,
            kind: self.kind(schema, 0),
            is_required,
            condition: None,
            limits: self.limits(schema),
            default: default.map(Value::to_string),
            description: prose(text(self.find(schema, "description"))),
        }
    }

    fn add(
        self,
        fields: &mut Vec<Field<'a>>,
        schema: &'a Value,
        path: &str,
        condition: Option<&str>,
        depth: usize,
    ) {
        if depth == DEPTH_MAX {
            return;
        }
        let schema = self.resolve(schema);
        for part in list(&schema["allOf"]) {
            self.add(fields, part, path, condition, depth + 1);
        }
        let variants = variants(schema);
        for variant in &variants {
            let own = self.discriminator(variant, path).filter(|_| variants.len() > 1);
            self.add(fields, variant, path, own.as_deref().or(condition), depth + 1);
        }
        self.add(
            fields,
            &schema["items"],
            &format!("{path}[]"),
            condition,
            depth + 1,
        );
        self.add(
            fields,
            &schema["additionalProperties"],
            &join(path, "*"),
            condition,
            depth + 1,
        );
        for (name, property, is_required) in properties(schema) {
            let path = join(path, name);
            let mut field = self.field(path.clone(), property, is_required);
            // What tells the forms apart is its own condition.
            field.condition = condition
                .filter(|_| only_value(self.resolve(property)).is_none())
                .map(str::to_owned);
            fields.push(field);
            self.add(fields, property, &path, condition, depth + 1);
        }
    }

    /// What tells one of several forms apart: a field with a single value.
    fn discriminator(self, variant: &'a Value, path: &str) -> Option<String> {
        properties(self.resolve(variant)).find_map(|(name, property, _)| {
            let value = only_value(self.resolve(property))?;
            Some(format!("`{}` is `{value}`", join(path, name)))
        })
    }
}

/// The fields of an object and whether they have to be there; those that have to come first.
fn properties(schema: &Value) -> impl Iterator<Item = (&str, &Value, bool)> {
    let named = || schema["properties"].as_object().into_iter().flatten();
    let is_required = |name: &str| list(&schema["required"]).any(|required| required == name);
    [true, false].into_iter().flat_map(move |wanted| {
        named()
            .filter(move |(name, _)| is_required(name) == wanted)
            .map(move |(name, property)| (name.as_str(), property, wanted))
    })
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Name, type, condition, limits and default of each field.
    fn rows(document: &Value, schema: &Value) -> Vec<[String; 5]> {
        Reader(document)
            .fields(schema)
            .into_iter()
            .map(|field| {
                let star = if field.is_required { "*" } else { "" };
                [
                    format!("{}{star}", field.name),
                    field.kind,
                    field.condition.unwrap_or_default(),
                    field.limits.join("; "),
                    field.default.unwrap_or_default(),
                ]
            })
            .collect()
    }

    #[test]
    fn fields_show_type_limits_and_default_those_that_are_required_first() {
        let schema = json!({
            "type": "object", "required": ["name"],
            "properties": {
                "count": {"type": "integer", "minimum": 1, "maximum": 9, "default": 3},
                "name": {"type": ["string", "null"], "minLength": 1, "maxLength": 64, "examples": ["a"]},
                "tags": {"type": "array", "maxItems": 2, "items": {"type": "string", "maxLength": 5}},
            },
        });
        assert_eq!(
            rows(&json!({}), &schema),
            [
                [
                    "name*",
                    "string or null",
                    "",
                    "1 to 64 characters; such as `\"a\"`",
                    ""
                ],
                ["count", "integer", "", "1 to 9", "3"],
                [
                    "tags",
                    "array of string",
                    "",
                    "at most 2 items; each: at most 5 characters",
                    ""
                ],
            ]
        );
    }

    #[test]
    fn references_are_followed_into_objects_and_their_ends_come_soon() {
        let document = json!({"components": {"schemas": {
            "A": {"type": "object", "description": "An A", "properties": {"b": {"type": "string", "format": "uuid"}}},
            "Loop": {"type": "object", "properties": {"again": {"$ref": "#/components/schemas/Loop"}}},
        }}});
        let schema = json!({"properties": {
            "list": {"type": "array", "items": {"$ref": "#/components/schemas/A"}},
            "one": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/A"}]},
        }});
        let seen = rows(&document, &schema);
        let seen: Vec<_> = seen
            .iter()
            .map(|row| (row[0].as_str(), row[1].as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                ("list", "array of object"),
                ("list[].b", "string (uuid)"),
                ("one", "object or null"),
                ("one.b", "string (uuid)"),
            ]
        );
        let reader = Reader(&document);
        let described = reader.field(String::new(), &schema["properties"]["one"], false);
        assert_eq!(described.description[0][0].text, "An A");
        assert!(rows(&document, &json!({"$ref": "#/components/schemas/Loop"})).len() <= DEPTH_MAX);
    }

    #[test]
    fn fields_of_one_form_say_when_they_are_there() {
        let schema = json!({"properties": {"how": {"oneOf": [
            {"properties": {"mode": {"enum": ["a"]}, "x": {"type": "string"}}},
            {"properties": {"mode": {"const": "b"}, "y": {"type": "boolean"}}},
        ]}}});
        let seen = rows(&json!({}), &schema);
        let seen: Vec<_> = seen
            .iter()
            .map(|row| (row[0].as_str(), row[2].as_str(), row[3].as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                ("how", "", ""),
                ("how.mode", "", "always `\"a\"`"),
                ("how.x", "`how.mode` is `\"a\"`", ""),
                ("how.mode", "", "always `\"b\"`"),
                ("how.y", "`how.mode` is `\"b\"`", ""),
            ]
        );
    }
}
