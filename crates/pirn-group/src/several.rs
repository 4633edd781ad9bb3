//! What combinators take: a tuple, an array, a vector or an iterator of futures.

use crate::known::Known;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The forms of several futures. Nobody names them: the compiler finds the one that fits.
pub mod form {
    /// Of a tuple.
    #[derive(Debug)]
    pub enum Tuple {}
    /// Of an array.
    #[derive(Debug)]
    pub enum Array {}
    /// Of a vector.
    #[derive(Debug)]
    pub enum Vector {}
    /// Of an iterator.
    #[derive(Debug)]
    pub enum Iter {}
    /// Of a stream.
    #[derive(Debug)]
    pub enum Stream {}
}

/// Several futures with one type of output: a tuple of two to twelve, an array, a vector or an
/// iterator. `Form` is found by the compiler.
///
/// # Examples
///
/// ```
/// use pirn_group::Several;
/// use std::future::ready;
///
/// fn count<Form>(several: impl Several<Form>) -> usize {
///     several.futures().count()
/// }
/// assert_eq!(count((ready(1), async { 2 })), 2);
/// assert_eq!(count((0..5).map(ready)), 5);
/// ```
pub trait Several<Form> {
    /// What each gives.
    type Output;
    /// Each of them; of a tuple one that may be any of them.
    type Future: Future<Output = Self::Output>;

    /// The futures, in their order.
    fn futures(self) -> impl Iterator<Item = Self::Future>;
}

impl<F: Future, const N: usize> Several<form::Array> for [F; N] {
    type Output = F::Output;
    type Future = F;

    fn futures(self) -> impl Iterator<Item = F> {
        self.into_iter()
    }
}

impl<F: Future> Several<form::Vector> for Vec<F> {
    type Output = F::Output;
    type Future = F;

    fn futures(self) -> impl Iterator<Item = F> {
        self.into_iter()
    }
}

impl<I: Iterator<Item: Future>> Several<form::Iter> for I {
    type Output = <I::Item as Future>::Output;
    type Future = I::Item;

    fn futures(self) -> impl Iterator<Item = I::Item> {
        self
    }
}

macro_rules! several {
    ($One:ident $OneProj:ident: $First:ident $($Rest:ident)+) => {
        pin_project! {
            #[project = $OneProj]
            #[doc(hidden)]
            pub enum $One<Output, $First, $($Rest),+> {
                $First { #[pin] future: Known<$First, Output> },
                $($Rest { #[pin] future: Known<$Rest, Output> }),+
            }
        }

        impl<Output, $First, $($Rest),+> Future for $One<Output, $First, $($Rest),+> {
            type Output = Output;

            #[inline]
            fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Output> {
                match self.project() {
                    $OneProj::$First { future } => future.poll(cx),
                    $($OneProj::$Rest { future } => future.poll(cx)),+
                }
            }
        }

        impl<$First, $($Rest),+> Several<form::Tuple> for ($First, $($Rest),+)
        where
            $First: Future,
            $($Rest: Future<Output = $First::Output>),+
        {
            type Output = $First::Output;
            type Future = $One<$First::Output, $First, $($Rest),+>;

            #[allow(non_snake_case, reason = "named for their types")]
            fn futures(self) -> impl Iterator<Item = Self::Future> {
                let ($First, $($Rest),+) = self;
                [
                    $One::$First { future: Known::new($First) },
                    $($One::$Rest { future: Known::new($Rest) }),+
                ]
                .into_iter()
            }
        }
    };
}

several!(One2 One2Proj: A B);
several!(One3 One3Proj: A B C);
several!(One4 One4Proj: A B C D);
several!(One5 One5Proj: A B C D E);
several!(One6 One6Proj: A B C D E F);
several!(One7 One7Proj: A B C D E F G);
several!(One8 One8Proj: A B C D E F G H);
several!(One9 One9Proj: A B C D E F G H I);
several!(One10 One10Proj: A B C D E F G H I J);
several!(One11 One11Proj: A B C D E F G H I J K);
several!(One12 One12Proj: A B C D E F G H I J K L);
