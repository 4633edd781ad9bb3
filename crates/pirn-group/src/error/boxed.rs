//! Errors in boxes: what is inside, as far as the box tells.

use super::GroupError;
use std::any::Any;
use std::error::Error;

type Shared = Box<dyn Error + Send + Sync>;
type Sent = Box<dyn Error + Send>;
type Local = Box<dyn Error>;

/// An error of any type, in a box that can be asked for its type: for
/// [`GroupError::split`].
///
/// # Examples
///
/// ```
/// use pirn_group::BoxedError;
/// use std::fmt;
///
/// let boxed: Box<dyn std::error::Error + Send + Sync> = fmt::Error.into();
/// assert_eq!(boxed.downcast_to::<fmt::Error>().unwrap(), fmt::Error);
/// ```
pub trait BoxedError: Sized + 'static {
    /// The error in the box, if it is a `T`.
    ///
    /// # Errors
    ///
    /// The box, if it is not.
    fn downcast_to<T: Error + 'static>(self) -> Result<T, Self>;
}

impl BoxedError for Shared {
    fn downcast_to<T: Error + 'static>(self) -> Result<T, Self> {
        self.downcast().map(|error| *error)
    }
}

impl BoxedError for Sent {
    fn downcast_to<T: Error + 'static>(self) -> Result<T, Self> {
        self.downcast().map(|error| *error)
    }
}

impl BoxedError for Local {
    fn downcast_to<T: Error + 'static>(self) -> Result<T, Self> {
        self.downcast().map(|error| *error)
    }
}

/// The group whose error is in the box, if `error` is a box of the standard library's, and one with
/// failures: one without stays the error that it is, so that it is a failure among the others.
pub(super) fn open<E: 'static>(error: E) -> Result<GroupError<E>, E> {
    let error = open_as::<E, Shared>(error).or_else(open_as::<E, Sent>);
    error.or_else(open_as::<E, Local>)
}

/// As `open`, if `E` is `B`.
fn open_as<E: 'static, B>(error: E) -> Result<GroupError<E>, E>
where
    B: BoxedError + 'static,
    GroupError<B>: Error,
{
    let inside = as_error(&error).and_then(|inside| inside.downcast_ref::<GroupError<B>>());
    if inside.is_none_or(GroupError::is_empty) {
        return Err(error);
    }
    let (mut error, mut group) = (Some(error), None::<GroupError<E>>);
    let places = (
        (&mut error as &mut dyn Any).downcast_mut::<Option<B>>(),
        (&mut group as &mut dyn Any).downcast_mut::<Option<GroupError<B>>>(),
    );
    if let (Some(error), Some(group)) = places {
        match error.take().map(B::downcast_to::<GroupError<B>>) {
            Some(Ok(opened)) => *group = Some(opened),
            Some(Err(back)) => *error = Some(back),
            None => {}
        }
    }
    match (group, error) {
        (Some(group), _) => Ok(group),
        (None, error) => Err(error.expect("it was put back")),
    }
}

/// The error in the box, if `error` is a box of the standard library's.
pub(super) fn as_error<E: 'static>(error: &E) -> Option<&(dyn Error + 'static)> {
    let any: &dyn Any = error;
    if let Some(error) = any.downcast_ref::<Shared>() {
        return Some(&**error);
    }
    if let Some(error) = any.downcast_ref::<Sent>() {
        return Some(&**error);
    }
    let error = any.downcast_ref::<Local>()?;
    Some(&**error)
}
