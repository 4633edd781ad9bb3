//! What can be weakened in one file, as a pure function of its text.
//!
//! | what | becomes |
//! |---|---|
//! | `Acquire`, `Release` | `Relaxed` |
//! | `AcqRel` | `Acquire`; `Release` |
//! | `SeqCst` | of a load `Acquire`, of a store `Release`, else `AcqRel` |
//! | `fence(Acquire)`, `fence(Release)` | nothing: there is no relaxed fence |
//! | a call of the table in `calls.rs`, as a statement | nothing |
//! | the same, where its value is used | what the table says |
//!
//! Not touched: a call of the table whose value is a receiver (`x.wake().unwrap()`); a function of
//! the table that is passed on by its name (`map(wake)`); orderings that are imported under another
//! name, or kept in a constant or a variable; the shim.

use std::{
    collections::BTreeMap,
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};

use super::{
    calls,
    tokens::{Kind as Token, Tokens},
};

/// What a mutant does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Weakens an ordering.
    Ordering,
    /// Leaves out a wake.
    Wake,
    /// Leaves out a hand-over.
    HandOver,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::Ordering, Kind::Wake, Kind::HandOver];

    /// Its name in ids, keys and options.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Ordering => "ordering",
            Kind::Wake => "wake",
            Kind::HandOver => "hand-over",
        }
    }
}

/// One place that is made weaker.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// The file, relative to the root.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: usize,
    /// What is done.
    pub kind: Kind,
    /// To what.
    pub what: String,
    /// The function around it.
    pub function: String,
    /// Which of those with the same file, function, kind and `what`, from 1.
    pub nth: usize,
    /// The bytes that are replaced.
    pub span: Range<usize>,
    /// By what.
    pub replacement: String,
}

impl Mutant {
    /// `file:line:kind:what`, for people.
    pub fn id(&self) -> String {
        let (file, kind) = (self.file.display(), self.kind.name());
        format!("{file}:{}:{kind}:{}", self.line, self.what)
    }

    /// What it is known by in the list of survivors: it stays the same while other code changes.
    pub fn key(&self) -> String {
        format!(
            "{} {} {} {} #{}",
            self.file.display(),
            self.function,
            self.kind.name(),
            self.what,
            self.nth
        )
    }

    /// The file with this place made weaker.
    pub fn apply(&self, text: &str) -> String {
        let Range { start, end } = self.span;
        [&text[..start], &self.replacement, &text[end..]].concat()
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id())
    }
}

/// Everything that can be weakened in a file; `path` is relative to the root.
///
/// # Errors
///
/// When the brackets of the file do not match.
pub fn find(path: &Path, text: &str) -> Result<Vec<Mutant>, String> {
    let name = path.to_string_lossy().replace('\\', "/");
    if name.contains("/src/shim") {
        return Ok(Vec::new());
    }
    let tokens = Tokens::parse(text).map_err(|error| format!("{name}: {error}"))?;
    let file = File {
        path: &name,
        tokens: &tokens,
        uses: uses(&tokens),
        functions: functions(&tokens),
    };
    let mut found = Vec::new();
    for at in 0..tokens.all().len() {
        if tokens.kind(at) == Some(Token::Word) && !file.is_use(at) {
            file.orderings(at, &mut found);
            file.calls(at, &mut found);
        }
    }
    let mut count = BTreeMap::new();
    for mutant in &mut found {
        let same = (mutant.function.clone(), mutant.kind, mutant.what.clone());
        let nth = count.entry(same).or_insert(0);
        *nth += 1;
        mutant.nth = *nth;
    }
    Ok(found)
}

struct File<'a> {
    path: &'a str,
    tokens: &'a Tokens,
    /// The tokens of each `use` item.
    uses: Vec<Range<usize>>,
    /// The tokens of each function and its name; inner ones come later.
    functions: Vec<(Range<usize>, String)>,
}

impl File<'_> {
    fn is_use(&self, at: usize) -> bool {
        self.uses.iter().any(|item| item.contains(&at))
    }

    fn mutant(&self, at: usize, span: Range<usize>, kind: Kind, what: String) -> Mutant {
        let around = self.functions.iter().rev();
        let function = around
            .into_iter()
            .find(|(body, _)| body.contains(&at))
            .map_or("-", |(_, name)| name);
        Mutant {
            file: self.path.into(),
            line: self.tokens.all()[at].line,
            kind,
            what,
            function: function.into(),
            nth: 1,
            span,
            replacement: String::new(),
        }
    }

    fn orderings(&self, at: usize, found: &mut Vec<Mutant>) {
        let tokens = self.tokens;
        let from = tokens.text(at);
        let qualified = tokens.follows(at, &["Ordering", ":", ":"]);
        let bare = tokens.before(at) != ":" && self.imports(from);
        if !(qualified || bare) || ![",", ")"].contains(&tokens.text(at + 1)) {
            return;
        }
        let around = tokens.all()[at].around;
        let operation = around.map_or("", |open| tokens.before(open));
        let weaker: &[&str] = match (from, operation) {
            ("Acquire" | "Release", "fence") => &[""],
            ("Acquire" | "Release", _) => &["Relaxed"],
            ("AcqRel", _) => &["Acquire", "Release"],
            ("SeqCst", "load") => &["Acquire"],
            ("SeqCst", "store") => &["Release"],
            ("SeqCst", _) => &["AcqRel"],
            _ => return,
        };
        for to in weaker {
            let what = |to: &str| format!("{operation} {from}>{to}");
            if to.is_empty() {
                let name = around.unwrap_or(at) - 1;
                if let Some(span) = self.statement(name) {
                    found.push(self.mutant(at, span, Kind::Ordering, what("none")));
                }
                continue;
            }
            // In full, since the weaker one may not be imported: next to a path that is.
            let replacement = match qualified {
                true => (*to).into(),
                false => format!("std::sync::atomic::Ordering::{to}"),
            };
            let span = tokens.all()[at].span.clone();
            found.push(Mutant {
                replacement,
                ..self.mutant(at, span, Kind::Ordering, what(to))
            });
        }
    }

    /// True if a `use` item names this ordering.
    fn imports(&self, ordering: &str) -> bool {
        self.uses.iter().any(|item| {
            let mut words = item.clone().map(|i| self.tokens.text(i));
            words.any(|word| word == "Ordering") && words.any(|word| word == ordering)
        })
    }

    fn calls(&self, at: usize, found: &mut Vec<Mutant>) {
        let tokens = self.tokens;
        if tokens.text(at + 1) != "(" || tokens.before(at) == "fn" {
            return;
        }
        let on = match tokens.before(at) {
            "." => at.checked_sub(2).map(|i| tokens.text(i)),
            _ => None,
        };
        let Some(call) = calls::find(self.path, on, tokens.text(at)) else {
            return;
        };
        let what = call.name.to_owned();
        let start = tokens.all()[tokens.chain_start(at)].span.start;
        if call.instead == calls::DROPPED {
            let span = start..tokens.all()[at].span.end;
            found.push(Mutant {
                replacement: "drop".into(),
                ..self.mutant(at, span, call.kind, what)
            });
            return;
        }
        if let Some(span) = self.statement(at) {
            found.push(self.mutant(at, span, call.kind, what));
            return;
        }
        let close = tokens.all()[at + 1].mate;
        if [".", "?"].contains(&tokens.text(close + 1)) {
            return;
        }
        let span = start..tokens.all()[close].span.end;
        found.push(Mutant {
            replacement: call.instead.into(),
            ..self.mutant(at, span, call.kind, what)
        });
    }

    /// The whole statement, if the call of the name at `at` is one: `a.b(c);`, `let _ = a.b(c)?;`.
    fn statement(&self, at: usize) -> Option<Range<usize>> {
        let tokens = self.tokens;
        let mut end = tokens.all()[at + 1].mate + 1;
        while tokens.text(end) == "?" {
            end += 1;
        }
        if tokens.text(end) != ";" {
            return None;
        }
        let mut start = tokens.chain_start(at);
        if tokens.follows(start, &["let", "_", "="]) {
            start -= 3;
        }
        let begins = ["{", "}", ";"].contains(&tokens.before(start));
        let all = tokens.all();
        begins.then(|| all[start].span.start..all[end].span.end)
    }
}

/// The tokens of each `use` item.
fn uses(tokens: &Tokens) -> Vec<Range<usize>> {
    let mut items = Vec::new();
    let mut at = 0;
    while at < tokens.all().len() {
        // `use<'a>` in a signature is no item.
        if tokens.text(at) == "use" && tokens.text(at + 1) != "<" {
            let start = at;
            while at < tokens.all().len() && tokens.text(at) != ";" {
                at += 1;
            }
            items.push(start..at);
        }
        at += 1;
    }
    items
}

/// The tokens of each function with a body, and its name after that of its type.
fn functions(tokens: &Tokens) -> Vec<(Range<usize>, String)> {
    let mut owners: Vec<(Range<usize>, String)> = Vec::new();
    let mut found = Vec::new();
    for at in 0..tokens.all().len() {
        match tokens.text(at) {
            "impl" | "trait" if is_item(tokens, at) => {
                if let Some(body) = body(tokens, at) {
                    owners.push((body.clone(), owner(tokens, at + 1..body.start)));
                }
            }
            "fn" if tokens.kind(at + 1) == Some(Token::Word) => {
                if let Some(body) = body(tokens, at) {
                    let name = tokens.text(at + 1);
                    let owner = owners.iter().rev().find(|(owner, _)| owner.contains(&at));
                    let name = match owner {
                        Some((_, owner)) => format!("{owner}::{name}"),
                        None => name.to_owned(),
                    };
                    found.push((at..body.end, name));
                }
            }
            _ => {}
        }
    }
    found
}

/// True where an item may begin: `impl` may also be a type.
fn is_item(tokens: &Tokens, at: usize) -> bool {
    let begins = ["", "{", "}", ";", "]", "unsafe", "pub"];
    begins.contains(&tokens.before(at)) || tokens.follows(at, &["pub", "(", "crate", ")"])
}

/// The braces of the item that begins at `at`, if it has any.
fn body(tokens: &Tokens, at: usize) -> Option<Range<usize>> {
    let mut at = at;
    loop {
        match tokens.text(at) {
            "{" => return Some(at..tokens.all()[at].mate + 1),
            ";" | "" | "}" => return None,
            "(" | "[" => at = tokens.all()[at].mate + 1,
            _ => at += 1,
        }
    }
}

/// The type's name in `<'a, T: Bound> Trait<X> for path::Type<'a, T> where …`.
fn owner(tokens: &Tokens, header: Range<usize>) -> String {
    let mut depth = 0_usize;
    let mut name = "-";
    for at in header {
        match tokens.text(at) {
            "<" => depth += 1,
            ">" if tokens.before(at) != "-" => depth = depth.saturating_sub(1),
            "where" if depth == 0 => break,
            // A trait's own bounds.
            ":" if depth == 0 && tokens.text(at + 1) != ":" && tokens.before(at) != ":" => break,
            "for" | "dyn" | "mut" | "const" => {}
            word if depth == 0 && tokens.kind(at) == Some(Token::Word) => name = word,
            _ => {}
        }
    }
    name.to_owned()
}
