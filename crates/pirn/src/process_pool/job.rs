//! What a worker can run.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// A function that processes of a [`ProcessPool`](super::ProcessPool) can run, under a name.
///
/// # Examples
///
/// ```
/// use pirn::process_pool::Job;
///
/// fn shout(text: String) -> String {
///     text.to_uppercase()
/// }
/// const SHOUT: Job<String, String> = Job::new("shout", shout);
/// assert_eq!(SHOUT.name(), "shout");
/// ```
pub struct Job<A, R> {
    name: &'static str,
    function: fn(A) -> R,
}

impl<A, R> Job<A, R> {
    /// The job `name`, which is to be the only one of that name.
    pub const fn new(name: &'static str, function: fn(A) -> R) -> Self {
        Job { name, function }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// A [`Job`] of any type. It is implemented for these alone.
pub trait AnyJob: sealed::Runs {}

impl<A: DeserializeOwned, R: Serialize> AnyJob for Job<A, R> {}

pub(super) mod sealed {
    pub trait Runs {
        fn name(&self) -> &'static str;

        /// Takes and gives MessagePack; the error says what does not go through it.
        fn run(&self, arguments: &[u8]) -> Result<Vec<u8>, String>;
    }
}

impl<A: DeserializeOwned, R: Serialize> sealed::Runs for Job<A, R> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&self, arguments: &[u8]) -> Result<Vec<u8>, String> {
        let arguments = rmp_serde::from_slice(arguments).map_err(|error| error.to_string())?;
        let result = (self.function)(arguments);
        rmp_serde::to_vec_named(&result).map_err(|error| error.to_string())
    }
}

impl<A, R> fmt::Debug for Job<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Job").field(&self.name).finish()
    }
}
