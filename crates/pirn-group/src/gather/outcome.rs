//! What fallible futures give, taken apart.

/// A [`Result`].
pub trait Outcome {
    type Value;
    type Error;
}

impl<T, E> Outcome for Result<T, E> {
    type Value = T;
    type Error = E;
}
