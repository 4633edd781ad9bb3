//! The tokens of a Rust file, with their places and which bracket closes which: as much of its
//! grammar as `weaken` needs. What a macro holds is tokens like any other.

use std::ops::Range;

use crate::source::{Source, is_word};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name, a keyword or a number.
    Word,
    /// A string or a character.
    Text,
    /// `'name`.
    Lifetime,
    /// `(`, `[` or `{`.
    Open,
    /// `)`, `]` or `}`.
    Close,
    /// One other character.
    Sign,
}

/// One token.
#[derive(Clone, Debug)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Where it stands, in bytes.
    pub span: Range<usize>,
    /// Its line, from 1.
    pub line: usize,
    /// Of a bracket, the token that closes or opens it.
    pub mate: usize,
    /// The innermost bracket that is open here; of a bracket, the one around it.
    pub around: Option<usize>,
}

/// A file.
#[derive(Debug)]
pub struct Tokens {
    text: String,
    list: Vec<Token>,
}

impl Tokens {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// When its brackets do not match.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = Source::parse(text).blanked;
        let mut list: Vec<Token> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        let mut line = 1;
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            let rest = &text[at..];
            if c.is_whitespace() {
                line += usize::from(c == '\n');
                at += c.len_utf8();
                continue;
            }
            let (kind, length) = first(c, rest);
            let index = list.len();
            let mut token = Token {
                kind,
                span: at..at + length,
                line,
                mate: index,
                around: open.last().copied(),
            };
            match kind {
                Kind::Open => open.push(index),
                Kind::Close => {
                    let mate = open.pop().filter(|&mate| pairs(&text, &list[mate], c));
                    let mate = mate.ok_or_else(|| format!("line {line}: `{c}` closes nothing"))?;
                    list[mate].mate = index;
                    token.mate = mate;
                    token.around = open.last().copied();
                }
                _ => {}
            }
            list.push(token);
            line += rest[..length].matches('\n').count();
            at += length;
        }
        match open.last() {
            None => Ok(Tokens { text, list }),
            Some(&left) => Err(format!("line {}: a bracket stays open", list[left].line)),
        }
    }

    /// All tokens.
    pub fn all(&self) -> &[Token] {
        &self.list
    }

    /// The text of token `at`; empty if there is no such token.
    pub fn text(&self, at: usize) -> &str {
        let token = self.list.get(at);
        token.map_or("", |token| &self.text[token.span.clone()])
    }

    /// The text of the token before `at`.
    pub fn before(&self, at: usize) -> &str {
        at.checked_sub(1).map_or("", |before| self.text(before))
    }

    /// True if the tokens before `at` are these.
    pub fn follows(&self, at: usize, words: &[&str]) -> bool {
        at.checked_sub(words.len()).is_some_and(|start| {
            (start..at)
                .zip(words)
                .all(|(i, word)| self.text(i) == *word)
        })
    }

    /// What kind token `at` is of, if there is one.
    pub fn kind(&self, at: usize) -> Option<Kind> {
        self.list.get(at).map(|token| token.kind)
    }

    /// The first token of the path or chain of calls that ends in the name at `at`: `self` in
    /// `self.list.policy().open`.
    pub fn chain_start(&self, at: usize) -> usize {
        let mut start = at;
        loop {
            let Some(mut link) = start.checked_sub(1) else {
                return start;
            };
            let path = self.text(link) == ":" && self.before(link) == ":";
            if !(self.text(link) == "." || path) {
                return start;
            }
            link -= usize::from(path);
            let Some(atom) = self.atom_start(link, path) else {
                return start;
            };
            start = atom;
        }
    }

    /// The first token of what ends before `end`: a name, a call, an index, `x?`, or in a path
    /// `<T>`.
    fn atom_start(&self, end: usize, path: bool) -> Option<usize> {
        let mut last = end.checked_sub(1)?;
        while self.text(last) == "?" {
            last = last.checked_sub(1)?;
        }
        if path && self.text(last) == ">" {
            return self.angle_start(last);
        }
        // `f(x)(y)[i]`: brackets, then what they belong to.
        let mut bracketed = false;
        while self.kind(last)? == Kind::Close && self.text(last) != "}" {
            bracketed = true;
            last = self.list[last].mate;
            let Some(before) = last.checked_sub(1) else {
                return Some(last);
            };
            if !matches!(self.kind(before)?, Kind::Word | Kind::Close) && self.text(before) != ">" {
                return Some(last);
            }
            last = before;
        }
        match self.kind(last)? {
            // `::<T>(x)`
            Kind::Sign if bracketed && self.text(last) == ">" => {
                let start = self.angle_start(last)?;
                let path = self.follows(start, &[":", ":"]);
                path.then(|| start.checked_sub(3)).flatten()
            }
            Kind::Word if bracketed && is_keyword(self.text(last)) => Some(last + 1),
            Kind::Word | Kind::Text => Some(last),
            Kind::Close if self.text(last) == "}" => None,
            _ => None,
        }
    }

    fn angle_start(&self, last: usize) -> Option<usize> {
        let mut depth = 0_usize;
        let mut at = last;
        loop {
            match self.text(at) {
                ">" if self.before(at) != "-" => depth += 1,
                "<" => depth -= 1,
                _ if self.kind(at)? == Kind::Close => at = self.list[at].mate,
                _ => {}
            }
            if depth == 0 {
                return Some(at);
            }
            at = at.checked_sub(1)?;
        }
    }
}

/// Words that may stand before a parenthesis without being called.
fn is_keyword(word: &str) -> bool {
    [
        "in", "if", "while", "match", "return", "else", "move", "break",
    ]
    .contains(&word)
}

fn pairs(text: &str, open: &Token, close: char) -> bool {
    matches!(
        (&text[open.span.clone()], close),
        ("(", ')') | ("[", ']') | ("{", '}')
    )
}

/// The kind and the length in bytes of the token that `rest` begins with; `c` is its first
/// character.
fn first(c: char, rest: &str) -> (Kind, usize) {
    let word = |rest: &str| rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    match c {
        '(' | '[' | '{' => (Kind::Open, 1),
        ')' | ']' | '}' => (Kind::Close, 1),
        // What it holds is blanked.
        '"' => (
            Kind::Text,
            rest[1..].find('"').map_or(rest.len(), |end| end + 2),
        ),
        '\'' if rest.starts_with("''") => (Kind::Text, 2),
        '\'' => (Kind::Lifetime, 1 + word(&rest[1..])),
        c if is_word(c) => (Kind::Word, word(rest)),
        c => (Kind::Sign, c.len_utf8()),
    }
}
