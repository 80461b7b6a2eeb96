//! Parts of long lists. A page begins behind a key of the list's order and not behind a number of rows, so that rows that
//! come or go meanwhile neither repeat nor hide others.

/// What is wanted of a list. `K` is what its rows are ordered by, together unique.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Page<K> {
    /// The most rows; none for all there are.
    pub size: Option<u32>,
    /// Only what comes behind this key, whether a row has it or not.
    pub after: Option<K>,
}

impl<K> Page<K> {
    /// The whole list.
    pub const fn whole() -> Self {
        Self {
            size: None,
            after: None,
        }
    }
}

/// What was found: some rows of a list, in its order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part<T, K> {
    /// The rows.
    pub rows: Vec<T>,
    /// The key of the last of them, if there are more behind it.
    pub next: Option<K>,
}

impl<T: Keyed> Part<T, T::Key> {
    /// A page of rows, of which one more was read if there is one.
    pub fn cut(rows: Vec<T>, size: Option<u32>) -> Self {
        Self::cut_by(rows, size, Keyed::key)
    }
}

impl<T, K> Part<T, K> {
    /// The same for rows of a list that has several orders.
    pub fn cut_by(mut rows: Vec<T>, size: Option<u32>, key: impl FnOnce(&T) -> K) -> Self {
        let size = size.map_or(usize::MAX, |size| size as usize);
        let more = rows.len() > size;
        rows.truncate(size);
        Self {
            next: rows.last().filter(|_| more).map(key),
            rows,
        }
    }

    /// The same part of the list, with its rows in another form.
    pub fn map<U>(self, to: impl FnMut(T) -> U) -> Part<U, K> {
        Part {
            rows: self.rows.into_iter().map(to).collect(),
            next: self.next,
        }
    }
}

/// A row of a list that is read in parts.
pub trait Keyed {
    /// What the list is ordered by, together unique. It leaves the process in cursors: no secrets.
    type Key;

    /// That of this row.
    fn key(&self) -> Self::Key;
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Keyed for u8 {
        type Key = Self;

        fn key(&self) -> Self {
            *self
        }
    }

    #[test]
    fn a_part_names_its_last_row_only_if_more_was_read() {
        let cut = |rows: &[u8], size| {
            let part = Part::cut(rows.to_vec(), size);
            (part.rows, part.next)
        };
        assert_eq!(cut(&[1, 2, 3], Some(2)), (vec![1, 2], Some(2)));
        assert_eq!(cut(&[1, 2], Some(2)), (vec![1, 2], None));
        assert_eq!(cut(&[], Some(2)), (vec![], None));
        assert_eq!(cut(&[1, 2, 3], None), (vec![1, 2, 3], None));
    }
}
