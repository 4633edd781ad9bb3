//! The guide: what its pages name is there, and what they show is run.
//!
//! | what a page has | is checked |
//! |---|---|
//! | a link | its page and heading, or its file, is there; nothing but the guide's own pages ends in `.md`, which mdBook makes `.html` of |
//! | `crates/….rs::name`, between backquotes | that is a test |
//! | `examples/…`, or a path into another of our folders, between backquotes | that is there |
//! | `01_hello`, between backquotes | that is a program of the course |
//! | a Rust block | it asserts something, and a doctest runs it |
//! | a block below `<!-- from PATH -->` | it stands so in that file |
//!
//! And every page is in the summary and among the doctests; and each row of asyncio's topics is
//! numbered, and names what shows it or says why nothing does.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
};

use super::models::tests_of;
use crate::source::Source;

/// The folder of the pages.
pub const PAGES: &str = "docs/src";
/// The file that makes doctests of them.
const DOCTESTS: &str = "docs/lib.rs";
const SUMMARY: &str = "SUMMARY.md";
const ROWS: &str = "asyncio-rows.md";
const COURSE: &str = "examples/course";
/// Paths begin with one of them.
const FOLDERS: [&str; 6] = ["benches", "crates", "docs", "examples", "fuzz", "xtask"];

/// Checks the guide, given its pages by their names, how to read a file of the repository, and
/// whether a path is there.
pub fn check(
    pages: &BTreeMap<String, String>,
    read: impl Fn(&Path) -> String,
    exists: impl Fn(&Path) -> bool,
) -> Vec<String> {
    let mut breaches = complete(pages, &read(DOCTESTS.as_ref()));
    for (name, text) in pages {
        let page = Page::parse(text);
        let mut found = Vec::new();
        found.extend(
            page.links
                .iter()
                .filter_map(|link| lost(link, name, pages, &exists)),
        );
        found.extend(
            page.names
                .iter()
                .filter_map(|token| unknown(token, &read, &exists)),
        );
        found.extend(page.blocks.iter().filter_map(|block| unrun(block, &read)));
        if name == ROWS {
            found.extend(rows(text));
        }
        breaches.extend(
            found
                .into_iter()
                .map(|breach| format!("{PAGES}/{name}: {breach}")),
        );
    }
    breaches
}

/// Every page is in the summary, once, and is included where its blocks are run.
fn complete(pages: &BTreeMap<String, String>, doctests: &str) -> Vec<String> {
    let summary = pages.get(SUMMARY).map_or("", String::as_str);
    let listed = Page::parse(summary).links;
    let mut breaches = Vec::new();
    for name in pages.keys().filter(|name| *name != SUMMARY) {
        match listed.iter().filter(|link| *link == name).count() {
            1 => {}
            0 => breaches.push(format!("{PAGES}/{SUMMARY}: does not list {name}")),
            many => breaches.push(format!("{PAGES}/{SUMMARY}: lists {name} {many} times")),
        }
        if !doctests.contains(&format!("include_str!(\"src/{name}\")")) {
            breaches.push(format!(
                "{DOCTESTS}: does not include src/{name}, whose blocks nobody runs"
            ));
        }
    }
    breaches
}

/// What a page is made of.
#[derive(Default)]
struct Page<'a> {
    /// Where its links lead.
    links: Vec<&'a str>,
    /// What stands between backquotes.
    names: Vec<&'a str>,
    /// Its headings, as links name them.
    headings: BTreeSet<String>,
    blocks: Vec<Block<'a>>,
}

/// A block of code.
struct Block<'a> {
    /// What stands behind its first fence.
    kind: &'a str,
    text: String,
    /// The file that the comment above it names.
    from: Option<&'a str>,
}

impl<'a> Page<'a> {
    fn parse(text: &'a str) -> Self {
        let mut page = Page::default();
        let (mut from, mut open) = (None, None::<Block<'a>>);
        for line in text.lines() {
            match (&mut open, line.strip_prefix("```")) {
                (None, Some(kind)) => {
                    let from = from.take();
                    let text = String::new();
                    open = Some(Block { kind, text, from });
                }
                (Some(_), Some(_)) => page.blocks.extend(open.take()),
                (Some(block), None) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => {
                    page.prose(line);
                    let comment = line.strip_prefix("<!-- from ");
                    from = comment.and_then(|rest| rest.strip_suffix(" -->"));
                }
            }
        }
        page
    }

    fn prose(&mut self, line: &'a str) {
        if line.starts_with('#') {
            self.headings.insert(slug(line.trim_start_matches('#')));
        }
        for (at, piece) in line.split('`').enumerate() {
            if at % 2 == 1 {
                self.names.push(piece);
            }
        }
        // A link's text may have backquotes in it, so the whole line is looked at.
        for (at, _) in line.match_indices("](") {
            let inside_code = line[..at].matches('`').count() % 2 == 1;
            let target = line[at + 2..].split(')').next().unwrap_or_default();
            if !inside_code {
                self.links.push(target);
            }
        }
    }
}

/// A heading, as mdBook makes an anchor of it.
fn slug(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter_map(|c| match c {
        c if c.is_whitespace() => Some('-'),
        c if c.is_alphanumeric() || c == '_' || c == '-' => Some(c),
        _ => None,
    });
    kept.collect()
}

/// What is wrong with a link of the page `name`.
fn lost(
    link: &str,
    name: &str,
    pages: &BTreeMap<String, String>,
    exists: impl Fn(&Path) -> bool,
) -> Option<String> {
    if link.starts_with("https://") || link.starts_with("http://") {
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let page = if path.is_empty() { name } else { path };
    if let Some(text) = pages.get(page) {
        let there = anchor.is_empty() || Page::parse(text).headings.contains(anchor);
        return (!there).then(|| format!("{page} has no heading #{anchor}"));
    }
    if path.ends_with(".md") {
        return Some(format!(
            "links to {path}, which is no page of the guide: name it between backquotes"
        ));
    }
    let resolved = resolve(&Path::new(PAGES).join(path));
    let there = resolved.is_some_and(|path| exists(&path));
    (!there).then(|| format!("links to {path}, which is not there"))
}

/// A path without `..` in it; `None` outside the repository.
fn resolve(path: &Path) -> Option<PathBuf> {
    let mut resolved = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => resolved.pop().then_some(())?,
            part => resolved.push(part),
        }
    }
    Some(resolved)
}

/// What is wrong with what stands between backquotes, if that is the name of something.
fn unknown(
    token: &str,
    read: impl Fn(&Path) -> String,
    exists: impl Fn(&Path) -> bool,
) -> Option<String> {
    let there = match named(token)? {
        Named::Test(file, test) => {
            let file = Path::new(file);
            exists(file) && tests_of(&Source::parse(&read(file)).code()).contains(test)
        }
        Named::Path(path) => exists(path.as_ref()),
        Named::Program(name) => exists(&Path::new(COURSE).join(format!("{name}.rs"))),
    };
    (!there).then(|| format!("names `{token}`, which is not there"))
}

/// What a name between backquotes may be of.
enum Named<'a> {
    Test(&'a str, &'a str),
    Path(&'a str),
    Program(&'a str),
}

fn named(token: &str) -> Option<Named<'_>> {
    let ours = |path: &str| {
        let first = path.split_once('/').map(|(folder, _)| folder);
        first.is_some_and(|folder| FOLDERS.contains(&folder)) && !path.contains(' ')
    };
    if let Some((file, test)) = token.split_once(".rs::") {
        let file = &token[..file.len() + ".rs".len()];
        return ours(file).then_some(Named::Test(file, test));
    }
    if ours(token) {
        return Some(Named::Path(token));
    }
    let (number, rest) = token.split_once('_')?;
    let digits = number.len() == 2 && number.chars().all(|c| c.is_ascii_digit());
    let word = !rest.is_empty() && rest.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    (digits && word).then_some(Named::Program(token))
}

/// What is wrong with a block.
fn unrun(block: &Block<'_>, read: impl Fn(&Path) -> String) -> Option<String> {
    if let Some(file) = block.from {
        let same = !block.text.is_empty() && read(file.as_ref()).contains(&block.text);
        return (!same).then(|| format!("a block does not stand so in {file}"));
    }
    let mut kind = block.kind.split(',');
    if kind.next() != Some("rust") {
        return None;
    }
    let first = || block.text.lines().next().unwrap_or_default();
    if kind.any(|word| ["ignore", "no_run", "text"].contains(&word)) {
        return Some(format!("a block that nobody runs: {}", first()));
    }
    (!block.text.contains("assert")).then(|| format!("a block asserts nothing: {}", first()))
}

/// The rows of asyncio's topics: numbered from 1, and each with what shows it or a reason.
fn rows(text: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    let mut last = 0;
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, number, _, shown, reason, _] = cells[..] else {
            continue;
        };
        let Ok(number) = number.parse::<u32>() else {
            continue;
        };
        if number != last + 1 {
            breaches.push(format!("row {number} comes after row {last}"));
        }
        last = number;
        let tokens = shown.split('`').skip(1).step_by(2);
        if tokens.filter_map(named).count() == 0 && reason.is_empty() {
            breaches.push(format!(
                "row {number} names nothing that shows it, and no reason"
            ));
        }
    }
    if last == 0 {
        breaches.push("has no rows".into());
    }
    breaches
}
