//! Readers and writers over scripted streams: no bytes are lost, whenever a future is dropped.
#![cfg(not(loom))]

use futures::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, StreamExt};
use pirn_core::budget;
use pirn_io::streams::{ReadError, StreamReader, StreamWriter};
use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

/// What a scripted stream does at each poll; after the last it ends, or takes all.
#[derive(Clone)]
enum Step {
    Bytes(Vec<u8>),
    /// Takes at most so many.
    Take(usize),
    Wait,
    Fail(ErrorKind),
}
use Step::{Bytes, Fail, Take, Wait};

#[derive(Default)]
struct Script {
    steps: VecDeque<Step>,
    taken: Vec<u8>,
    closed: bool,
}

fn script(steps: impl IntoIterator<Item = Step>) -> Script {
    Script {
        steps: steps.into_iter().collect(),
        ..Script::default()
    }
}

fn bytes(text: &str) -> Step {
    Bytes(text.into())
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.steps.pop_front() {
            None => Poll::Ready(Ok(0)),
            Some(Bytes(mut bytes)) => {
                let count = bytes.len().min(buf.len());
                buf[..count].copy_from_slice(&bytes[..count]);
                let rest = bytes.split_off(count);
                if !rest.is_empty() {
                    self.steps.push_front(Bytes(rest));
                }
                Poll::Ready(Ok(count))
            }
            Some(Fail(kind)) => Poll::Ready(Err(kind.into())),
            Some(_) => Poll::Pending,
        }
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = match self.steps.pop_front() {
            None => buf.len(),
            Some(Take(most)) => most.min(buf.len()),
            Some(Fail(kind)) => return Poll::Ready(Err(kind.into())),
            Some(_) => return Poll::Pending,
        };
        self.taken.extend_from_slice(&buf[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.closed = true;
        Poll::Ready(Ok(()))
    }
}

fn once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// The future's value, if it is ready at once.
fn now<F: Future>(future: F) -> F::Output {
    match once(future) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it is pending"),
    }
}

#[test]
fn lines_end_with_either_end_and_the_last_needs_none() {
    let mut reader = StreamReader::new(script([bytes("a\r\nb\n"), bytes("\n\r"), bytes("\nc\r")]));
    for line in ["a", "b", "", "", "c\r"] {
        assert_eq!(now(reader.read_line()).unwrap().unwrap(), line);
    }
    assert_eq!(now(reader.read_line()).unwrap(), None);
    assert_eq!(now(reader.read_line()).unwrap(), None);
}

#[test]
fn whatever_the_pieces_and_wherever_a_future_is_dropped_the_lines_are_the_same() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..500 {
        let lines: Vec<String> = (0..random.usize(0..20))
            .map(|_| {
                (0..random.usize(0..30))
                    .map(|_| random.alphabetic())
                    .collect()
            })
            .collect();
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let mut steps = Vec::new();
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let (piece, others) = rest.split_at(random.usize(1..=rest.len().min(9)));
            steps.push(Bytes(piece.to_vec()));
            steps.extend(std::iter::repeat_n(Wait, random.usize(0..3)));
            rest = others;
        }
        let mut reader = StreamReader::with_limit(script(steps), 64);
        let mut seen = Vec::new();
        loop {
            // Each future is polled once and dropped.
            match once(reader.read_line()) {
                Poll::Pending => {}
                Poll::Ready(Ok(Some(line))) => seen.push(line),
                Poll::Ready(Ok(None)) => break,
                Poll::Ready(Err(error)) => panic!("{error}"),
            }
        }
        assert_eq!(seen, lines);
    }
}

#[test]
fn a_separator_may_be_torn_between_two_reads() {
    let mut reader = StreamReader::new(script([
        bytes("head\r"),
        Wait,
        bytes("\n\r"),
        bytes("\nbody"),
    ]));
    assert!(once(reader.read_until(b"\r\n\r\n")).is_pending());
    assert_eq!(
        now(reader.read_until(b"\r\n\r\n")).unwrap(),
        b"head\r\n\r\n"
    );
    let error = now(reader.read_until(b"\r\n\r\n")).unwrap_err();
    assert!(matches!(
        error,
        ReadError::Ended {
            read: 4,
            wanted: None
        }
    ));
    assert_eq!(reader.buffered(), b"body");
    assert_eq!(reader.into_parts().1, b"body");
}

#[test]
fn exact_reads_keep_what_came_until_all_is_there() {
    let mut reader = StreamReader::new(script([bytes("12"), Wait, bytes("345"), bytes("6")]));
    assert!(once(reader.read_exact(4)).is_pending());
    assert_eq!(reader.buffered(), b"12");
    assert_eq!(now(reader.read_exact(4)).unwrap(), b"1234");
    assert_eq!(now(reader.read_exact(0)).unwrap(), b"");
    let error = now(reader.read_exact(3)).unwrap_err();
    assert_eq!(error.to_string(), "the stream ended after 2 of 3 bytes");
    assert_eq!(io::Error::from(error).kind(), ErrorKind::UnexpectedEof);
    assert_eq!(now(reader.read_exact(2)).unwrap(), b"56");
}

#[test]
fn exact_reads_may_be_longer_than_the_limit() {
    let large = vec![7; 300_000];
    let mut reader = StreamReader::with_limit(script([Bytes(large.clone())]), 16);
    assert!(now(reader.read_exact(300_000)).unwrap() == large);
}

#[test]
fn a_line_as_long_as_the_limit_is_read_and_a_longer_one_refused_however_it_comes() {
    for piece in 1..12 {
        let pieces = |text: &str| {
            let chunks: Vec<_> = text.as_bytes().chunks(piece).collect();
            script(chunks.into_iter().map(|chunk| Bytes(chunk.to_vec())))
        };
        let mut reader = StreamReader::with_limit(pieces("1234567\n1234567\n"), 8);
        assert_eq!(now(reader.read_line()).unwrap().unwrap(), "1234567");
        assert_eq!(now(reader.read_line()).unwrap().unwrap(), "1234567");

        let mut reader = StreamReader::with_limit(pieces("12345678\nnext\n"), 8);
        let error = now(reader.read_line()).unwrap_err();
        assert!(matches!(error, ReadError::TooLong(8)), "{error}");
        assert_eq!(error.to_string(), "no separator within 8 bytes");
        assert!(reader.buffered().starts_with(b"12345678"));
        // Who wants to go on throws it away.
        reader.discard(8);
        assert_eq!(now(reader.read_line()).unwrap().unwrap(), "");
        assert_eq!(now(reader.read_line()).unwrap().unwrap(), "next");
    }
}

#[test]
fn a_line_that_is_not_text_is_handed_out_in_the_error() {
    let mut reader = StreamReader::new(script([Bytes(b"\xff\xfe\nok\n".to_vec())]));
    match now(reader.read_line()).unwrap_err() {
        ReadError::NotText(error) => assert_eq!(error.into_bytes(), b"\xff\xfe"),
        other => panic!("{other}"),
    }
    assert_eq!(now(reader.read_line()).unwrap().unwrap(), "ok");
}

#[test]
fn an_error_of_the_stream_comes_through_and_keeps_what_was_read() {
    let steps = [
        bytes("half"),
        Fail(ErrorKind::ConnectionReset),
        bytes(" more\n"),
    ];
    let mut reader = StreamReader::new(script(steps));
    let error = io::Error::from(now(reader.read_line()).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(now(reader.read_line()).unwrap().unwrap(), "half more");
}

#[test]
fn plain_reads_see_first_what_is_buffered() {
    let mut reader = StreamReader::new(script([bytes("line\nrest"), bytes("more")]));
    assert_eq!(now(reader.read_line()).unwrap().unwrap(), "line");
    let mut text = String::new();
    now(reader.read_to_string(&mut text)).unwrap();
    assert_eq!(text, "restmore");
    // What futures offers over a buffered reader works too.
    let mut reader = StreamReader::new(script([bytes("a,b"), bytes("c,")]));
    let mut piece = Vec::new();
    now(AsyncBufReadExt::read_until(&mut reader, b',', &mut piece)).unwrap();
    assert_eq!(piece, b"a,");
    let mut large = [0; 10_000];
    assert_eq!(now(reader.read(&mut large)).unwrap(), 1);
    assert_eq!(now(reader.read(&mut large)).unwrap(), 2);
    assert_eq!(now(reader.read(&mut large)).unwrap(), 0);
}

#[test]
fn lines_as_a_stream_end_after_an_error() {
    let reader = StreamReader::new(script([
        bytes("a\n"),
        Fail(ErrorKind::TimedOut),
        bytes("b\n"),
    ]));
    let lines: Vec<_> = now(reader.lines().collect());
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].as_ref().unwrap(), "a");
    assert!(lines[1].is_err());
}

#[test]
fn buffered_lines_cost_budget_so_that_a_loop_gives_way() {
    let text = "x\n".repeat(10_000);
    let mut reader = StreamReader::new(script([Bytes(text.into_bytes())]));
    let mut task = pin!(async {
        let mut lines = 0;
        while reader.read_line().await.unwrap().is_some() {
            lines += 1;
        }
        lines
    });
    let mut polls = 0;
    let lines = loop {
        let _refilled = budget::refill();
        polls += 1;
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(lines) = task.as_mut().poll(&mut cx) {
            break lines;
        }
    };
    assert!(polls > 10, "{polls} polls");
    assert_eq!(lines, 10_000);
}

#[test]
#[should_panic(expected = "at least 1 byte")]
fn a_reader_without_room_is_refused() {
    StreamReader::with_limit(script([]), 0);
}

#[test]
fn messages_are_kept_until_the_limit_and_sent_by_a_flush() {
    let mut writer = StreamWriter::with_limit(script([]), 8);
    now(writer.write(b"12345")).unwrap();
    now(writer.write(b"67890")).unwrap();
    assert_eq!((writer.buffered(), writer.get_ref().taken.len()), (10, 0));
    now(writer.write(b"more")).unwrap();
    assert_eq!(writer.get_ref().taken, b"1234567890");
    now(writer.flush()).unwrap();
    assert_eq!(writer.get_ref().taken, b"1234567890more");
    now(writer.close()).unwrap();
    assert!(writer.get_ref().closed);
}

#[test]
fn a_write_that_is_dropped_took_nothing_and_the_former_messages_are_whole() {
    let mut writer = StreamWriter::with_limit(script([Take(3), Wait, Take(1), Wait]), 4);
    now(writer.write(b"abcdefghij")).unwrap();
    assert!(once(writer.write(b"NEVER")).is_pending());
    assert!(once(writer.write(b"NEVER")).is_pending());
    now(writer.write(b"kl")).unwrap();
    assert_eq!(writer.buffered(), 2);
    now(writer.close()).unwrap();
    assert_eq!(writer.get_ref().taken, b"abcdefghijkl");
}

#[test]
fn a_flush_that_is_dropped_is_taken_up_by_the_next() {
    let mut writer = StreamWriter::new(script([Take(2), Wait, Take(2), Wait]));
    now(writer.write(b"abcdef")).unwrap();
    assert!(once(writer.flush()).is_pending());
    assert!(once(writer.close()).is_pending());
    assert!(!writer.get_ref().closed);
    now(writer.flush()).unwrap();
    assert_eq!(writer.get_ref().taken, b"abcdef");
}

#[test]
fn whatever_is_dropped_the_bytes_are_the_messages_that_were_taken() {
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..500 {
        let steps = (0..60).map(|_| match random.bool() {
            true => Wait,
            false => Take(random.usize(1..5)),
        });
        let mut writer = StreamWriter::with_limit(script(steps.collect::<Vec<_>>()), 6);
        let mut expected = Vec::new();
        for number in 0..20_u8 {
            let message = vec![number; random.usize(0..6)];
            match random.usize(0..4) {
                0 => drop(once(writer.flush())),
                _ => {
                    if once(writer.write(&message)).is_ready() {
                        expected.extend(message);
                    }
                }
            }
        }
        while once(writer.close()).is_pending() {}
        assert_eq!(writer.get_ref().taken, expected);
    }
}

#[test]
fn a_stream_that_fails_or_takes_nothing_fails_the_write_after() {
    let steps = [Fail(ErrorKind::BrokenPipe), Take(0)];
    let mut writer = StreamWriter::with_limit(script(steps), 0);
    now(writer.write(b"first")).unwrap();
    let error = now(writer.write(b"second")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert_eq!(writer.buffered(), 5, "the second was not taken");
    let error = now(writer.flush()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriteZero);
}
