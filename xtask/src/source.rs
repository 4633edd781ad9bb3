//! A Rust file split, line by line, into code and comments: as much of a lexer as `tidy` and
//! `weaken` need.
//!
//! Strings and character literals are blanked in the code, so that what they hold is not mistaken
//! for code; comments are kept apart, so that they can be looked for.

/// One line of a file.
#[derive(Debug, Default)]
pub struct Line {
    /// What the compiler sees, string contents blanked.
    pub code: String,
    /// The text of its comments.
    pub comment: String,
}

impl Line {
    /// Whether the compiler sees anything here.
    pub fn has_code(&self) -> bool {
        !self.code.trim().is_empty()
    }
}

/// A file.
#[derive(Debug)]
pub struct Source {
    /// Its lines.
    pub lines: Vec<Line>,
    /// The file byte for byte, with blanks for comments and for what strings hold: what is found in
    /// it at some place stands in the file at the same place.
    pub blanked: String,
}

/// Where the lexer stands.
enum State {
    Code,
    LineComment,
    /// Block comments nest.
    BlockComment(usize),
    /// A string that ends with a quote and this many hashes; a raw one has no escapes.
    Text {
        hashes: usize,
        raw: bool,
    },
}

impl Source {
    /// Splits a file.
    pub fn parse(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let mut lines = vec![Line::default()];
        let mut blanked = String::with_capacity(text.len());
        let mut state = State::Code;
        let mut at = 0;
        while let Some(&c) = chars.get(at) {
            if c == '\n' {
                if matches!(state, State::LineComment) {
                    state = State::Code;
                }
                lines.push(Line::default());
                blanked.push(c);
                at += 1;
                continue;
            }
            let line = lines.last_mut().expect("there is always a line");
            let before = line.code.len();
            let (next, used) = step(state, &chars[at..], line);
            // What the step put into the code is never longer than what it used up.
            let end = blanked.len() + bytes(&chars[at..at + used]);
            blanked.push_str(&line.code[before..]);
            blanked.extend(std::iter::repeat_n(' ', end - blanked.len()));
            state = next;
            at += used;
        }
        Source { lines, blanked }
    }

    /// The code of all lines, joined by newlines.
    pub fn code(&self) -> String {
        let lines: Vec<&str> = self.lines.iter().map(|line| line.code.as_str()).collect();
        lines.join("\n")
    }

    /// Whether a comment on line `at`, or above it past at most `reach` lines of code, contains
    /// `words`.
    pub fn comment_near(&self, at: usize, words: &str, reach: usize) -> bool {
        let mut left = reach;
        if self.lines[at].comment.contains(words) {
            return true;
        }
        for line in self.lines[..at].iter().rev() {
            if line.comment.contains(words) {
                return true;
            }
            if line.has_code() {
                if left == 0 {
                    return false;
                }
                left -= 1;
            }
        }
        false
    }
}

fn bytes(chars: &[char]) -> usize {
    chars.iter().map(|c| c.len_utf8()).sum()
}

/// Consumes one token's worth of `rest`, which neither is empty nor starts with a newline.
fn step(state: State, rest: &[char], line: &mut Line) -> (State, usize) {
    match state {
        State::LineComment => {
            line.comment.push(rest[0]);
            (State::LineComment, 1)
        }
        State::BlockComment(depth) => match rest {
            ['*', '/', ..] if depth == 1 => (State::Code, 2),
            ['*', '/', ..] => (State::BlockComment(depth - 1), 2),
            ['/', '*', ..] => (State::BlockComment(depth + 1), 2),
            [c, ..] => {
                line.comment.push(*c);
                (State::BlockComment(depth), 1)
            }
            [] => (State::BlockComment(depth), 1),
        },
        State::Text { hashes, raw } => {
            if !raw && rest[0] == '\\' {
                // A line break after the backslash is left for the caller to see.
                let used = if rest.get(1) == Some(&'\n') { 1 } else { 2 };
                return (State::Text { hashes, raw }, used);
            }
            let closed =
                rest[0] == '"' && rest.len() > hashes && rest[1..=hashes].iter().all(|&c| c == '#');
            if closed {
                line.code.push('"');
                (State::Code, 1 + hashes)
            } else {
                line.code.push(' ');
                (State::Text { hashes, raw }, 1)
            }
        }
        State::Code => code(rest, line),
    }
}

fn code(rest: &[char], line: &mut Line) -> (State, usize) {
    match rest {
        ['/', '/', ..] => (State::LineComment, 2),
        ['/', '*', ..] => (State::BlockComment(1), 2),
        ['"', ..] => {
            line.code.push('"');
            (
                State::Text {
                    hashes: 0,
                    raw: false,
                },
                1,
            )
        }
        ['r', ..] if !ends_in_word(&line.code) || line.code.ends_with('b') => {
            let hashes = rest[1..].iter().take_while(|&&c| c == '#').count();
            if rest.get(1 + hashes) == Some(&'"') {
                line.code.push('"');
                (State::Text { hashes, raw: true }, 2 + hashes)
            } else {
                line.code.push('r');
                (State::Code, 1)
            }
        }
        ['\'', '\\', ..] => {
            // An escaped character: up to the closing quote.
            let end = rest.iter().skip(3).position(|&c| c == '\'');
            line.code.push_str("''");
            (State::Code, end.map_or(rest.len(), |end| end + 4))
        }
        ['\'', _, '\'', ..] => {
            line.code.push_str("''");
            (State::Code, 3)
        }
        [c, ..] => {
            line.code.push(*c);
            (State::Code, 1)
        }
        [] => (State::Code, 1),
    }
}

fn ends_in_word(code: &str) -> bool {
    code.chars().next_back().is_some_and(is_word)
}

/// Whether a character may stand in an identifier.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where `word` stands in `code` as a whole word.
pub fn find_word(code: &str, word: &str) -> Vec<usize> {
    let whole = |&(at, _): &(usize, &str)| {
        !code[..at].chars().next_back().is_some_and(is_word)
            && !code[at + word.len()..].chars().next().is_some_and(is_word)
    };
    let found = code.match_indices(word).filter(whole);
    found.map(|(at, _)| at).collect()
}
