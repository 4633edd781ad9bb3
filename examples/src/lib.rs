//! What the course's programs have in common: they say what happens and when.

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
    SAID.set(Some(Vec::new()));
    pirn::sim::Sim::new().run(program);
    SAID.take().unwrap_or_default()
}
