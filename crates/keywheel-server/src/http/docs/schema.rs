//! Reads a schema in words for people: its type and its limits.

use serde_json::Value;

/// How far schemas in schemas are followed: deeper than any body is, and an end for schemas that hold themselves.
pub(super) const DEPTH_MAX: usize = 8;

/// A document whose references can be followed.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a Value);

impl<'a> Reader<'a> {
    /// What a reference refers to.
    pub(super) fn resolve(self, schema: &'a Value) -> &'a Value {
        let target = schema["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
        target.and_then(|path| self.0.pointer(path)).unwrap_or(schema)
    }

    /// A keyword of a schema, or of the one that it stands for.
    pub(super) fn find(self, schema: &'a Value, keyword: &str) -> &'a Value {
        let mut found = schema;
        for _ in 0..DEPTH_MAX {
            if !found[keyword].is_null() {
                break;
            }
            found = match (self.resolve(found), variants(found).as_slice()) {
                (target, _) if !std::ptr::eq(target, found) => target,
                (_, [only]) => only,
                _ => break,
            };
        }
        &found[keyword]
    }

    /// The type in words. `depth` tells how deep in other types it is asked for.
    pub(super) fn kind(self, schema: &'a Value, depth: usize) -> String {
        if depth == DEPTH_MAX {
            return "any".to_owned();
        }
        let schema = self.resolve(schema);
        let mut kinds: Vec<String> = match &schema["type"] {
            Value::Null if schema["properties"].is_object() => vec!["object".to_owned()],
            Value::Null => variants(schema)
                .into_iter()
                .chain(list(&schema["allOf"]))
                .map(|part| self.kind(part, depth + 1))
                .collect(),
            Value::Array(listed) => listed.iter().map(|one| text(one).to_owned()).collect(),
            one => vec![text(one).to_owned()],
        };
        if ["anyOf", "oneOf"]
            .iter()
            .any(|keyword| list(&schema[*keyword]).any(is_null))
        {
            kinds.push("null".to_owned());
        }
        kinds.dedup();
        for kind in &mut kinds {
            match (kind.as_str(), schema["format"].as_str()) {
                ("array", _) => *kind = format!("array of {}", self.kind(&schema["items"], depth + 1)),
                ("string" | "integer" | "number", Some(format)) => *kind = format!("{kind} ({format})"),
                _ => {}
            }
        }
        if kinds.is_empty() {
            "any".to_owned()
        } else {
            kinds.join(" or ")
        }
    }

    /// What the value has to be like, apart from its type.
    pub(super) fn limits(self, schema: &'a Value) -> Vec<String> {
        let find = |keyword| self.find(schema, keyword);
        let range = |least, most, unit| range(find(least), find(most), unit);
        let values = only_value(schema).map(|value| format!("always `{value}`"));
        let values = values.or_else(|| {
            let listed: Vec<_> = list(find("enum")).map(|value| format!("`{value}`")).collect();
            (!listed.is_empty()).then(|| listed.join(", "))
        });
        let items = find("items");
        let of_items = if items.is_null() {
            Vec::new()
        } else {
            self.limits(items)
        };
        let example = Some(find("example")).filter(|value| !value.is_null());
        let example = example.or_else(|| list(find("examples")).next());
        let flag = |keyword, words: &str| (find(keyword) == true).then(|| words.to_owned());
        [
            values,
            range("minLength", "maxLength", " characters"),
            range("minimum", "maximum", ""),
            range("exclusiveMinimum", "exclusiveMaximum", ", both excluded"),
            range("minItems", "maxItems", " items"),
            range("minProperties", "maxProperties", " fields"),
            flag("uniqueItems", "each item once"),
            find("multipleOf")
                .as_number()
                .map(|number| format!("a multiple of {number}")),
            find("pattern")
                .as_str()
                .map(|pattern| format!("matches `{pattern}`")),
            flag("writeOnly", "never answered"),
            flag("readOnly", "only in answers"),
            flag("deprecated", "deprecated"),
            example.map(|value| format!("such as `{value}`")),
        ]
        .into_iter()
        .flatten()
        .chain(of_items.into_iter().map(|limit| format!("each: {limit}")))
        .collect()
    }
}

/// A text, or nothing.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The items of an array, or nothing.
pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn is_null(schema: &Value) -> bool {
    schema["type"] == "null"
}

/// The forms that a value may have, `null` apart.
pub(super) fn variants(schema: &Value) -> Vec<&Value> {
    ["oneOf", "anyOf"]
        .iter()
        .flat_map(|keyword| list(&schema[*keyword]))
        .filter(|variant| !is_null(variant))
        .collect()
}

/// The value of a schema that allows one only.
pub(super) fn only_value(schema: &Value) -> Option<&Value> {
    let constant = schema.get("const");
    constant.or_else(|| match schema["enum"].as_array()?.as_slice() {
        [only] => Some(only),
        _ => None,
    })
}

fn range(least: &Value, most: &Value, unit: &str) -> Option<String> {
    match (least.as_number(), most.as_number()) {
        (None, None) => None,
        (Some(least), None) => Some(format!("at least {least}{unit}")),
        (None, Some(most)) => Some(format!("at most {most}{unit}")),
        (Some(least), Some(most)) if least == most => Some(format!("exactly {least}{unit}")),
        (Some(least), Some(most)) => Some(format!("{least} to {most}{unit}")),
    }
}
