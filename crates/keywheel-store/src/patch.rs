//! Partial updates.

/// What an update does to a field that may be empty. (For fields that may not, `Option` is enough.)
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Patch<T> {
    /// The field stays as it is.
    #[default]
    Keep,
    /// The field becomes this.
    Set(T),
}

impl<T> Patch<T> {
    /// Keeps the field if nothing is given.
    pub fn from_option(value: Option<T>) -> Self {
        value.map_or(Self::Keep, Self::Set)
    }
}
