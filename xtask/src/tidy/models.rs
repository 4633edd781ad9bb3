//! The pages that say which test shows what: `crates/pirn-sync/tests/loom/README.md`, and those that
//! go through other libraries case by case, of which only the names are checked.
//!
//! Of the former, a section is named for a file in `src/`; its table has a column for each waiting operation of
//! that file and a row for each thing that may happen to one who waits. What is named between
//! backquotes, `lock::…`, `tests/lock.rs::…`, and both with a crate's name before them, is a test. So
//! is a long name without a file, in the last cell of a row: somewhere in the crates' tests.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::source::{Source, find_word, is_word};

const KRATE: &str = "crates/pirn-sync";

/// What may happen to one who waits, in the order of the rows.
pub const CASES: [&str; 8] = [
    "completes",
    "head cancelled",
    "middle cancelled",
    "tail cancelled",
    "cancelled while granted",
    "closed",
    "waker replaced",
    "waker panics",
];

/// The page of the models.
pub const MODELS: &str = "crates/pirn-sync/tests/loom/README.md";
/// The pages for those who come from asyncio and trio.
pub const BESIDE: [&str; 4] = [
    "crates/pirn-sync/docs/asyncio.md",
    "crates/pirn-group/docs/asyncio.md",
    "crates/pirn-group/docs/combinators.md",
    "crates/pirn-group/docs/scopes.md",
];

/// Checks the page of the models, given its text, every Rust file of the workspace and how to read
/// one.
pub fn check(page: &str, files: &[PathBuf], read: impl Fn(&Path) -> String) -> Vec<String> {
    let sections = sections(page);
    let tokens = sections.values().flat_map(|section| &section.tokens);
    let (named, mut breaches) = named(KRATE, tokens.map(String::as_str), files, &read);
    for file in files {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        if file.parent() == Some(&Path::new(KRATE).join("tests/loom")) {
            let models = tests_of(&Source::parse(&read(file)).code());
            let missing = models
                .iter()
                .filter(|model| !named.contains(&(file.clone(), (*model).clone())));
            breaches
                .extend(missing.map(|model| format!("does not name the model {stem}::{model}")));
        }
        if file.parent() == Some(&Path::new(KRATE).join("src")) {
            let operations = operations(&Source::parse(&read(file)).code());
            let columns = sections.get(stem.as_ref()).map(|section| &section.columns);
            let missing = operations
                .iter()
                .filter(|operation| !columns.is_some_and(|columns| columns.contains(*operation)));
            breaches.extend(missing.map(|operation| {
                format!("the section {stem} has no column for the waiting operation `{operation}`")
            }));
        }
    }
    for (name, section) in &sections {
        if !section.columns.is_empty() && section.rows != CASES {
            breaches.push(format!(
                "the rows of {name} are not the {} cases",
                CASES.len()
            ));
        }
        if section.has_empty_cell {
            breaches.push(format!("a cell of {name} is empty"));
        }
    }
    placed(MODELS, breaches)
}

/// Checks that the tests which a page names are there.
pub fn check_names(
    place: &str,
    page: &str,
    files: &[PathBuf],
    read: impl Fn(&Path) -> String,
) -> Vec<String> {
    let krate = place.split_once("/docs/").map_or(KRATE, |(krate, _)| krate);
    let mut breaches = named(krate, quoted(page), files, &read).1;
    let rows = page.lines().filter_map(|line| line.strip_suffix('|'));
    let shown_by = rows.filter_map(|row| row.rsplit('|').next());
    let long = |name: &&str| name.chars().all(is_word) && name.matches('_').count() > 2;
    let bare: Vec<&str> = shown_by.flat_map(quoted).filter(long).collect();
    if !bare.is_empty() {
        let in_tests = |file: &&PathBuf| file.iter().nth(2).is_some_and(|name| name == "tests");
        let there: BTreeSet<String> = files
            .iter()
            .filter(in_tests)
            .flat_map(|file| tests_of(&Source::parse(&read(file)).code()))
            .collect();
        let missing = bare.into_iter().filter(|name| !there.contains(*name));
        breaches.extend(missing.map(|name| format!("no test `{name}`")));
    }
    placed(place, breaches)
}

fn placed(place: &str, breaches: Vec<String>) -> Vec<String> {
    let placed = breaches.into_iter();
    placed.map(|breach| format!("{place}: {breach}")).collect()
}

/// The tests that are named, each with its file, and what is wrong with them.
fn named<'a>(
    krate: &str,
    tokens: impl Iterator<Item = &'a str>,
    files: &[PathBuf],
    read: &impl Fn(&Path) -> String,
) -> (BTreeSet<(PathBuf, String)>, Vec<String>) {
    let (mut named, mut breaches) = (BTreeSet::new(), Vec::new());
    let mut tests = BTreeMap::new();
    for (file, test) in tokens.filter_map(|token| test_named(krate, token)) {
        let there = tests
            .entry(file.clone())
            .or_insert_with(|| match files.contains(&file) {
                true => tests_of(&Source::parse(&read(&file)).code()),
                false => BTreeSet::new(),
            });
        if !there.contains(test) {
            breaches.push(format!("no test `{test}` in {}", file.display()));
        }
        named.insert((file, test.to_owned()));
    }
    (named, breaches)
}

#[derive(Default)]
struct Section {
    /// The operations in the first row of the table.
    columns: BTreeSet<String>,
    /// What stands first in the other rows.
    rows: Vec<String>,
    has_empty_cell: bool,
    /// All that stands between backquotes, but for the first row.
    tokens: Vec<String>,
}

/// The sections by their names.
fn sections(page: &str) -> BTreeMap<String, Section> {
    let mut sections = BTreeMap::new();
    let mut pieces = page.split("\n## ");
    pieces.next();
    for piece in pieces {
        let (name, text) = piece.split_once('\n').unwrap_or((piece, ""));
        let mut section = Section::default();
        let mut rest = String::new();
        for line in text.lines() {
            let Some(row) = line.strip_prefix('|') else {
                rest.push_str(line);
                rest.push('\n');
                continue;
            };
            let cells: Vec<&str> = row
                .trim_end_matches('|')
                .split('|')
                .map(str::trim)
                .collect();
            match cells[0] {
                "" => section.columns = quoted(row).map(str::to_owned).collect(),
                "---" => {}
                case => {
                    section.rows.push(case.to_owned());
                    section.has_empty_cell |= cells.iter().any(|cell| cell.is_empty());
                    rest.push_str(row);
                    rest.push('\n');
                }
            }
        }
        section.tokens = quoted(&rest).map(str::to_owned).collect();
        sections.insert(name.trim().to_owned(), section);
    }
    sections
}

/// What stands between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The file and the name of the test that a token names, if it names one; in a crate of its own, or
/// in `krate`.
fn test_named<'a>(krate: &str, token: &'a str) -> Option<(PathBuf, &'a str)> {
    let (folder, token) = match token.split_once(' ') {
        Some((of, token)) if of.starts_with("pirn-") => (Path::new("crates").join(of), token),
        _ => (PathBuf::from(krate), token),
    };
    let (file, test) = token.split_once("::")?;
    let lower = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    match file.strip_suffix(".rs") {
        Some(_) => Some((folder.join(file), test)),
        None if lower(file) => Some((folder.join(format!("tests/loom/{file}.rs")), test)),
        None => None,
    }
}

/// The functions below a `#[test]` or a `#[pirn::test]`.
pub(super) fn tests_of(code: &str) -> BTreeSet<String> {
    let plain = code.split("#[test]").skip(1);
    let ours = code.split("#[pirn::test").skip(1);
    let below = plain.chain(ours);
    below.filter_map(|text| word_after(text, "fn")).collect()
}

/// The waiting operations of a file: each `pub async fn`, each `pub fn` that returns a future of
/// this file by its name or as an `impl Future`, and each such future that none returns.
fn operations(code: &str) -> BTreeSet<String> {
    let futures: BTreeSet<String> = find_word(code, "Future")
        .into_iter()
        .filter_map(|at| word_after(&code[at..], "for"))
        .filter(|name| code.contains(&format!("pub struct {name}")))
        .collect();
    let mut unreturned = futures.clone();
    let mut found = BTreeSet::new();
    for at in find_word(code, "fn") {
        let signature = code[at..].split(['{', ';']).next().unwrap_or_default();
        let Some(name) = word_after(signature, "fn") else {
            continue;
        };
        let line = code[..at].lines().next_back().unwrap_or_default();
        let returns = signature.rsplit("->").next().unwrap_or_default().trim();
        let kind = returns.split(|c| !is_word(c)).next().unwrap_or_default();
        let is_public = !find_word(line, "pub").is_empty() && !line.contains("pub(");
        let waits = futures.contains(kind) || returns.starts_with("impl Future");
        if is_public && (waits || !find_word(line, "async").is_empty()) {
            found.insert(name);
            unreturned.remove(kind);
        }
    }
    found.extend(unreturned);
    found
}

/// The word that follows the first `before` in a text, if that is near.
fn word_after(text: &str, before: &str) -> Option<String> {
    let at = *find_word(text, before).first()?;
    let is_near = !text[..at].contains(['{', ';']);
    let word: String = text[at + before.len()..]
        .trim_start()
        .chars()
        .take_while(|&c| is_word(c))
        .collect();
    (is_near && !word.is_empty()).then_some(word)
}
