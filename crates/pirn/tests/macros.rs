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

#[pirn::test(start_paused)]
async fn a_paused_clock_is_advanced_by_hand() {
    let task = pirn::spawn(pirn::sleep(Duration::from_secs(60)));
    pirn::sim::advance(Duration::from_secs(59)).await;
    assert!(!task.is_finished());
    pirn::sim::advance(Duration::from_secs(1)).await;
    assert!(task.is_finished());
}

/// Which of two tasks is first.
async fn first() -> u32 {
    let (tell, told) = std::sync::mpsc::channel();
    let tasks = [1, 2].map(|number| {
        let tell = tell.clone();
        pirn::spawn(async move { tell.send(number).unwrap() })
    });
    for task in tasks {
        task.await.unwrap();
    }
    told.recv().unwrap()
}

#[pirn::test(seeds = 50)]
#[should_panic(expected = "the second was first")]
async fn many_seeds_come_upon_the_other_order() {
    assert_eq!(first().await, 1, "the second was first");
}

#[pirn::test(seeds = 10, workers = 2)]
async fn an_error_under_no_seed_is_a_success() -> Result<(), String> {
    match first().await {
        1 | 2 => Ok(()),
        other => Err(format!("{other}")),
    }
}

#[test]
fn an_error_under_one_of_many_seeds_is_returned() {
    let fails = || async {
        match first().await {
            1 => Ok(()),
            _ => Err("the second was first"),
        }
    };
    let ended = pirn::__private::test_seeds(pirn::sim::Sim::new(), "fails", 50, fails);
    assert_eq!(ended, Err("the second was first"));
}

#[pirn::test(seed = 1, workers = 3)]
async fn workers_are_simulated_for_one_seed_too() {
    assert!([1, 2].contains(&first().await));
}
