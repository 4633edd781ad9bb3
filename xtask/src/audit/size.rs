//! How large a crate is: lines, unsafe blocks, models.

use crate::source::{Source, find_word};

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Lines of code in `src/`, without comments and blank lines.
    pub code: usize,
    /// The same in `tests/`.
    pub tests: usize,
    /// Unsafe blocks and implementations.
    pub unsafes: usize,
    /// Loom models.
    pub models: usize,
}

impl Size {
    /// Adds a file, whose path begins at the crate's folder.
    pub fn add(&mut self, path: &str, text: &str) {
        let source = Source::parse(text);
        let lines = source.lines.iter().filter(|line| line.has_code()).count();
        if path.starts_with("src/") {
            self.code += lines;
            let code = source.code();
            let blocks = find_word(&code, "unsafe").into_iter().filter(|at| {
                let next = code[at + "unsafe".len()..].trim_start();
                next.starts_with('{') || next.starts_with("impl")
            });
            self.unsafes += blocks.count();
        } else if path.starts_with("tests/") {
            self.tests += lines;
            if path.starts_with("tests/loom/") {
                self.models += models(&source.code());
            }
        }
    }
}

/// The tests that are models, but for the one that must fail.
fn models(code: &str) -> usize {
    let tests = code.split("#[test]").skip(1);
    tests
        .filter(|test| !test.contains("model_must_fail("))
        .count()
}
