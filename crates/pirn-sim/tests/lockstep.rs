//! Streams without a buffer.

use futures::{AsyncReadExt, AsyncWriteExt, poll};
use pirn_executor::spawn;
use pirn_sim::{Sim, check, lockstep_pair, wait_all_blocked};
use std::io::ErrorKind;
use std::pin::pin;

#[test]
fn every_byte_arrives_once_in_order_under_every_schedule() {
    check(200, || async {
        let (mut here, mut there) = lockstep_pair();
        let sent: Vec<u8> = (0..100).collect();
        let bytes = sent.clone();
        let writes = spawn(async move {
            for part in bytes.chunks(7) {
                here.write_all(part).await.unwrap();
            }
            here.close().await.unwrap();
            here
        });
        let mut got = Vec::new();
        let mut part = [0; 3];
        loop {
            match there.read(&mut part).await.unwrap() {
                0 => break,
                count => got.extend_from_slice(&part[..count]),
            }
        }
        assert_eq!(got, sent);
        drop(writes.await.unwrap());
    });
}

#[test]
fn a_writer_is_never_further_than_one_read_ahead() {
    check(50, || async {
        let (mut here, mut there) = lockstep_pair();
        let writes = spawn(async move {
            let mut written = 0;
            while written < 4 {
                written += here.write(b"ab").await.unwrap();
            }
            here.flush().await.unwrap();
            here
        });
        wait_all_blocked().await;
        assert!(!writes.is_finished());
        let mut one = [0];
        for expected in b"abab" {
            // Only one fits; the rest of each write is not taken.
            assert_eq!(there.read(&mut one).await.unwrap(), 1);
            let _ = expected;
        }
        drop(writes.await.unwrap());
    });
}

#[test]
fn a_write_that_is_dropped_while_it_waits_has_written_nothing() {
    Sim::new().run(async {
        let (mut here, mut there) = lockstep_pair();
        {
            let mut write = pin!(here.write(b"lost"));
            assert!(poll!(write.as_mut()).is_pending());
        }
        let read = spawn(async move {
            let mut bytes = [0; 8];
            let count = there.read(&mut bytes).await.unwrap();
            bytes[..count].to_vec()
        });
        here.write_all(b"kept").await.unwrap();
        assert_eq!(read.await.unwrap(), b"kept");
    });
}

#[test]
fn a_write_of_nothing_leaves_a_read_that_waits_what_comes_next() {
    Sim::new().run(async {
        let (mut here, mut there) = lockstep_pair();
        let read = spawn(async move {
            let mut bytes = [0; 8];
            there.read(&mut bytes).await.unwrap()
        });
        wait_all_blocked().await;
        assert_eq!(here.write(b"").await.unwrap(), 0);
        assert_eq!(here.write(b"abc").await.unwrap(), 3);
        assert_eq!(read.await.unwrap(), 3);
        drop(here);
    });
}

#[test]
fn a_read_that_is_dropped_while_it_waits_leaves_what_it_was_given_to_the_next() {
    Sim::new().run(async {
        let (mut here, mut there) = lockstep_pair();
        let mut bytes = [0; 8];
        {
            let mut read = pin!(there.read(&mut bytes));
            assert!(poll!(read.as_mut()).is_pending());
            assert_eq!(here.write(b"abc").await.unwrap(), 3);
        }
        let flushed = spawn(async move {
            here.flush().await.unwrap();
        });
        wait_all_blocked().await;
        assert!(!flushed.is_finished());
        let mut two = [0; 2];
        assert_eq!(there.read(&mut two).await.unwrap(), 2);
        assert_eq!(&two, b"ab");
        assert_eq!(there.read(&mut two).await.unwrap(), 1);
        flushed.await.unwrap();
    });
}

#[test]
fn ends_that_are_dropped_are_seen_by_the_other_side() {
    Sim::new().run(async {
        let (mut here, there) = lockstep_pair();
        let writes = spawn(async move {
            let ended = here.write_all(b"x").await;
            let mut byte = [0];
            (ended, here.read(&mut byte).await.unwrap())
        });
        wait_all_blocked().await;
        drop(there);
        let (ended, read) = writes.await.unwrap();
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(read, 0);
    });
}

#[test]
fn one_direction_is_closed_and_the_other_goes_on() {
    Sim::new().run(async {
        let (mut here, mut there) = lockstep_pair();
        here.close().await.unwrap();
        let mut byte = [0];
        assert_eq!(there.read(&mut byte).await.unwrap(), 0);
        let writes = spawn(async move {
            there.write_all(b"y").await.unwrap();
            there
        });
        assert_eq!(here.read(&mut byte).await.unwrap(), 1);
        let after = here.write(b"z").await.unwrap_err();
        assert_eq!(after.kind(), ErrorKind::BrokenPipe);
        drop(writes.await.unwrap());
    });
}
