//! What the course's programs have in common: they say what happens and when.

pub mod web;

use std::cell::RefCell;
use std::fmt::Display;
use std::future::Future;

thread_local! {
    /// What was said in a test.
    static SAID: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Shows a line, behind the seconds since the program began.
///
/// # Examples
///
/// ```
/// use pirn_examples::{say, trace};
/// use std::time::Duration;
///
/// let said = trace(async {
///     say("one");
///     pirn::sleep(Duration::from_millis(500)).await;
///     say("two");
/// });
/// assert_eq!(said, ["0.00 one", "0.50 two"]);
/// ```
pub fn say(text: impl Display) {
    let now = pirn::now().as_nanos() as f64 / 1e9;
    SAID.with_borrow_mut(|said| match said {
        Some(said) => said.push(format!("{now:.2} {text}")),
        None => println!("{now:.2} {text}"),
    });
}

/// Runs a program under virtual time, and gives what it said.
///
/// # Panics
///
/// If the program does, or waits for what never comes.
///
/// # Examples
///
/// ```
/// assert_eq!(pirn_examples::trace(async { pirn_examples::say("hello") }), ["0.00 hello"]);
/// ```
pub fn trace(program: impl Future<Output = ()>) -> Vec<String> {
    heard(|| pirn::sim::Sim::new().run(program))
}

/// Runs a program for real, on this thread alone, and gives what it said, without the times: those of
/// a real clock differ from run to run. For what a simulation has not: files, sockets, processes.
///
/// # Panics
///
/// If the program does, or there is no runtime to be had.
///
/// # Examples
///
/// ```
/// assert_eq!(pirn_examples::lines(async { pirn_examples::say("hello") }), ["hello"]);
/// ```
pub fn lines(program: impl Future<Output = ()>) -> Vec<String> {
    let runtime = pirn::Runtime::builder().current_thread().build();
    untimed(|| {
        runtime
            .and_then(|mut r| r.run(program).map_err(std::io::Error::other))
            .unwrap()
    })
}

/// As [`lines`], for a program that makes its own runtime.
///
/// # Examples
///
/// ```
/// let program = || pirn::run(async { pirn_examples::say("hello") });
/// assert_eq!(pirn_examples::untimed(program), ["hello"]);
/// ```
pub fn untimed(program: impl FnOnce()) -> Vec<String> {
    let mut said = heard(program);
    for line in &mut said {
        *line = line.split_once(' ').unwrap_or_default().1.to_owned();
    }
    said
}

/// What is said on this thread.
fn heard(program: impl FnOnce()) -> Vec<String> {
    SAID.set(Some(Vec::new()));
    program();
    SAID.take().unwrap_or_default()
}

/// Runs a program in real time, and gives what it said, but not when: for what does without virtual
/// time.
///
/// # Panics
///
/// If the program does, or the system has no thread or descriptor left.
///
/// # Examples
///
/// ```
/// assert_eq!(pirn_examples::words(async { pirn_examples::say("hello") }), ["hello"]);
/// ```
pub fn words(program: impl Future<Output = ()>) -> Vec<String> {
    SAID.set(Some(Vec::new()));
    // One thread, whose lines are those that are kept.
    let runtime = pirn::Runtime::builder().current_thread().build();
    let ended = runtime.map(|mut runtime| runtime.run(program));
    assert!(matches!(ended, Ok(Ok(()))), "{ended:?}");
    let said = SAID.take().unwrap_or_default();
    let text = |line: String| Some(line.split_once(' ')?.1.to_owned());
    said.into_iter().filter_map(text).collect()
}
