//! Every column with sealed values, and how they come under another root key.

use async_trait::async_trait;

use super::adapter::{Dialect, Session};
use super::tables::{tuple, tuple_of_places};
use super::value::{Reader, Value, args};
use super::{SqlStore, all_in};
use crate::dump::{Cell, Rows};
use crate::error::{Result, StoreError};
use crate::sealed::{KEY_ID_AT, KEY_ID_BYTES, Rewrap, RewrapCursor, RootKeyId, SealedCount, SealedValues};
use crate::setup::setting;

/// A column with sealed values.
struct SealedColumn {
    table: &'static str,
    column: &'static str,
    /// The primary key, all of it texts.
    key: &'static [&'static str],
    /// Which rows, by the first column of their key; none is all. Values of the others are no sealed ones.
    only: Option<&'static [&'static str]>,
}

const fn sealed(table: &'static str, column: &'static str) -> SealedColumn {
    SealedColumn {
        table,
        column,
        key: &["id"],
        only: None,
    }
}

const fn settings(names: &'static [&'static str]) -> SealedColumn {
    SealedColumn {
        table: "instance_settings",
        column: "value",
        key: &["name"],
        only: Some(names),
    }
}

/// All of them but the check value.
const SEALED: &[SealedColumn] = &[
    sealed("secret_versions", "value"),
    sealed("secrets", "comment"),
    sealed("accounts", "totp_secret"),
    sealed("connections", "credentials"),
    SealedColumn {
        key: &["user_id", "access_key_id"],
        ..sealed("managed_keys", "secret")
    },
    sealed("webhooks", "url"),
    sealed("webhooks", "signing_key"),
    settings(&[setting::AUDIT_KEY, setting::TOKEN_KEY]),
];

/// The value that tells which root key a server needs.
const CHECK_VALUE: &[SealedColumn] = &[settings(&[setting::ROOT_KEY_CHECK])];

/// Every sealed value of these rows.
pub(crate) fn sealed_values(rows: &Rows) -> impl Iterator<Item = &[u8]> {
    let at = |column: &str| rows.columns.iter().position(|name| name == column);
    let places = SEALED
        .iter()
        .chain(CHECK_VALUE)
        .filter(|place| place.table == rows.table);
    let columns = places.filter_map(move |place| Some((place, at(place.column)?, at(place.key.first()?)?)));
    columns.flat_map(move |(place, column, key)| {
        let cells = rows.rows.iter().map(move |row| (row.get(column), row.get(key)));
        cells.filter_map(|(value, key)| match (value, key) {
            (Some(Cell::Bytes(value)), Some(Cell::Text(key))) if place.has(key) => Some(value.as_slice()),
            _ => None,
        })
    })
}

/// Rows that are looked at together. A tenth of them is written before anybody else gets a turn.
const LOOKED_AT: i64 = 1_000;
/// Values that are written in one transaction: short enough that no request notices that it waited.
const WRITTEN: usize = 100;

#[async_trait]
impl SealedValues for SqlStore {
    async fn sealed_counts(&self) -> Result<Vec<SealedCount>> {
        let mut counts = Vec::new();
        let mut session = self.begin_snapshot().await?;
        session.without_limits().await?;
        let values = SEALED.iter().map(|place| (place, false));
        for (place, is_check_value) in values.chain(CHECK_VALUE.iter().map(|place| (place, true))) {
            let SealedColumn { table, column, .. } = place;
            let (id, only) = (place.key_id(), place.only());
            let sql = format!(
                "SELECT {id}, COUNT(*) FROM {table} WHERE {only} AND {column} IS NOT NULL GROUP BY {id} ORDER BY {id}"
            );
            for (root_key, values) in
                all_in(&mut session, &sql, args![], |r| Ok((key_id(r)?, r.int()?))).await?
            {
                counts.push(SealedCount {
                    table,
                    column,
                    root_key,
                    values: values.unsigned_abs(),
                    is_check_value,
                });
            }
        }
        Ok(counts)
    }

    async fn rewrap_some(
        &self,
        cursor: &mut RewrapCursor,
        current: RootKeyId,
        rewrap: &Rewrap<'_>,
    ) -> Result<u64> {
        let places = if cursor.of_check_value {
            CHECK_VALUE
        } else {
            SEALED
        };
        let Some(place) = places.get(cursor.place) else {
            cursor.is_over = true;
            return Ok(0);
        };
        let ids = self.look(place, &cursor.after).await?;
        let others: Vec<_> = ids.iter().filter(|(_, id)| *id != current).collect();
        let mut written = 0;
        for part in others.chunks(WRITTEN) {
            let keys: Vec<_> = part.iter().map(|(key, _)| key).collect();
            let mut session = self.write_aside().await?;
            written += place
                .write(&mut session, self.backend.dialect(), &keys, rewrap)
                .await?;
            session.commit().await?;
        }
        if let Some((last, _)) = ids.into_iter().next_back() {
            cursor.after = last;
        } else {
            cursor.place += 1;
            cursor.after.clear();
        }
        Ok(written)
    }
}

/// The value of a row, and the key of that.
type Held = (Vec<u8>, Vec<String>);

/// The key of a row, and the root key of its value.
type Looked = (Vec<String>, RootKeyId);

impl SqlStore {
    /// The next rows of a column.
    async fn look(&self, place: &SealedColumn, after: &[String]) -> Result<Vec<Looked>> {
        let SealedColumn {
            table, column, key, ..
        } = place;
        let only = place.only();
        let behind = match after.len() {
            0 => String::new(),
            count => format!("AND {} > {}", tuple(key), tuple_of_places(1, count)),
        };
        let sql = format!(
            "SELECT {id}, {keys} FROM {table} WHERE {only} AND {column} IS NOT NULL {behind} ORDER BY {keys} \
             LIMIT {LOOKED_AT}",
            id = place.key_id(),
            keys = key.join(", "),
        );
        let args = after.iter().map(Value::from).collect();
        let read: fn(&mut Reader) -> Result<Looked> = match key.len() {
            1 => |r| key_id(r).and_then(|id| Ok((vec![r.text()?], id))),
            _ => |r| key_id(r).and_then(|id| Ok((vec![r.text()?, r.text()?], id))),
        };
        // Many rows may have no value there.
        let mut session = self.begin_snapshot().await?;
        session.without_limits().await?;
        all_in(&mut session, &sql, args, read).await
    }
}

impl SealedColumn {
    /// Whether the value of a row, by the first column of its key, is sealed.
    fn has(&self, key: &str) -> bool {
        self.only.is_none_or(|names| names.contains(&key))
    }

    /// The same as a condition. The names are ours, and need no quoting.
    fn only(&self) -> String {
        match (self.only, self.key.first()) {
            (Some(names), Some(key)) => format!("{key} IN ('{}')", names.join("', '")),
            _ => "TRUE".to_owned(),
        }
    }

    /// The id of the root key, out of the sealed bytes. The databases count from 1.
    fn key_id(&self) -> String {
        format!("substr({}, {}, {KEY_ID_BYTES})", self.column, KEY_ID_AT + 1)
    }

    /// Brings the values of some rows under the current root key.
    async fn write(
        &self,
        session: &mut Box<dyn Session>,
        dialect: Dialect,
        keys: &[&Vec<String>],
        rewrap: &Rewrap<'_>,
    ) -> Result<u64> {
        let Self {
            table, column, key, ..
        } = self;
        let width = key.len();
        let wanted: Vec<_> = (0..keys.len())
            .map(|row| tuple_of_places(row * width + 1, width))
            .collect();
        // Whoever holds a row is never waited for: two that wait for each other would not end.
        let hold = match dialect {
            Dialect::Sqlite => "",
            Dialect::Postgres => "FOR NO KEY UPDATE SKIP LOCKED",
        };
        let sql = format!(
            "SELECT {column}, {keys} FROM {table} WHERE {tuple} IN ({rows}) AND {column} IS NOT NULL {hold}",
            keys = key.join(", "),
            tuple = tuple(key),
            rows = if width == 1 {
                wanted.join(", ")
            } else {
                format!("VALUES {}", wanted.join(", "))
            },
        );
        let args = keys.iter().flat_map(|key| key.iter().map(Value::from)).collect();
        let read: fn(&mut Reader) -> Result<Held> = match width {
            1 => |r| Ok((r.bytes()?, vec![r.text()?])),
            _ => |r| Ok((r.bytes()?, vec![r.text()?, r.text()?])),
        };
        let mut written = 0;
        for (sealed, row) in all_in(session, &sql, args, read).await? {
            let anew = rewrap(&sealed).ok_or_else(|| {
                StoreError::corrupt(format!("{table}.{column} of {}: no sealed value", row.join(", ")))
            })?;
            let own = tuple_of_places(2, width);
            let update = format!("UPDATE {table} SET {column} = $1 WHERE {} = {own}", tuple(key));
            let args = std::iter::once(Value::from(anew)).chain(row.iter().map(Value::from));
            written += session.execute(&update, args.collect()).await?;
        }
        Ok(written)
    }
}

fn key_id(r: &mut Reader) -> Result<RootKeyId> {
    let bytes = r.bytes()?;
    RootKeyId::try_from(bytes).map_err(|_| StoreError::corrupt("a sealed value that is too short"))
}
