//! Keeps `docs/api-compatibility.md` true: every test that it names is there.

use std::path::{Path, PathBuf};

const TABLE: &str = include_str!("../../../../docs/api-compatibility.md");

/// A line of one of its tables: the rule, its state, and the tests that show it.
struct Row<'a> {
    rule: &'a str,
    state: &'a str,
    tests: Vec<&'a str>,
}

fn rows() -> Vec<Row<'static>> {
    let cells =
        |line: &'static str| -> Vec<&str> { line.trim_matches('|').split('|').map(str::trim).collect() };
    let lines = TABLE.lines().filter(|line| line.starts_with("| ")).map(cells);
    lines
        .filter(|cells| !cells[1].is_empty())
        .map(|cells| {
            let [rule, state, tests] = cells[..] else {
                panic!("not three cells: {cells:?}");
            };
            let tests = tests.split('`').filter(|part| part.contains("::")).collect();
            Row { rule, state, tests }
        })
        .collect()
}

/// The file of a test: below the tests of the API, or below the crates.
fn file(named: &str) -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    if named.starts_with("keywheel-") {
        package.join("..").join(named)
    } else {
        package.join("tests/api").join(named)
    }
}

#[test]
fn every_rule_of_the_compatibility_table_is_in_one_of_three_states() {
    let rows = rows();
    assert!(rows.len() > 150, "the table was not read as expected");
    for Row { rule, state, tests } in rows {
        let shown = match state {
            "kept" | "differs on purpose" => true,
            "not yet" => tests.is_empty(),
            _ => false,
        };
        assert!(shown, "{rule}: {state:?} with {tests:?}");
    }
}

#[test]
fn every_test_that_the_compatibility_table_names_exists() {
    let mut missing = Vec::new();
    for test in rows().into_iter().flat_map(|row| row.tests) {
        let (named, name) = test.split_once("::").unwrap();
        let source = std::fs::read_to_string(file(named)).unwrap_or_default();
        if !source.contains(&format!("fn {name}()")) {
            missing.push(test);
        }
    }
    assert_eq!(missing, [""; 0]);
}
