//! Files.
#![cfg(not(loom))]

mod util;

use futures::{AsyncReadExt, AsyncWriteExt};
use pirn_core::Blocking;
use pirn_core::context::Handles;
use pirn_core::shim::block_on;
use pirn_io::blocking::{BlockingPool, Builder};
use pirn_io::fs::{self, File};
use pirn_io::{Action, Failure};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use util::{everywhere, temporary};

#[test]
fn a_file_is_written_and_read_whole() {
    everywhere(|| async {
        let folder = temporary("whole");
        fs::create_dir_all(folder.join("deep/down")).await.unwrap();
        let path = folder.join("deep/down/file");
        let bytes: Vec<u8> = (0..300_000_u32).map(|i| (i % 253) as u8).collect();
        fs::write(&path, &bytes).await.unwrap();
        assert_eq!(fs::metadata(&path).await.unwrap().len(), 300_000);
        assert!(fs::read(&path).await.unwrap() == bytes);
        fs::remove_dir_all(&folder).await.unwrap();
    });
}

#[test]
fn errors_name_the_path_and_keep_their_kind() {
    everywhere(|| async {
        let missing = temporary("missing");
        let name = missing.display().to_string();
        let errors = [
            (Action::Read, fs::read(&missing).await.unwrap_err()),
            (Action::Open, File::open(&missing).await.unwrap_err()),
            (Action::Remove, fs::remove_file(&missing).await.unwrap_err()),
            (Action::Inspect, fs::metadata(&missing).await.unwrap_err()),
            (
                Action::Write,
                fs::write(missing.join("x"), "").await.unwrap_err(),
            ),
            (
                Action::Open,
                File::create(missing.join("x")).await.unwrap_err(),
            ),
        ];
        for (action, error) in errors {
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert_eq!(Failure::of(&error).unwrap().action(), action);
            assert!(error.to_string().contains(&name), "{error}");
        }
    });
}

#[test]
fn text_that_is_not_utf_8_is_an_error_that_names_the_file() {
    everywhere(|| async {
        let path = temporary("not-text");
        fs::write(&path, [0xff, 0xfe]).await.unwrap();
        let error = fs::read_to_string(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        fs::remove_file(&path).await.unwrap();
    });
}

#[test]
fn a_file_is_streamed_in_random_pieces_and_every_byte_arrives() {
    everywhere(|| async {
        let path = temporary("stream");
        let mut random = fastrand::Rng::with_seed(7);
        let mut bytes = vec![0; 500_000];
        random.fill(&mut bytes);
        let mut file = File::create(&path).await.unwrap();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let count = random.usize(1..=rest.len().min(150_000));
            file.write_all(&rest[..count]).await.unwrap();
            rest = &rest[count..];
        }
        file.flush().await.unwrap();
        assert_eq!(fs::metadata(&path).await.unwrap().len(), 500_000);
        drop(file);

        let mut file = File::open(&path).await.unwrap();
        let mut read = Vec::new();
        loop {
            let mut piece = vec![0; random.usize(1..100_000)];
            match file.read(&mut piece).await.unwrap() {
                0 => break,
                count => read.extend_from_slice(&piece[..count]),
            }
        }
        assert!(read == bytes);
        fs::remove_file(&path).await.unwrap();
    });
}

#[test]
fn a_write_after_a_read_lands_where_the_read_stopped() {
    everywhere(|| async {
        let path = temporary("both");
        fs::write(&path, "0123456789").await.unwrap();
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let mut file = File::open_with(&options, &path).await.unwrap();
        let mut three = [0; 3];
        file.read_exact(&mut three).await.unwrap();
        file.write_all(b"XY").await.unwrap();
        file.read_exact(&mut three).await.unwrap();
        assert_eq!(&three, b"567");
        file.close().await.unwrap();
        assert_eq!(fs::read(&path).await.unwrap(), b"012XY56789");
        fs::remove_file(&path).await.unwrap();
    });
}

#[test]
fn a_dropped_read_loses_nothing() {
    everywhere(|| async {
        let path = temporary("dropped-read");
        fs::write(&path, "abc").await.unwrap();
        let mut file = File::open(&path).await.unwrap();
        {
            let mut byte = [0; 1];
            let mut read = pin!(file.read(&mut byte));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(read.as_mut().poll(&mut cx).is_pending());
        }
        let mut text = String::new();
        file.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "abc");
        fs::remove_file(&path).await.unwrap();
    });
}

#[test]
fn the_error_of_a_write_comes_with_the_flush() {
    everywhere(|| async {
        let path = temporary("read-only");
        fs::write(&path, "fixed").await.unwrap();
        let mut file = File::open(&path).await.unwrap(); // for reading alone
        file.write_all(b"no").await.unwrap();
        let error = file.flush().await.unwrap_err();
        let start = format!("write to {}: ", path.display());
        assert!(error.to_string().starts_with(&start), "{error}");
        file.flush().await.unwrap(); // told once
        fs::remove_file(&path).await.unwrap();
    });
}

/// A pool of one thread that is held until the sender is used.
fn held_pool() -> (BlockingPool, std::sync::mpsc::Sender<()>) {
    let pool = Builder::new().max_threads(1).build();
    let (open, opened) = std::sync::mpsc::channel();
    let (runs, running) = std::sync::mpsc::channel();
    let job = move || {
        runs.send(()).unwrap();
        opened.recv().unwrap();
    };
    pool.submit(Box::new(job)).unwrap();
    running.recv().unwrap();
    (pool, open)
}

#[test]
fn a_write_that_returned_is_carried_out_though_the_file_is_dropped() {
    let path = temporary("dropped-write");
    let mut file = block_on(File::create(&path)).unwrap();
    let (pool, open) = held_pool();
    let mut handles = Handles::default();
    handles.blocking = Some(Arc::new(pool.clone()));
    let entered = Rc::new(handles).enter();
    block_on(file.write_all(b"kept")).unwrap();
    drop(file); // while the write waits for the thread
    open.send(()).unwrap();
    block_on(pool.run(|| ())).unwrap();
    drop(entered);
    assert_eq!(std::fs::read(&path).unwrap(), b"kept");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_file_whose_pool_went_away_fails_and_says_why() {
    let path = temporary("lost");
    let mut file = block_on(File::create(&path)).unwrap();
    let (pool, open) = held_pool();
    let mut handles = Handles::default();
    handles.blocking = Some(Arc::new(pool.clone()));
    let entered = Rc::new(handles).enter();
    block_on(file.write_all(b"gone")).unwrap();
    pool.close();
    let error = block_on(file.flush()).unwrap_err();
    assert!(error.to_string().contains("shut down"), "{error}");
    let error = block_on(file.flush()).unwrap_err();
    assert!(error.to_string().contains("shut down"), "{error}");
    open.send(()).unwrap();
    drop(entered);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_write_that_returned_is_carried_out_with_the_budget_spent() {
    let path = temporary("no-budget");
    let mut file = block_on(File::create(&path)).unwrap();
    let refilled = pirn_core::budget::refill();
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 1..pirn_core::budget::BUDGET {
        assert!(pirn_core::budget::poll_spend(&mut cx).is_ready());
    }
    assert!(pin!(file.write(b"last")).poll(&mut cx).is_ready());
    assert!(pin!(file.write(b"more")).poll(&mut cx).is_pending());
    drop(file);
    drop(refilled);
    while std::fs::read(&path).unwrap() != b"last" {
        std::thread::yield_now();
    }
    std::fs::remove_file(&path).unwrap();
}
