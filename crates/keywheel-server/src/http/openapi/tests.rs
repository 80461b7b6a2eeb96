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
fn every_operation_has_a_name_of_its_own() {
    let mut document = document().clone();
    let mut names = std::collections::BTreeSet::new();
    for (path, method, operation) in complete::operations(&mut document) {
        let name = operation["operationId"].as_str().unwrap().to_owned();
        assert!(names.insert(name.clone()), "{method} {path}: {name}");
    }
}
