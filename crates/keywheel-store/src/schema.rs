//! The version of a database, and those that this program knows.

/// One version of the schema.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SchemaVersion {
    /// Counted up by one.
    pub number: i64,
    /// What it brought.
    pub name: &'static str,
}

/// Where a database stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schema {
    /// The version of the database; 0 if it is empty, none if there is no database.
    pub found: Option<i64>,
    /// All that this program knows; the last one is what it needs.
    pub known: &'static [SchemaVersion],
}

impl Schema {
    /// The version that this program needs.
    pub fn newest(&self) -> i64 {
        self.known.last().map_or(0, |version| version.number)
    }

    /// What is missing in the database.
    pub fn pending(&self) -> &'static [SchemaVersion] {
        let found = self.found.unwrap_or_default();
        let done = self.known.partition_point(|version| version.number <= found);
        self.known.get(done..).unwrap_or_default()
    }

    /// Whether a later version of Keywheel has changed the database.
    pub fn is_newer(&self) -> bool {
        self.found.is_some_and(|found| found > self.newest())
    }
}
