//! What is read from a document, by examples.

use serde_json::json;

use super::*;

#[test]
fn groups_follow_the_tags_and_operations_the_methods() {
    let operation = |id: &str, tag: &str| json!({"operationId": id, "tags": [tag]});
    let document = json!({
        "tags": [{"name": "second"}, {"name": "first"}, {"name": "unused"}],
        "paths": {
            "/a": {"delete": operation("a2", "first"), "get": operation("a1", "first")},
            "/b": {"get": operation("b1", "second"), "patch": {"operationId": "b2"}},
        },
    });
    let page = Page::new(&document);
    let seen: Vec<_> = page
        .groups
        .iter()
        .map(|group| {
            (
                group.name,
                group.operations.iter().map(|one| one.id).collect::<Vec<_>>(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("second", vec!["b1"]),
            ("first", vec!["a1", "a2"]),
            (OTHERS, vec!["b2"])
        ]
    );
}

#[test]
fn the_line_about_the_permission_stands_apart() {
    let (description, permission) = without_permission("Does it.\nPermission: `edit` on `x`.\nAnd more.");
    assert_eq!(permission[0][0].text, "edit");
    let texts: Vec<_> = description.iter().map(|paragraph| paragraph[0].text).collect();
    assert_eq!(texts, ["Does it.", "And more."]);
}

#[test]
fn shared_answers_are_described_once_and_named_where_they_happen() {
    let operation = json!({"responses": {
        "200": {"headers": {"ETag": {"schema": {"type": "string"}}}},
        "404": {"$ref": "#/components/responses/Missing"},
    }});
    let schema = json!({"properties": {"message": {"type": "string"}}});
    let document = json!({
        "paths": {"/a": {"get": operation, "post": operation}},
        "components": {"responses": {
            "Missing": {"description": "No such thing", "content": {"application/json": {"schema": schema}}},
            "Unused": {},
        }},
    });
    let page = Page::new(&document);
    assert_eq!(page.shared.len(), 1);
    assert_eq!(page.shared[0].title, "Missing");
    assert_eq!(page.shared[0].content.fields[0].name, "message");
    let first = &page.groups[0].operations[0];
    assert_eq!(first.answers[0].headers, ["ETag"]);
    assert_eq!((page.headers.len(), page.headers[0].name.as_str()), (1, "ETag"));
    let refusal = &first.refusals[0];
    assert_eq!(
        (refusal.title, refusal.shared, refusal.description[0][0].text),
        ("404", Some("Missing"), "No such thing")
    );
    assert!(refusal.content.fields.is_empty());
}
