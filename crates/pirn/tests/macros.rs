//! The attributes, as they are used.

#![cfg(feature = "test")]

use std::time::Duration;

mod program {
    #[derive(Debug, PartialEq)]
    pub(crate) struct Failed(pub(crate) u32);

    #[pirn::main]
    pub(crate) async fn main() -> Result<u32, Failed> {
        let task = pirn::spawn(async { Err(Failed(3)) });
        let value = task.await.unwrap()?;
        Ok(value)
    }

    #[pirn::main(workers = 2)]
    pub(crate) async fn with_workers() -> std::thread::ThreadId {
        pirn::spawn(async { std::thread::current().id() })
            .await
            .unwrap()
    }

    #[pirn::main(current_thread)]
    pub(crate) async fn on_this_thread() -> std::thread::ThreadId {
        pirn::spawn(async { std::thread::current().id() })
            .await
            .unwrap()
    }
}

#[test]
fn main_runs_its_body_and_returns_its_error() {
    assert_eq!(program::main(), Err(program::Failed(3)));
}

#[test]
fn main_chooses_its_threads() {
    assert_ne!(program::with_workers(), std::thread::current().id());
    assert_eq!(program::on_this_thread(), std::thread::current().id());
}

#[pirn::test]
async fn an_hour_passes_at_once() {
    let start = pirn::now();
    pirn::sleep(Duration::from_secs(3600)).await;
    assert_eq!(
        pirn::now().saturating_since(start),
        Duration::from_secs(3600)
    );
}

#[pirn::test(seed = 7)]
#[should_panic(expected = "deadlock")]
async fn a_wait_for_nothing_is_found() {
    std::future::pending::<()>().await;
}

#[pirn::test]
async fn an_error_fails_the_test() -> Result<(), std::num::ParseIntError> {
    assert!("x".parse::<u8>().is_err());
    "7".parse::<u8>().map(drop)
}
