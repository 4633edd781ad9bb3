//! Which calls wake somebody or hand something over: the table that `weaken` goes by, and the
//! crates that are held to it.

use super::mutants::Kind;

/// The crates whose survivors are all listed; `ci` looks at what changed in them.
pub const ENROLLED: &[&str] = &[
    "pirn-core",
    "pirn-executor",
    "pirn-group",
    "pirn-sync",
    "pirn-timer",
];

/// As `instead`: what the call is given is dropped at once.
pub const DROPPED: &str = "drop(..)";

/// A call that is left out.
#[derive(Debug)]
pub struct Call {
    /// Its name; with a dot, the last name of what it is called on before it.
    pub name: &'static str,
    /// What it does.
    pub kind: Kind,
    /// What stands for it where its value is used.
    pub instead: &'static str,
    /// The paths that it holds for begin so.
    pub within: &'static str,
}

/// A call whose value is `()`.
const fn call(kind: Kind, name: &'static str) -> Call {
    Call {
        name,
        kind,
        instead: "()",
        within: "crates/",
    }
}

const fn wake(name: &'static str) -> Call {
    call(Kind::Wake, name)
}

const fn hand(name: &'static str) -> Call {
    call(Kind::HandOver, name)
}

impl Call {
    const fn instead(self, instead: &'static str) -> Self {
        Call { instead, ..self }
    }

    const fn within(self, within: &'static str) -> Self {
        Call { within, ..self }
    }
}

/// The table; of several rows that fit, the first counts.
pub const CALLS: &[Call] = &[
    wake("wake"),
    wake("wake_by_ref"),
    wake("wake_all"),
    wake("unpark"),
    wake("notify_one"),
    wake("notify_all"),
    // The wait list.
    wake("wake_ring").within("crates/pirn-core/src/wait.rs"),
    wake("batch.push").instead(DROPPED),
    hand("settle"),
    hand("put_back"),
    hand("grant_head").instead("false"),
    hand("revoke").instead("false"),
    hand("overtake_revoked").within("crates/pirn-core/src/wait.rs"),
    hand("return_slowly").within("crates/pirn-sync/"),
    hand("give_back").within("crates/pirn-sync/"),
    hand("hand_over"),
    hand("open").within("crates/pirn-sync/"),
    hand("notify").within("crates/pirn-sync/"),
    // Scopes.
    wake("wake_watchers").within("crates/pirn-core/"),
    wake("publish").within("crates/pirn-core/"),
    wake("nudge").within("crates/pirn-core/"),
    wake("rouse").within("crates/pirn-core/"),
    // The executors.
    wake("idle.notify")
        .within("crates/pirn-executor/")
        .instead("None"),
    wake("idle.found")
        .within("crates/pirn-executor/")
        .instead("None"),
    wake("wake_one")
        .within("crates/pirn-executor/")
        .instead("None"),
    wake("self.notify")
        .within("crates/pirn-executor/src/pool/idle.rs")
        .instead("None"),
    wake("notify").within("crates/pirn-executor/"),
    hand("schedule").within("crates/pirn-executor/src/task/"),
    hand("runnable.start").within("crates/pirn-executor/"),
    hand("task.start").within("crates/pirn-executor/src/task/refs.rs"),
    hand("queue_in").within("crates/pirn-executor/src/pool.rs"),
    hand("lanes.push").within("crates/pirn-executor/src/pool/"),
    hand("injector.push").within("crates/pirn-executor/"),
    // The reactor and the blocking threads.
    wake("doorbell.ring")
        .within("crates/pirn-io/")
        .instead("false"),
];

/// The row for a call by `name`, on something whose last name is `on`.
pub fn find(path: &str, on: Option<&str>, name: &str) -> Option<&'static Call> {
    CALLS.iter().find(|call| {
        let named = match call.name.split_once('.') {
            Some((receiver, method)) => method == name && on == Some(receiver),
            None => call.name == name,
        };
        named && path.starts_with(call.within)
    })
}
