//! The words in the guide's tables are those of the crates: each is imported, or called by its name,
//! below.
#![cfg(unix)]

/// The names, and that there are such in `pirn`.
macro_rules! words {
    ($($module:ident: $($word:ident)*;)*) => {
        #[allow(unused_imports)]
        mod there {
            $(mod $module {
                mod imported { use crate::$module::{$($word,)*}; }
            })*
        }
        const WORDS: &[&str] = &[$($(stringify!($word),)*)*];
    };
}

use pirn as root;
use pirn::{http, process, process_pool, sim, stream, streams, sync};

words! {
    root:
        Builder CancelToken DelayQueue GroupBuilder GroupError JoinError MissedTick OwnedGroup Runtime Task
        TaskLocal Timeout WaitSet as_completed block_in_place call_at call_later defer finally first_ok
        for_each_limit fs gather gather_results group group_in_task http interval main map_limit move_on_after move_on_at
        net process process_pool race run shield signal sleep sleep_until spawn spawn_eager spawn_local
        staggered_race start_server statistics stream sync test timeout timeout_at to_thread wait with_resource
        yield_now;
    sync:
        Barrier CapacityLimiter Condition Event LifoQueue Lock OnceCell PriorityQueue Queue Rendezvous
        RwLock Semaphore broadcast oneshot watch;
    http: Session;
    process: spawn;
    process_pool: ProcessPool;
    sim: advance;
    stream: from_fn;
    streams: open_connection;
}

/// Methods, by what they are called on.
const METHODS: &[&str] = &[
    "add_permits",
    "cancel",
    "collect",
    "detach",
    "forget",
    "get_item",
    "grace",
    "join",
    "reserve_put",
    "split",
    "uninherited",
    "workers",
];

/// They are there.
#[allow(unused)]
fn methods() {
    let _ = sync::Semaphore::add_permits;
    let _ = pirn::Task::<u8>::cancel;
    let _ = |group: &pirn::TaskGroup<String>| drop(group.collect::<u8>());
    let _ = pirn::Task::<u8>::detach;
    let _ = sync::Permit::forget;
    let _ = sync::Queue::<u8>::get_item;
    let _ = pirn::Builder::grace;
    let _ = sync::Queue::<u8>::join;
    let _ = sync::Queue::<u8>::reserve_put;
    let _ = sync::Queue::<u8>::split;
    let _ = pirn::TaskLocal::<u8>::uninherited;
    let _ = pirn::Builder::workers;
    let _ = pirn::GroupError::<Box<dyn std::error::Error + Send + Sync>>::split::<std::fmt::Error>;
}

/// What stands in the second column of a page's tables, between backquotes.
fn second_column(page: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let line = line.replace("\\|", "\u{a6}");
        let cell = line.split('|').nth(2).unwrap_or_default();
        tokens.extend(cell.split('`').skip(1).step_by(2).map(str::to_owned));
    }
    tokens
}

/// The word of ours that a token begins with: `sync::Lock<T>` is about `Lock`, `task.cancel()` about
/// `cancel`.
fn word(token: &str) -> Option<&str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let token = token.trim_start_matches(['.', '#', '[']);
    let token = token.strip_prefix("pirn::").unwrap_or(token);
    let mut words = token.split(|c| !is_word(c));
    let first = words.next().filter(|first| !first.is_empty())?;
    let rest = &token[first.len()..];
    match first {
        "futures" | "std" | "async" | "while" | "let" => None,
        "http" | "process" | "sim" | "stream" | "streams" | "sync" if rest.starts_with("::") => {
            words.nth(1)
        }
        "g" | "task" if rest.starts_with('.') => words.next(),
        "current_thread" => None, // an option of the attribute
        _ => Some(first),
    }
}

#[test]
fn each_word_in_the_tables_is_one_of_pirns() {
    let pages = [
        include_str!("../src/asyncio.md"),
        include_str!("../src/tokio.md"),
        include_str!("../src/choosing.md"),
    ];
    let tokens: Vec<String> = pages.into_iter().flat_map(second_column).collect();
    let words: Vec<&str> = tokens.iter().filter_map(|token| word(token)).collect();
    let known = |word: &&str| WORDS.contains(word) || METHODS.contains(word);
    let unknown: Vec<&str> = words.iter().copied().filter(|word| !known(word)).collect();
    assert!(
        unknown.is_empty(),
        "not in the list of this test: {unknown:?}"
    );
    assert!(words.len() > 100, "only {} words were found", words.len());
}
