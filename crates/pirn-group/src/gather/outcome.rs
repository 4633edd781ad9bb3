//! What fallible futures give, taken apart.

/// A [`Result`].
pub trait Outcome: Sized {
    type Value;
    type Error;

    /// The value, or itself.
    fn value(self) -> Result<Self::Value, Self>;
}

impl<T, E> Outcome for Result<T, E> {
    type Value = T;
    type Error = E;

    #[inline]
    fn value(self) -> Result<T, Self> {
        self.map_err(Err)
    }
}
