//! What is checked in one file: comments that carry proof, unsafe's homes, and words that have no
//! place here.

use std::path::Path;

use crate::source::{Line, Source, find_word, is_word};

/// Where unsafe code may live: a file, or a folder when it ends in a slash.
const UNSAFE_HOMES: &[&str] = &[
    // The wait list.
    "crates/pirn-core/src/wait.rs",
    "crates/pirn-core/src/wait/ring.rs",
    // Its lock.
    "crates/pirn-core/src/spin.rs",
    // The scope around a first poll, which is not counted.
    "crates/pirn-core/src/context/loan.rs",
    // The body of a task, and the word beside it.
    "crates/pirn-core/src/scope/run/cell.rs",
    // The memory of a task's own set of futures, and their wakers.
    "crates/pirn-core/src/members/chunk.rs",
    // The task cell, the value bound to its thread, tasks that borrow, the steal queue.
    "crates/pirn-executor/src/bound.rs",
    "crates/pirn-executor/src/local/scoped.rs",
    "crates/pirn-executor/src/task.rs",
    "crates/pirn-executor/src/task/",
    "crates/pirn-executor/src/pool/deque.rs",
    // Where a child of a group in a task lies, its hold on its group, and what it shares with its handle.
    "crates/pirn-group/src/group/in_task/house.rs",
    "crates/pirn-group/src/group/inside.rs",
    "crates/pirn-group/src/group/slot.rs",
    // The cell of each primitive that owns a value.
    "crates/pirn-sync/src/lock/cell.rs",
    "crates/pirn-sync/src/rwlock/cell.rs",
    "crates/pirn-sync/src/oneshot/cell.rs",
    "crates/pirn-sync/src/once_cell/cell.rs",
    "crates/pirn-sync/src/rendezvous/cell.rs",
];

/// Crates that have none at all, and say so.
const NO_UNSAFE: &[&str] = &[
    "pirn",
    "pirn-compat",
    "pirn-http",
    "pirn-io",
    "pirn-macros",
    "pirn-sim",
    "pirn-timer",
];

const ORDERINGS: [&str; 5] = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];

/// The crates whose types loom does not see.
const UNSEEN: [&str; 3] = ["std::", "core::", "alloc::"];
/// Those types.
const HIDDEN: &[&str] = &["Condvar", "Mutex", "RwLock", "UnsafeCell"];

/// How many lines of code may stand between a comment and the atomic access it argues for: a
/// compare-exchange spreads over seven.
const ORDERING_REACH: usize = 8;
/// The same for an unsafe block: one argument may serve a short table of them. (clippy's
/// `undocumented_unsafe_blocks` is stricter, and knows statements; this sees what it does not.)
const SAFETY_REACH: usize = 7;

/// Checks one file; `path` is relative to the root. `modelled` says whether it is the source of a
/// crate that has loom models.
pub fn check(path: &Path, text: &str, source: &Source, modelled: bool) -> Vec<String> {
    let path = path.to_string_lossy().replace('\\', "/");
    let in_crates = path.starts_with("crates/");
    let library = in_crates && path.contains("/src/");
    let test = in_crates && path.contains("/tests/");
    let mut file = File {
        path: &path,
        source,
        breaches: Vec::new(),
    };

    if !text.starts_with("//!") {
        file.breach(0, "a file begins with a `//!` line that says what it is");
    }
    file.words();
    file.safety_comments();
    if library {
        file.ordering_comments();
        file.unsafe_homes();
        file.forbids_unsafe();
        file.let_chains();
        file.eager_values();
    }
    if modelled {
        file.goes_through_the_shim();
    }
    if test {
        file.sleeps();
    }
    file.breaches
}

struct File<'a> {
    path: &'a str,
    source: &'a Source,
    breaches: Vec<String>,
}

impl File<'_> {
    fn breach(&mut self, line: usize, what: &str) {
        self.breaches
            .push(format!("{}:{}: {what}", self.path, line + 1));
    }

    /// Calls `look` with every line that has code.
    fn each(&mut self, mut look: impl FnMut(&mut Self, usize, &str)) {
        let source = self.source;
        for (at, line) in source.lines.iter().enumerate() {
            if line.has_code() {
                look(self, at, &line.code);
            }
        }
    }

    fn words(&mut self) {
        self.each(|file, at, code| {
            for word in ["todo!", "unimplemented!"] {
                let bare = &word[..word.len() - 1];
                let called = |&i: &usize| code[i + bare.len()..].starts_with('!');
                if find_word(code, bare).iter().any(called) {
                    file.breach(at, &format!("`{word}`: leave out what is not done"));
                }
            }
            if code.contains("#[ignore") {
                file.breach(at, "an ignored test: make it pass or remove it");
            }
        });
    }

    fn safety_comments(&mut self) {
        self.each(|file, at, code| {
            for start in find_word(code, "unsafe") {
                let next = code[start + "unsafe".len()..].trim_start();
                // A brace may stand on the next line only where rustfmt put it: it does not.
                if !(next.starts_with('{') || next.starts_with("impl")) {
                    continue;
                }
                if !file.source.comment_near(at, "SAFETY", SAFETY_REACH) {
                    file.breach(at, "unsafe without a `// SAFETY:` comment above it");
                }
            }
        });
    }

    fn ordering_comments(&mut self) {
        if self.path.contains("/src/shim") {
            return;
        }
        let uses = use_lines(self.source);
        let imported = imported_orderings(self.source, &uses);
        self.each(|file, at, code| {
            if uses[at] {
                return;
            }
            for word in ORDERINGS {
                for start in find_word(code, word) {
                    let qualified = code[..start].ends_with("Ordering::");
                    let bare = imported.contains(&word) && !code[..start].ends_with("::");
                    if !(qualified || bare) {
                        continue;
                    }
                    let fenced = code[..start].contains("fence(");
                    if word == "SeqCst" && !fenced {
                        file.breach(at, "a SeqCst access: loom sees fences, and only those");
                    }
                    if !file.source.comment_near(at, "Ordering:", ORDERING_REACH) {
                        file.breach(at, &format!("{word} without an `// Ordering:` comment"));
                    }
                }
            }
        });
    }

    /// What loom should see comes from the shim; what it should not, says why.
    fn goes_through_the_shim(&mut self) {
        if self.path.contains("/src/shim") {
            return;
        }
        let says_why = |line: &Line| {
            let says = |word| line.comment.contains(word);
            says("on purpose") && (says("std") || says("core"))
        };
        if self.source.lines.iter().any(says_why) {
            return;
        }
        let uses = use_lines(self.source);
        let mut from_std = false;
        self.each(|file, at, code| {
            let starts = code.split_whitespace().find(|word| *word != "use");
            if uses[at] && !find_word(code, "use").is_empty() {
                from_std =
                    starts.is_some_and(|path| UNSEEN.iter().any(|krate| path.starts_with(krate)));
            }
            let qualified = |word: &str| {
                let paths = ["sync::", "sync::atomic::", "cell::"];
                UNSEEN.iter().any(|krate| {
                    paths
                        .iter()
                        .any(|path| code.contains(&format!("{krate}{path}{word}")))
                })
            };
            let hidden = code
                .split(|c: char| !is_word(c))
                .filter(|word| HIDDEN.contains(word) || word.starts_with("Atomic"))
                .find(|word| (uses[at] && from_std) || qualified(word));
            if let Some(word) = hidden {
                if !file.source.comment_near(at, "shim", 1) {
                    file.breach(
                        at,
                        &format!(
                            "std's {word}, which loom does not see: say `std's on purpose`, and why"
                        ),
                    );
                }
            }
        });
    }

    fn unsafe_homes(&mut self) {
        let path = self.path;
        let at_home = |home: &str| match home.ends_with('/') {
            true => path.starts_with(home),
            false => path == home,
        };
        if UNSAFE_HOMES.iter().any(|home| at_home(home)) {
            return;
        }
        self.each(|file, at, code| {
            if !find_word(code, "unsafe").is_empty() {
                file.breach(
                    at,
                    "unsafe outside its homes (xtask/src/tidy/rules.rs lists them)",
                );
            }
        });
    }

    fn forbids_unsafe(&mut self) {
        let Some(name) = self.path.strip_prefix("crates/") else {
            return;
        };
        let Some(name) = name.strip_suffix("/src/lib.rs") else {
            return;
        };
        let says_so = self.source.code().contains("#![forbid(unsafe_code)]");
        if NO_UNSAFE.contains(&name) && !says_so {
            self.breach(0, "this crate says `#![forbid(unsafe_code)]`");
        }
    }

    fn let_chains(&mut self) {
        for line in let_chains(&self.source.code()) {
            self.breach(line, "a let chain: Rust 1.85 has none");
        }
    }

    /// `then_some` makes its value in any case, and drops it where the answer is no: a guard that is
    /// made so gives up what somebody else holds.
    fn eager_values(&mut self) {
        self.each(|file, at, code| {
            for (start, call) in code.match_indices(".then_some(") {
                let value = &code[start + call.len()..];
                let name: String = value.chars().take_while(|&c| is_word(c)).collect();
                let made = value[name.len()..].trim_start().starts_with(['(', '{']);
                if made
                    && name.starts_with(char::is_uppercase)
                    && !["Ok", "Err", "Some"].contains(&name.as_str())
                {
                    file.breach(
                        at,
                        &format!(
                            "`then_some` makes a `{name}` in any case, and drops it: use `then`"
                        ),
                    );
                }
            }
        });
    }

    fn sleeps(&mut self) {
        self.each(|file, at, code| {
            if code.contains("thread::sleep") || code.contains("thread::{sleep") {
                file.breach(at, "a test that sleeps: poll by hand, or use virtual time");
            }
        });
    }
}

/// The orderings that a file imports by their bare names.
fn imported_orderings(source: &Source, uses: &[bool]) -> Vec<&'static str> {
    let lines = source.lines.iter().zip(uses).filter(|(_, in_use)| **in_use);
    let text: Vec<&str> = lines.map(|(line, _)| line.code.as_str()).collect();
    let text = text.join("\n");
    let lists = text
        .split(';')
        .filter_map(|item| item.split_once("Ordering::"));
    let lists: Vec<&str> = lists.map(|(_, list)| list).collect();
    let imported = |word: &&str| lists.iter().any(|list| !find_word(list, word).is_empty());
    ORDERINGS.iter().copied().filter(imported).collect()
}

/// For each line, whether it is part of a `use` item.
fn use_lines(source: &Source) -> Vec<bool> {
    let mut inside = false;
    let lines = source.lines.iter().map(|line| {
        let code = line.code.trim_start();
        let starts = code
            .strip_prefix("pub ")
            .unwrap_or(code)
            .starts_with("use ");
        let is_use = inside || starts;
        inside = is_use && !code.contains(';');
        is_use
    });
    lines.collect()
}

/// The lines (from 0) where a condition holds both a `let` and an `&&` of its own.
fn let_chains(code: &str) -> Vec<usize> {
    let mut found = Vec::new();
    for keyword in ["if", "while"] {
        for start in find_word(code, keyword) {
            let condition = condition(&code[start + keyword.len()..]);
            let flat = outermost(condition);
            let has_let = !find_word(&flat, "let").is_empty();
            let joined = flat.match_indices("&&").any(|(at, _)| {
                // `= &&x` and `let &&x` are references, not a conjunction.
                let before = flat[..at].trim_end();
                before
                    .ends_with(|c: char| is_word(c) || [')', ']', '}', '"', '?', '\''].contains(&c))
                    && !before.ends_with("let")
            });
            if has_let && joined {
                found.push(code[..start].matches('\n').count());
            }
        }
    }
    found.sort_unstable();
    found
}

/// The text up to the block that the condition guards, or to the arrow of a match arm.
fn condition(rest: &str) -> &str {
    let mut depth = 0_usize;
    for (at, c) in rest.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return &rest[..at],
            },
            '{' if depth == 0 => return &rest[..at],
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ';' if depth == 0 => return &rest[..at],
            '=' if depth == 0 && rest[at..].starts_with("=>") => return &rest[..at],
            _ => {}
        }
    }
    rest
}

/// The text with everything inside brackets left out; the closing bracket stays as a mark.
fn outermost(text: &str) -> String {
    let mut depth = 0_usize;
    let mut flat = String::new();
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    flat.push(c);
                }
            }
            _ if depth == 0 => flat.push(c),
            _ => {}
        }
    }
    flat
}
