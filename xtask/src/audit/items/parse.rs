//! Reads the items of one file.

use std::path::Path;

use super::{Item, Items, Kind};
use crate::source::{Source, find_word, is_word};

/// A module that lies in a file of its own.
pub(super) struct Module {
    pub(super) name: String,
    /// The path that it was given.
    pub(super) placed: Option<String>,
    /// Whether it is public all the way up.
    pub(super) open: bool,
}

/// Reads a file, and adds to `items` what is in it; gives the modules that lie elsewhere. `open` says
/// whether the file's module is public all the way up.
pub(super) fn file(path: &Path, text: &str, open: bool, items: &mut Items) -> Vec<Module> {
    let source = Source::parse(text);
    let mut file = File {
        path,
        text,
        code: &source.blanked,
        modules: Vec::new(),
        items,
        open,
    };
    file.block(0, source.blanked.len(), &Around::Module);
    file.modules
}

/// What stands around an item.
enum Around {
    Module,
    /// Functions of this type, which are public where they say so.
    Type(String),
    /// Functions of this trait, which are all public.
    Trait(String),
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
    /// The text with blanks for comments and for what strings hold.
    code: &'a str,
    /// Those in files of their own.
    modules: Vec<Module>,
    items: &'a mut Items,
    /// Whether the module is public all the way up.
    open: bool,
}

/// Words that may stand between a visibility and what kind of item it is.
const BEFORE: [&str; 5] = ["async", "const", "default", "extern", "unsafe"];

impl File<'_> {
    /// Reads the items from `at` to `end`.
    fn block(&mut self, mut at: usize, end: usize, around: &Around) {
        while at < end {
            let next = self.item(at, end, around);
            debug_assert!(next > at, "an item is not empty");
            at = next;
        }
    }

    /// Reads the item that begins after `start`, its documentation first; returns its end.
    fn item(&mut self, start: usize, end: usize, around: &Around) -> usize {
        let mut at = start;
        let mut attributes = String::new();
        loop {
            at = self.skip_blank(at, end);
            let rest = &self.code[at..end];
            if !(rest.starts_with("#[") || rest.starts_with("#![")) {
                break;
            }
            let open = at + rest.find('[').unwrap_or(0);
            let close = self.closing(open, end);
            attributes.push_str(&self.text[at..close]);
            at = close;
        }
        let begin = at;
        if at >= end {
            return end;
        }
        let mut public = matches!(around, Around::Trait(_));
        if self.word(at) == "pub" {
            at = self.skip_blank(at + 3, end);
            public = !self.code[at..end].starts_with('(');
            if !public {
                at = self.skip_blank(self.closing(at, end), end);
            }
        }
        let mut is_async = false;
        let mut is_const = false;
        while BEFORE.contains(&self.word(at)) {
            is_async |= self.word(at) == "async";
            is_const |= self.word(at) == "const";
            at = self.skip_blank(at + self.word(at).len(), end);
            // The name of an ABI.
            if self.code[at..end].starts_with('"') {
                let rest = &self.code[at + 1..end];
                at = self.skip_blank(at + rest.find('"').map_or(1, |quote| quote + 2), end);
            }
        }
        let keyword = self.word(at).to_owned();
        let after = self.skip_blank(at + keyword.len().max(1), end);
        let name = self.word(after).to_owned();
        let hidden = attributes.contains("doc(hidden)") || attributes.contains("cfg(test)");
        let mut item = Item {
            file: self.path.to_owned(),
            line: self.text[..begin].matches('\n').count() + 1,
            kind: Kind::Other,
            name: match around {
                Around::Module => name.clone(),
                Around::Type(owner) | Around::Trait(owner) => format!("{owner}::{name}"),
            },
            docs: documentation(&self.text[start..begin]),
            is_async,
            returns: String::new(),
            open: self.open,
        };
        let close = match keyword.as_str() {
            "fn" => {
                let body = self.body(after, end);
                item.kind = match around {
                    Around::Module => Kind::Function,
                    _ => Kind::Method,
                };
                if attributes.contains("proc_macro") {
                    item.kind = Kind::Macro;
                }
                item.returns = returns(&self.code[after..body]);
                self.past(body, end)
            }
            "struct" | "enum" | "union" => {
                item.kind = Kind::Type;
                self.past(self.body(after, end), end)
            }
            "trait" => {
                item.kind = Kind::Trait;
                let (body, close) = self.braces(after, end);
                if public && !hidden {
                    self.block(body, close - 1, &Around::Trait(name));
                }
                close
            }
            "impl" => {
                let (body, close) = self.braces(after, end);
                let header = self.code[at + "impl".len()..body].trim_end_matches(['{', ' ', '\n']);
                let (of, owner) = implementation(header);
                match of {
                    Some(of) if of == "Future" => {
                        self.items.futures.push((self.path.to_owned(), owner));
                    }
                    Some(_) => {}
                    None if hidden => {}
                    None => self.block(body, close - 1, &Around::Type(owner)),
                }
                return close;
            }
            "mod" => {
                let body = self.body(after, end);
                if self.code[body..end].starts_with('{') {
                    let close = self.closing(body, end);
                    if !hidden {
                        let outer = self.open;
                        self.open &= public;
                        self.block(body + 1, close - 1, &Around::Module);
                        self.open = outer;
                    }
                    close
                } else {
                    if !hidden {
                        let placed = attributes.split("path = \"").nth(1);
                        let placed = placed.and_then(|rest| rest.split('"').next());
                        let open = self.open && public;
                        self.modules.push(Module {
                            name,
                            placed: placed.map(str::to_owned),
                            open,
                        });
                    }
                    body + 1
                }
            }
            "macro_rules" => {
                let (_, close) = self.braces(after, end);
                item.kind = Kind::Macro;
                let name = self.skip_blank(after + 1, end);
                item.name = self.word(name).to_owned();
                public = attributes.contains("macro_export");
                close
            }
            "type" => {
                let close = self.semicolon(after, end);
                // What a box around a future is called.
                if self.code[after..close].contains("dyn Future") {
                    self.items.futures.push((self.path.to_owned(), name));
                }
                close
            }
            "static" => self.semicolon(after, end),
            "use" => {
                let close = self.semicolon(after, end);
                if public && !hidden {
                    self.items.named.extend(used(&self.code[after..close]));
                }
                return close;
            }
            "crate" => return self.semicolon(after, end),
            // `const NAME: …`, whose keyword was read as a modifier.
            _ if is_const && !keyword.is_empty() => {
                item.name = match around {
                    Around::Module => keyword,
                    Around::Type(owner) | Around::Trait(owner) => format!("{owner}::{keyword}"),
                };
                self.semicolon(after, end)
            }
            // A macro that is called, by a path perhaps.
            _ => return self.call(at, end, around),
        };
        if public && !hidden {
            self.items.list.push(item);
        }
        close
    }

    /// Past a macro that is called; the items in a `pin_project!` are read.
    fn call(&mut self, at: usize, end: usize, around: &Around) -> usize {
        let rest = &self.code[at..end];
        let Some(open) = rest.find(['{', '(', '[', ';']) else {
            return end;
        };
        let open = at + open;
        if self.code[open..].starts_with(';') {
            return open + 1;
        }
        let close = self.closing(open, end);
        if self.code[at..open].trim_end().ends_with("pin_project!") {
            self.block(open + 1, close - 1, around);
        }
        let after = self.skip_blank(close, end);
        match self.code[after..end].starts_with(';') {
            true => after + 1,
            false => close,
        }
    }

    fn skip_blank(&self, at: usize, end: usize) -> usize {
        let rest = &self.code[at.min(end)..end];
        at + (rest.len() - rest.trim_start().len())
    }

    fn word(&self, at: usize) -> &str {
        let rest = &self.code[at..];
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        &rest[..end]
    }

    /// Where, from `at` on and outside all brackets, a `{` or `;` stands.
    fn body(&self, at: usize, end: usize) -> usize {
        let mut depth = 0_usize;
        for (offset, c) in self.code[at..end].char_indices() {
            match c {
                '(' | '[' => depth += 1,
                ')' | ']' => depth = depth.saturating_sub(1),
                '{' | ';' if depth == 0 => return at + offset,
                _ => {}
            }
        }
        end
    }

    /// Past the body at `at`.
    fn past(&self, at: usize, end: usize) -> usize {
        match self.code[at..end].chars().next() {
            Some('{') => self.closing(at, end),
            Some(_) => at + 1,
            None => end,
        }
    }

    /// The inside of the next braces, and their end.
    fn braces(&self, at: usize, end: usize) -> (usize, usize) {
        let open = self.code[at..end].find('{').map_or(end, |open| at + open);
        ((open + 1).min(end), self.closing(open, end))
    }

    /// Past the next `;` outside all brackets.
    fn semicolon(&self, at: usize, end: usize) -> usize {
        let mut depth = 0_usize;
        for (offset, c) in self.code[at..end].char_indices() {
            match c {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                ';' if depth == 0 => return at + offset + 1,
                _ => {}
            }
        }
        end
    }

    /// Past the bracket that closes the one at `open`.
    fn closing(&self, open: usize, end: usize) -> usize {
        let mut depth = 0_usize;
        for (offset, c) in self.code[open..end].char_indices() {
            match c {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return open + offset + 1;
                    }
                }
                _ => {}
            }
        }
        end
    }
}

/// The names in a `use`, and of a glob `module::*`.
fn used(tree: &str) -> Vec<String> {
    let words = tree
        .split(|c: char| !is_word(c))
        .filter(|word| !word.is_empty());
    let mut names: Vec<String> = words.map(str::to_owned).collect();
    let globs = tree.match_indices("::*").map(|(at, _)| {
        let before = &tree[..at];
        let start = before.rfind(|c| !is_word(c)).map_or(0, |start| start + 1);
        format!("{}::*", &before[start..])
    });
    names.extend(globs);
    names
}

/// The lines of `///` in the text before an item.
fn documentation(text: &str) -> String {
    let mut docs = String::new();
    for line in text.lines() {
        if let Some(line) = line.trim_start().strip_prefix("///") {
            docs.push_str(line.strip_prefix(' ').unwrap_or(line));
            docs.push('\n');
        }
    }
    docs
}

/// What the signature of a function says after its arrow.
fn returns(signature: &str) -> String {
    let mut depth = 0_usize;
    for (at, c) in signature.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '-' if depth == 0 && signature[at..].starts_with("->") => {
                // Bounds of generics have arrows of their own, between angle brackets.
                let before = signature[..at].replace("->", "");
                if before.matches('<').count() > before.matches('>').count() {
                    continue;
                }
                let returned = &signature[at + 2..];
                let end = find_word(returned, "where").first().copied();
                return returned[..end.unwrap_or(returned.len())].trim().to_owned();
            }
            _ => {}
        }
    }
    String::new()
}

/// The trait, if there is one, and the type of the header of an `impl`, by their last names.
fn implementation(header: &str) -> (Option<String>, String) {
    let header = without_generics(header);
    let header = header.split(" where").next().unwrap_or_default();
    let name = |path: &str| {
        let path = path.trim().trim_start_matches(['&', '!']);
        let path = path.rsplit("::").next().unwrap_or_default();
        path.chars().take_while(|&c| is_word(c)).collect::<String>()
    };
    match find_word(header, "for").first() {
        Some(&at) => (Some(name(&header[..at])), name(&header[at + 3..])),
        None => (None, name(header)),
    }
}

/// The text without what stands between angle brackets, and without line breaks.
fn without_generics(text: &str) -> String {
    let mut depth = 0_usize;
    let mut flat = String::new();
    let mut before = ' ';
    for c in text.chars() {
        match c {
            '<' => depth += 1,
            '>' if before != '-' => depth = depth.saturating_sub(1),
            '\n' if depth == 0 => flat.push(' '),
            _ if depth == 0 => flat.push(c),
            _ => {}
        }
        before = c;
    }
    flat
}
