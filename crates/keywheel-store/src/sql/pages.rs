//! Statements that read a part of a list: behind a key, by the index of the order, and never more than the page.

use std::fmt;

use super::SqlStore;
use super::snapshot::places;
use super::value::{Reader, Value, args};
use crate::error::Result;
use crate::pages::{Keyed, Page, Part};

/// The order of a list: columns that are unique together.
#[derive(Clone, Copy)]
pub(super) enum Order {
    /// The lowest first.
    Up(&'static [&'static str]),
    /// The highest first.
    Down(&'static [&'static str]),
}

/// As the end of a statement.
impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up(columns) => write!(f, "ORDER BY {}", columns.join(", ")),
            Self::Down(columns) => write!(f, "ORDER BY {} DESC", columns.join(" DESC, ")),
        }
    }
}

/// A key as values, in the order of the columns.
pub(super) trait KeyValues {
    fn values(&self) -> Vec<Value>;
}

impl KeyValues for String {
    fn values(&self) -> Vec<Value> {
        args![self]
    }
}

impl<A: Clone, B: Clone> KeyValues for (A, B)
where
    Value: From<A> + From<B>,
{
    fn values(&self) -> Vec<Value> {
        args![self.0.clone(), self.1.clone()]
    }
}

/// Ends a statement with a condition, so that it reads a page and one row more.
pub(super) fn statement<K: KeyValues>(
    select: &str,
    order: Order,
    args: &mut Vec<Value>,
    page: &Page<K>,
) -> String {
    let (columns, sign) = match order {
        Order::Up(columns) => (columns, '>'),
        Order::Down(columns) => (columns, '<'),
    };
    let behind = page.after.as_ref().map_or_else(String::new, |after| {
        let key = after.values();
        let places = places(args.len(), key.len());
        args.extend(key);
        format!("AND ({}) {sign} ({places})", columns.join(", "))
    });
    let limit = page.size.map_or_else(String::new, |size| {
        args.push((i64::from(size) + 1).into());
        format!("LIMIT ${}", args.len())
    });
    format!("{select} {behind} {order} {limit}")
}

impl SqlStore {
    /// A part of the list that a statement selects.
    pub(super) async fn part<T: Keyed>(
        &self,
        select: &str,
        order: Order,
        mut args: Vec<Value>,
        page: &Page<T::Key>,
        read: fn(&mut Reader) -> Result<T>,
    ) -> Result<Part<T, T::Key>>
    where
        T::Key: KeyValues,
    {
        let sql = statement(select, order, &mut args, page);
        Ok(Part::cut(self.all(&sql, args, read).await?, page.size))
    }
}
