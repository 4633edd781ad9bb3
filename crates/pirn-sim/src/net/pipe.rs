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
//! | `given_up` | a segment was lost each time: it and what comes after never arrive, and the writer learns it then | `give_up`, `finish` | |
//! | `reader_gone` | when the reader's end is given up, for what that end sent itself: what arrives later is answered with a reset | the end | |

use super::state::GivenUp;
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
    pub(super) given_up: Option<Instant>,
    pub(super) reader_gone: Option<Instant>,
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
            given_up: None,
            reader_gone: None,
            reader: None,
            writer: None,
        }
    }

    pub(super) fn read(&mut self, now: Instant, buf: &mut [u8]) -> Step<usize> {
        if has_come(self.reader_cut, now) {
            return Step::Done(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let gone = self.reader_gone.unwrap_or(Instant::NEVER);
        let arrived = now.min(gone);
        let mut count = 0;
        while let Some(first) = self.arriving.front_mut() {
            if first.at > arrived || first.is_end {
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
            Some(first) if first.at <= arrived => Step::Done(Ok(0)),
            _ if gone <= now => Step::Done(Err(io::ErrorKind::TimedOut.into())),
            first => {
                let cut = self.reader_cut.unwrap_or(Instant::NEVER).min(gone);
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
        if has_come(self.given_up, now) {
            return Step::Done(Err(io::ErrorKind::TimedOut.into()));
        }
        match buffer.saturating_sub(self.unread) {
            // A look whether there is room now finds that nobody is there.
            0 if has_come(self.reader_gone, now) => Step::Done(Ok(buffer)),
            0 => {
                let news = [self.writer_cut, self.given_up, self.reader_gone];
                let first = news.into_iter().flatten().min();
                Step::Until(first.unwrap_or(Instant::NEVER))
            }
            room => Step::Done(Ok(room)),
        }
    }

    /// Sends a segment that arrives `at` that time. False if nobody is there then.
    pub(super) fn send(&mut self, at: Instant, bytes: &[u8]) -> bool {
        let reaches = self.given_up.is_none();
        if reaches && has_come(self.reader_gone, at) && at != Instant::NEVER {
            return false;
        }
        self.unread += bytes.len();
        if reaches {
            self.push(at, bytes.to_vec(), false);
        }
        true
    }

    /// Sent a segment of so many bytes, which is lost each time.
    pub(super) fn give_up(&mut self, at: Instant, bytes: usize) {
        self.unread += bytes;
        // That of the first is counted from, and no other is sent again.
        self.given_up.get_or_insert(at);
    }

    /// Sends the end, unless that was done.
    pub(super) fn finish(&mut self, arrives: Result<Instant, GivenUp>) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        match arrives {
            Ok(at) if self.given_up.is_none() => self.push(at, Vec::new(), true),
            Ok(_) => {}
            Err(GivenUp(at)) => self.give_up(at, 0),
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
