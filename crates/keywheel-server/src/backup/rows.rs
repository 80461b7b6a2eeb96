//! Rows as bytes: the name of the table, those of its columns, then value after value, each with a byte that says
//! what it is. Numbers are most significant first.

use keywheel_store::dump::{Cell, Rows};

const NULL: u8 = 0;
const INT: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;
const BYTES: u8 = 4;

/// None if something is longer than a length can say: 4 GB.
pub(super) fn to_bytes(rows: &Rows) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    put_bytes(&mut bytes, rows.table.as_bytes())?;
    put_count(&mut bytes, rows.columns.len())?;
    for column in &rows.columns {
        put_bytes(&mut bytes, column.as_bytes())?;
    }
    put_count(&mut bytes, rows.rows.len())?;
    for cell in rows.rows.iter().flatten() {
        put_cell(&mut bytes, cell)?;
    }
    Some(bytes)
}

fn put_count(bytes: &mut Vec<u8>, count: usize) -> Option<()> {
    bytes.extend(u32::try_from(count).ok()?.to_be_bytes());
    Some(())
}

fn put_bytes(bytes: &mut Vec<u8>, content: &[u8]) -> Option<()> {
    put_count(bytes, content.len())?;
    bytes.extend(content);
    Some(())
}

fn put_cell(bytes: &mut Vec<u8>, cell: &Cell) -> Option<()> {
    match cell {
        Cell::Null => bytes.push(NULL),
        Cell::Int(number) => {
            bytes.push(INT);
            bytes.extend(number.to_be_bytes());
        }
        Cell::Real(number) => {
            bytes.push(REAL);
            bytes.extend(number.to_bits().to_be_bytes());
        }
        Cell::Text(text) => {
            bytes.push(TEXT);
            put_bytes(bytes, text.as_bytes())?;
        }
        Cell::Bytes(content) => {
            bytes.push(BYTES);
            put_bytes(bytes, content)?;
        }
    }
    Some(())
}

/// None if these are no rows.
pub(super) fn from_bytes(bytes: &[u8]) -> Option<Rows> {
    let mut rest = Rest(bytes);
    let table = rest.text()?;
    let columns = (0..rest.count()?)
        .map(|_| rest.text())
        .collect::<Option<Vec<_>>>()?;
    let count = rest.count()?;
    let mut rows = Vec::new();
    for _ in 0..count {
        rows.push(columns.iter().map(|_| rest.cell()).collect::<Option<_>>()?);
    }
    rest.0.is_empty().then_some(Rows { table, columns, rows })
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(u32::from_be_bytes(self.array()?)).ok()
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let length = self.count()?;
        self.take(length).map(<[u8]>::to_vec)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?).ok()
    }

    fn cell(&mut self) -> Option<Cell> {
        let [kind] = self.array()?;
        Some(match kind {
            NULL => Cell::Null,
            INT => Cell::Int(i64::from_be_bytes(self.array()?)),
            REAL => Cell::Real(f64::from_bits(u64::from_be_bytes(self.array()?))),
            TEXT => Cell::Text(self.text()?),
            BYTES => Cell::Bytes(self.bytes()?),
            _ => return None,
        })
    }
}
