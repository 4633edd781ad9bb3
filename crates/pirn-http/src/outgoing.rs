//! The body of a request.

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};
use std::error::Error as StdError;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;
type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>> + Send>>;

/// What is sent: nothing, bytes, or a stream of them.
pub(crate) enum Outgoing {
    Empty,
    Bytes(Bytes),
    Stream {
        chunks: Chunks,
        length: Option<u64>,
    },
    /// The stream has been given away.
    Spent,
}

impl Outgoing {
    pub(crate) fn stream<S, E>(chunks: S, length: Option<u64>) -> Outgoing
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        Outgoing::Stream {
            chunks: Box::pin(Converted {
                chunks: Box::pin(chunks),
            }),
            length,
        }
    }

    /// The body, to be sent. What can be sent again stays.
    pub(crate) fn take(&mut self) -> Outgoing {
        match self {
            Outgoing::Empty => Outgoing::Empty,
            Outgoing::Bytes(bytes) => Outgoing::Bytes(bytes.clone()),
            Outgoing::Stream { .. } | Outgoing::Spent => std::mem::replace(self, Outgoing::Spent),
        }
    }

    pub(crate) fn is_spent(&self) -> bool {
        matches!(self, Outgoing::Spent)
    }
}

/// A stream with errors of any type.
struct Converted<S> {
    chunks: Pin<Box<S>>,
}

impl<S, E> Stream for Converted<S>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Into<BoxError>,
{
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = ready!(self.chunks.as_mut().poll_next(cx));
        Poll::Ready(chunk.map(|chunk| chunk.map_err(Into::into)))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = match &mut *self {
            Outgoing::Empty | Outgoing::Spent => None,
            Outgoing::Bytes(bytes) => Some(Ok(Frame::data(std::mem::take(bytes)))),
            Outgoing::Stream { chunks, .. } => {
                let chunk = ready!(chunks.as_mut().poll_next(cx));
                return Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)));
            }
        };
        *self = Outgoing::Spent;
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Outgoing::Empty | Outgoing::Spent => true,
            Outgoing::Bytes(bytes) => bytes.is_empty(),
            Outgoing::Stream { length, .. } => *length == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Outgoing::Empty | Outgoing::Spent => SizeHint::with_exact(0),
            Outgoing::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Outgoing::Stream {
                length: Some(length),
                ..
            } => SizeHint::with_exact(*length),
            Outgoing::Stream { length: None, .. } => SizeHint::default(),
        }
    }
}
