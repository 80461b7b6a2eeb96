//! Keeps migrations to additions: while nodes are upgraded one after the other, those of the version before work on the
//! new schema. `CONTRIBUTING.md` tells the rule.

use super::{POSTGRES, SQLITE};

/// The last version that only one node at a time could have met.
const LAST_FOR_ONE_NODE: i64 = 9;

/// What may be taken away after all, because nothing has used it since an earlier release: the version of the schema, the
/// statement in capitals with single blanks, and that release.
const UNUSED: &[(i64, &str, &str)] = &[];

/// The statements that take something away from whoever works on the schema as it was.
fn takings(sql: &str) -> Vec<String> {
    let code = sql.lines().filter_map(|line| line.split("--").next());
    let code = code.collect::<Vec<_>>().join(" ").to_uppercase();
    let statements = code.split(';').map(|statement| {
        let words: Vec<&str> = statement.split_whitespace().collect();
        words.join(" ")
    });
    statements.filter(|statement| takes_away(statement)).collect()
}

fn takes_away(statement: &str) -> bool {
    if statement.starts_with("DROP TABLE") {
        return true;
    }
    let Some(change) = statement.strip_prefix("ALTER TABLE") else {
        return false;
    };
    let has = |words| change.contains(words);
    let fewer_rows_fit = has("SET NOT NULL") || has("ADD CONSTRAINT") || (has(" ALTER ") && has(" TYPE "));
    // Whoever does not know the column gives it no value.
    let value_needed = has(" ADD ") && has("NOT NULL") && !has("DEFAULT");
    let drops = change.replace("DROP NOT NULL", "").replace("DROP CONSTRAINT", "");
    fewer_rows_fit || value_needed || has(" RENAME ") || drops.contains(" DROP ")
}

#[test]
fn a_new_version_takes_nothing_away_that_nodes_of_the_version_before_use() {
    for (version, name, sql) in SQLITE.iter().chain(POSTGRES) {
        for taking in takings(sql) {
            let listed = |(at, what, release): &&(i64, &str, &str)| {
                at == version && *what == taking && *release != env!("CARGO_PKG_VERSION")
            };
            assert!(
                *version <= LAST_FOR_ONE_NODE || UNUSED.iter().any(|unused| listed(&unused)),
                "version {version}, {name}: `{taking}` has to wait for the release after the one that stops using it"
            );
        }
    }
}

#[test]
fn every_way_to_take_away_is_noticed() {
    for taking in [
        "DROP TABLE runs",
        "ALTER TABLE runs DROP COLUMN node",
        "alter table runs\n    drop node",
        "ALTER TABLE runs RENAME TO history",
        "ALTER TABLE runs RENAME COLUMN node TO place",
        "ALTER TABLE runs ALTER COLUMN node SET NOT NULL",
        "ALTER TABLE runs ALTER COLUMN node DROP DEFAULT",
        "ALTER TABLE runs ALTER COLUMN fence TYPE integer",
        "ALTER TABLE runs ADD CONSTRAINT runs_key UNIQUE (node)",
        "ALTER TABLE runs ADD COLUMN place text NOT NULL",
    ] {
        let among_others = format!("CREATE INDEX a ON runs (id); -- why\n{taking};");
        assert_eq!(takings(&among_others).len(), 1, "{taking}");
    }
    for addition in [
        "CREATE TABLE nodes (id text PRIMARY KEY, type text NOT NULL)",
        "ALTER TABLE runs ADD COLUMN place text",
        "ALTER TABLE runs ADD COLUMN tries bigint NOT NULL DEFAULT 0",
        "ALTER TABLE runs ALTER COLUMN node DROP NOT NULL",
        "DROP INDEX runs_by_user",
        "-- DROP TABLE runs",
    ] {
        assert!(takings(addition).is_empty(), "{addition}");
    }
}
