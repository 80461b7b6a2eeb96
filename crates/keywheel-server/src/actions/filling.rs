//! Pages of lists of which not everything may be shown.

use keywheel_store::{Keyed, Page, Part};

/// A page on its way: parts are read until so many rows may be shown, or the list ends. Its key is that of a row that is
/// shown, so that no cursor tells of another one.
pub(super) struct Filling<T: Keyed> {
    size: Option<u32>,
    shown: Vec<T>,
    /// What is still to be read.
    rest: Option<Page<T::Key>>,
}

impl<T: Keyed> Filling<T> {
    /// A page of which nothing was read yet.
    pub(super) fn of(page: Page<T::Key>) -> Self {
        Self {
            size: page.size,
            shown: Vec::new(),
            rest: Some(page),
        }
    }

    /// What to read next; none once the page is full and it is known whether another one follows.
    pub(super) fn wanted(&self) -> Option<&Page<T::Key>> {
        let is_full = self.size.is_some_and(|size| self.shown.len() > size as usize);
        self.rest.as_ref().filter(|_| !is_full)
    }

    /// Adds the rows of a part that may be shown, and the key of its last one.
    pub(super) fn add(&mut self, shown: impl IntoIterator<Item = T>, next: Option<T::Key>) {
        self.shown.extend(shown);
        self.rest = next.map(|after| Page {
            size: self.size,
            after: Some(after),
        });
    }

    /// The page.
    pub(super) fn finish(self) -> Part<T, T::Key> {
        Part::cut(self.shown, self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Row(u32);

    impl Keyed for Row {
        type Key = u32;

        fn key(&self) -> u32 {
            self.0
        }
    }

    /// The page of the numbers below 10 that may be shown, and how often the list was read.
    fn page(
        size: Option<u32>,
        after: Option<u32>,
        may: impl Fn(u32) -> bool,
    ) -> (Vec<u32>, Option<u32>, u32) {
        let mut filling = Filling::of(Page { size, after });
        let mut reads = 0;
        while let Some(wanted) = filling.wanted() {
            reads += 1;
            let rows = (0..10).filter(|row| wanted.after.is_none_or(|after| *row > after));
            let rows = rows.take(wanted.size.map_or(usize::MAX, |size| size as usize + 1));
            let part = Part::cut(rows.map(Row).collect(), wanted.size);
            filling.add(part.rows.into_iter().filter(|row| may(row.0)), part.next);
        }
        let part = filling.finish();
        (part.rows.iter().map(|row| row.0).collect(), part.next, reads)
    }

    #[test]
    fn a_page_is_full_whatever_is_left_out_of_the_list() {
        let even = |row: u32| row.is_multiple_of(2);
        assert_eq!(page(Some(2), None, even), (vec![0, 2], Some(2), 3));
        assert_eq!(page(Some(2), Some(2), even), (vec![4, 6], Some(6), 3));
        assert_eq!(page(Some(2), Some(6), even), (vec![8], None, 2));
        assert_eq!(page(None, None, even), (vec![0, 2, 4, 6, 8], None, 1));
    }

    #[test]
    fn a_cursor_names_no_row_that_may_not_be_shown() {
        assert_eq!(page(Some(1), None, |row| row == 3), (vec![3], None, 10));
        assert_eq!(page(Some(2), None, |row| row < 2), (vec![0, 1], None, 5));
        assert_eq!(page(Some(3), None, |_| false), (vec![], None, 4));
    }
}
