//! One direction of a connection: what is on the way, and what both ends of it know.
//!
//! | what | meaning | set by | cleared by |
//! | --- | --- | --- | --- |
//! | `arriving` | segments, in order, each with the time of its arrival, which is `NEVER` while the hosts are parted; read in that order, however they arrive | `send`, `finish` | `read`; `desert` |
//! | `unread` | bytes in them, as the writer knows | `send` | `read` |
//! | `finished` | the writer sends no more; the end is on the way, as the last segment | `finish` | |
//! | `deserted` | the reader is gone | `desert` | |
//! | `reader_cut` | when the reader learns that the connection was reset | `cut` | |
//! | `writer_cut` | when the writer learns it | `cut_writer` | |

use pirn_core::Instant;
use std::collections::VecDeque;
use std::io;
use std::task::Waker;

pub(super) struct Pipe {
    arriving: VecDeque<Segment>,
    unread: usize,
    pub(super) finished: bool,
    pub(super) deserted: bool,
    reader_cut: Option<Instant>,
    pub(super) writer_cut: Option<Instant>,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

struct Segment {
    at: Instant,
    bytes: Vec<u8>,
    /// How many of them were read.
    read: usize,
    is_end: bool,
}

/// What a poll comes to.
pub(super) enum Step<T> {
    Done(io::Result<T>),
    /// Not before then, and perhaps later.
    Until(Instant),
}

/// When an event that may lie in the future has come.
fn has_come(event: Option<Instant>, now: Instant) -> bool {
    event.is_some_and(|at| at <= now)
}

impl Pipe {
    pub(super) fn new() -> Self {
        Pipe {
            arriving: VecDeque::new(),
            unread: 0,
            finished: false,
            deserted: false,
            reader_cut: None,
            writer_cut: None,
            reader: None,
            writer: None,
        }
    }

    pub(super) fn read(&mut self, now: Instant, buf: &mut [u8]) -> Step<usize> {
        if has_come(self.reader_cut, now) {
            return Step::Done(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let mut count = 0;
        while let Some(first) = self.arriving.front_mut() {
            if first.at > now || first.is_end {
                break;
            }
            let some = (first.bytes.len() - first.read).min(buf.len() - count);
            buf[count..count + some].copy_from_slice(&first.bytes[first.read..first.read + some]);
            first.read += some;
            count += some;
            if first.read < first.bytes.len() {
                break;
            }
            self.arriving.pop_front();
        }
        self.unread -= count;
        match self.arriving.front() {
            _ if count > 0 || buf.is_empty() => Step::Done(Ok(count)),
            Some(first) if first.at <= now => Step::Done(Ok(0)),
            first => {
                let cut = self.reader_cut.unwrap_or(Instant::NEVER);
                Step::Until(first.map_or(cut, |first| first.at.min(cut)))
            }
        }
    }

    /// How many bytes may be written now.
    pub(super) fn room(&self, now: Instant, buffer: usize) -> Step<usize> {
        if self.finished {
            return Step::Done(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if has_come(self.writer_cut, now) {
            return Step::Done(Err(io::ErrorKind::ConnectionReset.into()));
        }
        match buffer.saturating_sub(self.unread) {
            0 => Step::Until(self.writer_cut.unwrap_or(Instant::NEVER)),
            room => Step::Done(Ok(room)),
        }
    }

    /// Sends a segment that arrives `at` that time.
    pub(super) fn send(&mut self, at: Instant, bytes: &[u8]) {
        self.unread += bytes.len();
        self.push(at, bytes.to_vec(), false);
    }

    /// Sends the end, unless that was done.
    pub(super) fn finish(&mut self, at: Instant) {
        if !std::mem::replace(&mut self.finished, true) {
            self.push(at, Vec::new(), true);
        }
    }

    fn push(&mut self, at: Instant, bytes: Vec<u8>, is_end: bool) {
        self.arriving.push_back(Segment {
            at,
            bytes,
            read: 0,
            is_end,
        });
    }

    /// The reader has gone. True if it leaves bytes unread. A writer that waits for room has it no
    /// sooner than it learns of that.
    pub(super) fn desert(&mut self) -> bool {
        self.deserted = true;
        self.arriving.clear();
        self.unread > 0
    }

    /// The reader learns at that time that the connection was reset; what it has not read by then is
    /// lost.
    pub(super) fn cut(&mut self, at: Instant) {
        self.reader_cut = Some(self.reader_cut.map_or(at, |cut| cut.min(at)));
    }

    /// The writer learns it at that time.
    pub(super) fn cut_writer(&mut self, at: Instant) {
        self.writer_cut = Some(self.writer_cut.map_or(at, |cut| cut.min(at)));
    }

    /// The hosts are parted: what is on the way does not arrive.
    pub(super) fn hold(&mut self, now: Instant) {
        let held = self.arriving.iter_mut().map(|segment| &mut segment.at);
        let cuts = [&mut self.reader_cut, &mut self.writer_cut];
        for at in held.chain(cuts.into_iter().flatten()) {
            if *at > now {
                *at = Instant::NEVER;
            }
        }
    }

    /// They are not any more: what was held arrives when `next` says. True if something was.
    pub(super) fn release(&mut self, mut next: impl FnMut() -> Instant) -> bool {
        let mut any = false;
        let held = self.arriving.iter_mut().map(|segment| &mut segment.at);
        let cuts = [&mut self.reader_cut, &mut self.writer_cut];
        for at in held.chain(cuts.into_iter().flatten()) {
            if *at == Instant::NEVER {
                *at = next();
                any = true;
            }
        }
        any
    }
}
