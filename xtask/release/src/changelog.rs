//! `CHANGELOG.md`: what is told of the next version, and its heading once it is out.

use std::ops::Range;

use semver::Version;
use xtask::Result;

/// The heading above what is not released yet.
const UNRELEASED: &str = "## Unreleased";

/// How much a change asks of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It works better than before.
    Fixed,
    /// There is more than before.
    Added,
    /// What compiled or worked before may no longer.
    Breaking,
}

/// One point of the list.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The heading it stands under, if any.
    pub kind: Option<Kind>,
    /// The crates it begins with, in bold.
    pub crates: Vec<String>,
}

/// The section of what is not released.
///
/// # Errors
///
/// When there is none.
pub fn unreleased(text: &str) -> Result<&str> {
    section(text, |heading| heading == UNRELEASED)
        .map(|(_, body)| text[body].trim())
        .ok_or_else(|| format!("CHANGELOG.md has no `{UNRELEASED}`"))
}

/// What is told of a version.
pub fn notes<'a>(text: &'a str, version: &Version) -> Option<&'a str> {
    let (title, version) = ("## ", version.to_string());
    let is_it = |heading: &str| {
        let name = heading
            .strip_prefix(title)
            .and_then(|name| name.split(' ').next());
        name == Some(version.as_str())
    };
    let (_, body) = section(text, is_it)?;
    Some(text[body].trim())
}

/// The points of a section.
///
/// # Errors
///
/// When it has a heading other than `Breaking`, `Added` and `Fixed`.
pub fn entries(section: &str) -> Result<Vec<Entry>> {
    let (mut found, mut kind) = (Vec::new(), None);
    for (_, line) in lines(section) {
        if let Some(heading) = line.strip_prefix("### ") {
            kind = Some(match heading.trim() {
                "Breaking" => Kind::Breaking,
                "Added" => Kind::Added,
                "Fixed" => Kind::Fixed,
                other => {
                    return Err(format!(
                        "CHANGELOG.md has a heading `{other}`; there are Breaking, Added and Fixed"
                    ));
                }
            });
        } else if let Some(point) = line.strip_prefix("- ") {
            let crates = bold(point);
            found.push(Entry { kind, crates });
        }
    }
    Ok(found)
}

/// The names in bold that a point begins with.
fn bold(point: &str) -> Vec<String> {
    let (mut names, mut rest) = (Vec::new(), point);
    while let Some((name, after)) = rest.strip_prefix("**").and_then(|r| r.split_once("**")) {
        names.push(name.to_owned());
        rest = after.trim_start_matches([',', ' ']);
        rest = rest.strip_prefix("and ").unwrap_or(rest);
    }
    names
}

/// The heading of a version.
pub fn heading(train: &Version, core: &Version, date: &str) -> String {
    format!("## {train} ({date}), with pirn-core {core}")
}

/// Gives what is not released this heading, and puts an empty section above it.
///
/// # Errors
///
/// When there is no such section, or nothing in it.
pub fn release(text: &str, heading: &str) -> Result<String> {
    if unreleased(text)?.is_empty() {
        return Err("CHANGELOG.md tells nothing of this version".into());
    }
    let (title, body) = section(text, |line| line == UNRELEASED).unwrap_or_default();
    let (above, below) = (&text[..title.start], &text[body.start..]);
    Ok(format!("{above}{UNRELEASED}\n\n{heading}\n{below}"))
}

/// Where the heading and the body of the first section are that `is_it` picks.
fn section(text: &str, is_it: impl Fn(&str) -> bool) -> Option<(Range<usize>, Range<usize>)> {
    let mut titles = lines(text).filter(|(_, line)| line.starts_with("## "));
    let (start, line) = titles.find(|(_, line)| is_it(line.trim_end()))?;
    let end = titles.next().map_or(text.len(), |(next, _)| next);
    let body = start + line.len();
    // A last line may lack its newline.
    let body = (body + 1).min(text.len());
    Some((start..body, body..end))
}

/// The lines outside code, with where each begins.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let (mut at, mut code) = (0, false);
    let all = text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        let line = line.trim_end_matches('\n');
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        (!fence && !code).then_some((start, line))
    });
    all.flatten()
}
