//! Cells that are set once: looking at a value that is there.

use std::{future::Future, hint::black_box};

use crate::harness::{Contender, Row};

/// A cell, as much of it as the rows need.
trait OnceCell: 'static {
    /// One with a value in it.
    fn new(value: u64) -> Self;
    fn get(&self) -> Option<&u64>;
    fn get_or_init(&self) -> impl Future<Output = &u64>;
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new("once.get", "look at a value that is there", || {
            vec![
                looks::<pirn_sync::OnceCell<u64>>("pirn"),
                looks::<tokio::sync::OnceCell<u64>>("tokio"),
                looks::<async_lock::OnceCell<u64>>("async-lock"),
                looks::<asyncband::once::OnceCell<u64>>("asyncband"),
                std_looks(),
            ]
        }),
        Row::new(
            "once.get_or_init",
            "await a value that is there, with what would make it",
            || {
                vec![
                    awaits::<pirn_sync::OnceCell<u64>>("pirn"),
                    awaits::<tokio::sync::OnceCell<u64>>("tokio"),
                    awaits::<async_lock::OnceCell<u64>>("async-lock"),
                    awaits::<asyncband::once::OnceCell<u64>>("asyncband"),
                ]
            },
        ),
    ]
}

fn looks<C: OnceCell>(name: &'static str) -> Contender {
    let cell = C::new(1);
    Contender::timed(name, move |count| {
        let mut sum = 0;
        for _ in 0..count {
            sum += black_box(&cell).get().expect("it is there");
        }
        assert_eq!(sum, count);
    })
}

/// What a cell costs that can only block.
fn std_looks() -> Contender {
    let cell = std::sync::OnceLock::from(1);
    Contender::timed("bare-std", move |count| {
        let mut sum = 0;
        for _ in 0..count {
            sum += black_box(&cell).get().expect("it is there");
        }
        assert_eq!(sum, count);
    })
}

fn awaits<C: OnceCell>(name: &'static str) -> Contender {
    let cell = C::new(1);
    Contender::timed(name, move |count| {
        futures::executor::block_on(async {
            let mut sum = 0;
            for _ in 0..count {
                sum += black_box(&cell).get_or_init().await;
            }
            assert_eq!(sum, count);
        });
    })
}

impl OnceCell for pirn_sync::OnceCell<u64> {
    fn new(value: u64) -> Self {
        Self::from(value)
    }

    fn get(&self) -> Option<&u64> {
        self.get()
    }

    fn get_or_init(&self) -> impl Future<Output = &u64> {
        self.get_or_init(async || unreachable!("it is there"))
    }
}

impl OnceCell for tokio::sync::OnceCell<u64> {
    fn new(value: u64) -> Self {
        Self::from(value)
    }

    fn get(&self) -> Option<&u64> {
        self.get()
    }

    fn get_or_init(&self) -> impl Future<Output = &u64> {
        self.get_or_init(async || unreachable!("it is there"))
    }
}

impl OnceCell for async_lock::OnceCell<u64> {
    fn new(value: u64) -> Self {
        Self::from(value)
    }

    fn get(&self) -> Option<&u64> {
        self.get()
    }

    fn get_or_init(&self) -> impl Future<Output = &u64> {
        self.get_or_init(async || unreachable!("it is there"))
    }
}

impl OnceCell for asyncband::once::OnceCell<u64> {
    fn new(value: u64) -> Self {
        Self::from(value)
    }

    fn get(&self) -> Option<&u64> {
        self.get()
    }

    fn get_or_init(&self) -> impl Future<Output = &u64> {
        self.get_or_init(async || unreachable!("it is there"))
    }
}
