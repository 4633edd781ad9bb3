//! The number and the place of a task, in one word.

use pirn_executor::internals::spend_ids;
use pirn_executor::{LocalExecutor, Task, TaskId};
use std::process::Command;

/// What the test below sets for the copy of itself in which the numbers run out.
const INSIDE: &str = "PIRN_TEST_LAST_NUMBERS";
const LAST: u64 = (1 << 52) - 1;

#[test]
fn the_last_number_is_given_once_and_then_the_process_ends() {
    if std::env::var_os(INSIDE).is_some() {
        return spend_all();
    }
    let name = "the_last_number_is_given_once_and_then_the_process_ends";
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let (said, told) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(!output.status.success());
    assert!(said.contains("the last number was given"), "{said}\n{told}");
    assert!(told.contains("all that there can be"), "{said}\n{told}");
}

fn spend_all() {
    let executor = LocalExecutor::new();
    let first = executor.spawn(async {});
    spend_ids();
    let mut tasks: Vec<Task<()>> = Vec::new();
    while tasks.last().is_none_or(|task| task.id().get() < LAST) {
        tasks.push(executor.spawn(async {}));
        let place = tasks.last().unwrap().spawned_at();
        assert_eq!((place.file(), place.line()), (file!(), line!() - 2));
    }
    let mut ids: Vec<TaskId> = tasks.iter().map(Task::id).collect();
    assert!(ids.is_sorted() && !ids.contains(&first.id()));
    ids.dedup();
    assert_eq!(ids.len(), tasks.len());
    while executor.try_tick() {}
    assert!(tasks.iter().all(Task::is_finished));
    println!("the last number was given");
    let _beyond = executor.spawn(async {});
    println!("a task was spawned that has no number");
}
