//! A crate's README, made of its documentation: what `src/lib.rs` begins with is the one source.
//!
//! A registry shows Markdown as it is. It knows no path of Rust's, so that what links to one becomes
//! plain text, and it hides no line of an example, so that hidden ones are left out.

/// The crate's documentation, the `//!` lines that its root begins with.
pub fn documentation(root: &str) -> String {
    let lines = root.lines().map_while(|line| line.strip_prefix("//!"));
    let lines: Vec<&str> = lines
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    lines.join("\n")
}

/// The README of the crate `name` whose documentation is `docs`.
pub fn render(name: &str, docs: &str, rust: &str, licence: &str) -> String {
    let mut page =
        format!("# {name}\n\n<!-- Made of src/lib.rs by `cargo xtask audit --record`. -->\n\n");
    let definitions = definitions(docs);
    let mut text = String::new();
    let mut fence: Option<bool> = None;
    for line in docs.lines() {
        match (fence, line.trim_start().strip_prefix("```")) {
            (None, Some(language)) => {
                page.push_str(&prose(&text, &definitions));
                text.clear();
                let rust = is_rust(language);
                page.push_str(&match rust {
                    true => line.replace(&format!("```{language}"), "```rust"),
                    false => line.to_owned(),
                });
                page.push('\n');
                fence = Some(rust);
            }
            (Some(_), Some(_)) => {
                page.push_str(line);
                page.push('\n');
                fence = None;
            }
            (Some(rust), None) => {
                if !(rust && is_hidden(line)) {
                    page.push_str(line);
                    page.push('\n');
                }
            }
            (None, None) => {
                if line.starts_with('#') {
                    text.push('#');
                }
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    page.push_str(&prose(&text, &definitions));
    let end = page.trim_end().len();
    page.truncate(end);
    page.push_str(&format!(
        "\n\nPart of pirn, asyncio for Rust as small crates. Rust {rust} or later; {licence}, at your option.\n"
    ));
    page
}

/// Whether rustdoc compiles a block that begins so.
pub fn is_rust(language: &str) -> bool {
    let attributes = [
        "rust",
        "no_run",
        "should_panic",
        "compile_fail",
        "ignore",
        "edition2024",
    ];
    let mut words = language.split(',').map(str::trim);
    words.all(|word| word.is_empty() || attributes.contains(&word))
}

/// Whether rustdoc hides a line of an example.
fn is_hidden(line: &str) -> bool {
    let line = line.trim_start();
    line == "#" || line.starts_with("# ")
}

/// The names of `[name]: target` whose targets a registry can follow.
fn definitions(docs: &str) -> Vec<&str> {
    let found = docs.lines().filter_map(definition);
    found
        .filter(|(_, target)| is_outside(target))
        .map(|(name, _)| name)
        .collect()
}

fn definition(line: &str) -> Option<(&str, &str)> {
    let (name, target) = line.strip_prefix('[')?.split_once(']')?;
    Some((name, target.strip_prefix(':')?.trim()))
}

fn is_outside(target: &str) -> bool {
    let starts = ["http://", "https://", "#"];
    starts.iter().any(|start| target.starts_with(start))
}

/// Text without the links that only rustdoc can follow.
fn prose(text: &str, definitions: &[&str]) -> String {
    let inner = |line: &&str| definition(line).is_none_or(|(_, target)| is_outside(target));
    let text: String = text.split_inclusive('\n').filter(inner).collect();
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        if c == '`' {
            let end = rest[1..].find('`').map_or(rest.len(), |end| end + 2);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        if c == '[' {
            let begins = out.is_empty() || out.ends_with('\n');
            if let Some((shown, used)) = link(rest, begins, definitions) {
                out.push_str(&shown);
                rest = &rest[used..];
                continue;
            }
        }
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// What becomes of the link that `rest` begins with, and how long it is. At the beginning of a line a
/// colon makes it the definition of one.
fn link(rest: &str, begins_line: bool, definitions: &[&str]) -> Option<(String, usize)> {
    let close = closing(rest, '[', ']')?;
    let label = &rest[1..close];
    let after = &rest[close + 1..];
    let (kept, used) = if after.starts_with('(') {
        let end = closing(after, '(', ')')?;
        (is_outside(&after[1..end]), close + 1 + end + 1)
    } else if after.starts_with('[') {
        let end = closing(after, '[', ']')?;
        (definitions.contains(&&after[1..end]), close + 1 + end + 1)
    } else if begins_line && after.starts_with(':') {
        (true, close + 1)
    } else {
        // Brackets around plain words are no link, unless they are defined as one.
        let is_path = label.starts_with('`') && label.ends_with('`');
        (definitions.contains(&label) || !is_path, close + 1)
    };
    Some(match kept {
        true => (rest[..used].to_owned(), used),
        false => (label.to_owned(), used),
    })
}

/// Where the bracket that `text` begins with is closed.
fn closing(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            depth -= 1;
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}
