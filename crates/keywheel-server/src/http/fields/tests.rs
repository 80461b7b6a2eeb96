//! The reader, read.

use keywheel_core::names::Slug;
use serde_json::json;

use super::*;

fn issues(error: &ApiError) -> Value {
    serde_json::from_slice::<Value>(&error.body("req-1")).unwrap()["message"].clone()
}

#[test]
fn all_faults_are_answered_at_once_with_their_paths() {
    let given = json!({"name": "Nope", "time": {"hours": 24, "minutes": "x"}, "list": [1, "a"]});
    let mut fields = Fields::json(&given);
    let name = fields.required("name", |f| f.parsed(|t| Slug::parse("name", t)));
    let time = fields.required("time", |f| {
        f.object(|time| {
            let hours = time.required("hours", |f| f.number(0..=23));
            let minutes = time.required("minutes", |f| f.number(0..=59));
            Ok((hours?, minutes?))
        })
    });
    let list = fields.required("list", |f| f.list(0..=5, Field::text));
    let absent = fields.required("absent", Field::text);
    let error = fields.finish(|| Ok((name?, time?, list?, absent?))).unwrap_err();
    let answered = issues(&error);
    let shown: Vec<(String, String)> = answered
        .as_array()
        .unwrap()
        .iter()
        .map(|issue| {
            (
                issue["path"].to_string(),
                issue["message"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let expected = [
        (
            r#"["name"]"#,
            "name field can only contain lowercase letters, numbers, and hyphens",
        ),
        (r#"["time","hours"]"#, "Number must be less than or equal to 23"),
        (r#"["time","minutes"]"#, "Expected number, received string"),
        (r#"["list",0]"#, "Expected string, received number"),
        (r#"["absent"]"#, "Required"),
    ];
    assert_eq!(
        shown,
        expected.map(|(path, message)| (path.to_owned(), message.to_owned()))
    );
}

#[test]
fn a_whole_number_has_no_fraction_and_is_no_text() {
    for (value, read) in [
        (json!(30), Some(30)),
        (json!(30.0), Some(30)),
        (json!("30"), None),
        (json!(0), None),
        (json!(101), None),
        (json!(1.5), None),
        (json!(1e300), None),
        (json!(true), None),
    ] {
        let given = json!({"n": value});
        let mut fields = Fields::json(&given);
        let number = fields.required("n", |f| f.integer(1..=100));
        assert_eq!(fields.finish(|| number).ok(), read, "{given}");
    }
}

#[test]
fn numbers_and_booleans_are_read_from_texts_where_all_values_are_texts() {
    let given = json!({"n": "30", "b": "True"});
    let mut fields = Fields::texts(&given);
    let number = fields.required("n", |f| f.integer(1..=100));
    let boolean = fields.required("b", Field::boolean);
    assert_eq!(fields.finish(|| Ok((number?, boolean?))).unwrap(), (30, true));
    let mut fields = Fields::json(&given);
    let boolean = fields.required("b", Field::boolean);
    assert_eq!(
        issues(&fields.finish(|| boolean).unwrap_err())[0]["message"],
        "Expected boolean, received string"
    );
}

#[test]
fn an_interval_may_be_a_text_of_digits() {
    for (value, read) in [
        (json!("30"), Some(30)),
        (json!(30), Some(30)),
        (json!("1e1"), None),
        (json!("0"), None),
    ] {
        let given = json!({"n": value});
        let mut fields = Fields::json(&given);
        let number = fields.required("n", |f| f.integer_or_digits(36_500));
        assert_eq!(fields.finish(|| number).ok(), read, "{given}");
    }
}

#[test]
fn null_counts_as_absent_unless_it_is_refused() {
    let given = json!({"a": null});
    let mut fields = Fields::json(&given);
    assert!(matches!(fields.optional("a", Field::text), Ok(None)));
    let mut fields = Fields::json(&given).refusing_null();
    let text = fields.optional("a", Field::text);
    assert_eq!(
        issues(&fields.finish(|| text).unwrap_err())[0]["message"],
        "Expected string, received null"
    );
}

#[test]
fn a_missing_field_is_told_with_the_type_it_should_have() {
    let given = json!({});
    let mut fields = Fields::json(&given);
    let number = fields.required("n", |f| f.integer(1..=2));
    let object = fields.required("o", |f| f.object(|fields| fields.required("x", Field::text)));
    let told = issues(&fields.finish(|| Ok((number?, object?))).unwrap_err());
    assert_eq!(
        (&told[0]["expected"], &told[1]["expected"]),
        (&json!("number"), &json!("object"))
    );
    assert_eq!(told[0]["message"], "Required");
}

#[test]
fn no_text_has_a_character_that_a_database_cannot_keep() {
    let given = json!({"t": "a\u{0}b"});
    let mut fields = Fields::json(&given);
    let text = fields.required("t", Field::text);
    assert!(fields.finish(|| text).is_err());
}

/// Reads what a schema has to describe.
fn reader(mut fields: Fields<'_>) -> Result<(), ApiError> {
    let name = fields.required("name", |f| f.parsed(|t| Slug::parse("name", t)));
    let size = fields.or("size", 3, |f| f.integer(1..=10));
    let way = fields.optional("way", |f| f.tagged("kind", &[("a", |_| Ok(())), ("b", with_x)]));
    let list = fields.optional("list", |f| f.list(0..=2, Field::boolean));
    fields.finish(|| {
        name?;
        size?;
        way?;
        list.map(|_| ())
    })
}

fn with_x(fields: &mut Fields<'_>) -> Taken<()> {
    fields.required("x", Field::id::<uuid::Uuid>).map(|_| ())
}

#[test]
fn a_reader_leaves_the_schema_of_what_it_reads() {
    let pattern = r"^\s*[a-z0-9]+(-[a-z0-9]+)*\s*$";
    let kind = |word| json!({"type": "string", "enum": [word]});
    let expected = json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": pattern},
            "size": {"type": ["integer", "null"], "minimum": 1, "maximum": 10, "default": 3},
            "way": {"type": ["object", "null"], "oneOf": [
                {"type": "object", "properties": {"kind": kind("a")}, "required": ["kind"]},
                {"type": "object", "properties": {"kind": kind("b"), "x": {"type": "string", "format": "uuid"}},
                    "required": ["kind", "x"]},
                {"type": "null"},
            ]},
            "list": {"type": ["array", "null"], "minItems": 0, "maxItems": 2, "items": {"type": "boolean"}},
        },
    });
    assert_eq!(Sketch::json().of(reader), expected);
}

#[test]
fn a_list_with_commas_is_described_by_its_items() {
    let words = [("a", ()), ("b", ())];
    let described = Sketch::texts().of(|mut fields: Fields<'_>| {
        fields
            .optional("list", |f| f.comma_list(3, |item| item.one_of(&words)))
            .is_ok()
    });
    let pattern = r"^[\s,]*((a|b)(\s*,[\s,]*(a|b)){0,2})?[\s,]*$";
    assert_eq!(
        described["properties"]["list"],
        json!({"type": "string", "pattern": pattern})
    );
}

#[test]
fn a_query_is_described_as_texts() {
    let described =
        Sketch::texts().of(|mut fields: Fields<'_>| fields.or("all", false, Field::boolean).is_ok());
    let words = json!(["true", "false", "True", "False", "1", "0"]);
    assert_eq!(
        described["properties"]["all"],
        json!({"type": "string", "enum": words, "default": "false"})
    );
}

#[test]
fn a_patch_tells_absent_null_and_a_value_apart() {
    let given = json!({"b": null, "c": "x"});
    let mut fields = Fields::json(&given);
    let mut read = |key| fields.change(key, Field::text).unwrap();
    assert_eq!(
        (read("a"), read("b"), read("c")),
        (Change::Keep, Change::Clear, Change::Set("x".to_owned()))
    );
}

#[test]
fn a_body_that_is_no_object_is_one_issue() {
    let given = json!([]);
    let mut fields = Fields::json(&given);
    let name = fields.required("name", Field::text);
    let error = fields.finish(|| name).unwrap_err();
    assert_eq!(issues(&error)[0]["message"], "Expected object, received array");
    assert_eq!(issues(&error).as_array().unwrap().len(), 1);
}
