//! Steps, and how they are written.

use std::fmt;
use std::str::FromStr;

/// One step of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The next waiter comes, and is polled.
    Arrive,
    /// It is polled, woken or not.
    Poll(usize),
    /// It is polled with a waker that it did not have before.
    Fresh(usize),
    /// It is dropped.
    Drop(usize),
    /// Something is given.
    Serve,
    /// What a waiter has is dropped.
    Release(usize),
    /// It is ended.
    Close,
    /// What was given is taken back, if it was not taken yet.
    Withdraw,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Arrive => f.write_str("arrive"),
            Step::Poll(who) => write!(f, "poll{who}"),
            Step::Fresh(who) => write!(f, "fresh{who}"),
            Step::Drop(who) => write!(f, "drop{who}"),
            Step::Serve => f.write_str("serve"),
            Step::Close => f.write_str("close"),
            Step::Withdraw => f.write_str("withdraw"),
            Step::Release(who) => write!(f, "release{who}"),
        }
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Step, String> {
        let verb = text.trim_end_matches(|c: char| c.is_ascii_digit());
        let who = text[verb.len()..].parse();
        match (verb, who) {
            ("arrive", _) => Ok(Step::Arrive),
            ("serve", _) => Ok(Step::Serve),
            ("close", _) => Ok(Step::Close),
            ("withdraw", _) => Ok(Step::Withdraw),
            ("poll", Ok(who)) => Ok(Step::Poll(who)),
            ("fresh", Ok(who)) => Ok(Step::Fresh(who)),
            ("drop", Ok(who)) => Ok(Step::Drop(who)),
            ("release", Ok(who)) => Ok(Step::Release(who)),
            _ => Err(format!("{text:?} is no step of a script")),
        }
    }
}

pub(super) fn written(steps: &[Step]) -> String {
    let words: Vec<_> = steps.iter().map(Step::to_string).collect();
    words.join(" ")
}

pub(super) fn read(script: &str) -> Result<Vec<Step>, String> {
    script.split_whitespace().map(str::parse).collect()
}
