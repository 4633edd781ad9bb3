//! What is said between the program and a worker.
//!
//! A frame is a kind, the length of what follows in four bytes, the least first, and that. A worker
//! says [`HELLO`] once; then a request, the word that it is begun, and an answer take turns.

use std::io;

/// From a worker that was started: the protocol's name.
pub(super) const HELLO: u8 = b'h';
/// To a worker: the length of the job's name in one byte, that name, the arguments.
pub(super) const CALL: u8 = b'c';
/// From a worker: it has the request, and runs the job now.
pub(super) const BEGUN: u8 = b'b';
/// From a worker: the result.
pub(super) const DONE: u8 = b'd';
/// From a worker: the message of a panic.
pub(super) const PANICKED: u8 = b'p';
/// From a worker: there is no such job.
pub(super) const UNKNOWN: u8 = b'u';
/// From a worker: the arguments or the result do not go through the format.
pub(super) const FORMAT: u8 = b'f';

/// What `HELLO` carries.
pub(super) const PROTOCOL: &[u8] = b"pirn process pool 1";
/// Kind and length.
pub(super) const HEAD: usize = 5;

/// A frame in one piece.
pub(super) fn frame(kind: u8, parts: &[&[u8]]) -> io::Result<Vec<u8>> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let head = u32::try_from(length).map_err(|_| {
        let what = format!("{length} bytes are too much for one job: 4 GiB is the most");
        io::Error::new(io::ErrorKind::InvalidInput, what)
    })?;
    let mut frame = Vec::with_capacity(HEAD + length);
    frame.push(kind);
    frame.extend(head.to_le_bytes());
    frame.extend(parts.iter().copied().flatten());
    Ok(frame)
}

/// The kind, and how many bytes follow.
pub(super) fn head(bytes: [u8; HEAD]) -> (u8, usize) {
    let [kind, length @ ..] = bytes;
    (kind, u32::from_le_bytes(length) as usize)
}
