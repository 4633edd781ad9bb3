//! The public items of a crate, read from its source: as much of a parser as the rules need.
//!
//! An item is public where it says `pub` in a module that is public all the way up, or is named in a
//! `pub use`. (`unreachable_pub` sees to it that nothing else says `pub`.) What is `#[doc(hidden)]` is
//! not, nor what is in it. Not seen is what a macro of the crate's own makes, `pin_project!` aside, and
//! what is in a module that a `pub use` names.

mod parse;

use std::path::{Path, PathBuf};

/// What kind of item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A struct, an enum or a union.
    Type,
    /// A trait.
    Trait,
    /// A function of a module.
    Function,
    /// A function of a type or a trait.
    Method,
    /// A macro, exported or procedural.
    Macro,
    /// A constant, a static, an alias, a module.
    Other,
}

/// A public item.
#[derive(Debug)]
pub struct Item {
    /// Its file, as it was asked for.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: usize,
    /// What it is.
    pub kind: Kind,
    /// Its name; a method's with its type before it.
    pub name: String,
    /// Its documentation.
    pub docs: String,
    /// Whether it is an `async fn`.
    pub is_async: bool,
    /// What it returns, if it is a function that returns something.
    pub returns: String,
    /// Whether its module is public all the way up.
    open: bool,
}

impl Item {
    /// `path:line`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }
}

/// What is public in a crate.
#[derive(Debug, Default)]
pub struct Items {
    /// The items.
    pub list: Vec<Item>,
    /// The types that are futures, each with the file that says so.
    pub futures: Vec<(PathBuf, String)>,
    /// What each file says of itself, its name being `self`.
    pub pages: Vec<Item>,
    /// What is named in a `pub use`; of a glob, its module.
    named: Vec<String>,
}

impl Items {
    /// Reads a crate, given the file of its root and how to read one.
    ///
    /// # Errors
    ///
    /// When a module's file is not there.
    pub fn of(root: &Path, read: &impl Fn(&Path) -> Option<String>) -> crate::Result<Self> {
        let mut items = Items::default();
        items.file(root, true, true, read)?;
        let named = std::mem::take(&mut items.named);
        items.list.retain(|item| {
            let module = item.file.file_stem().unwrap_or_default().to_string_lossy();
            let is_named = |name: &str| named.iter().any(|word| word == name);
            item.open
                || item.kind == Kind::Method
                || is_named(&item.name)
                || is_named(&format!("{module}::*"))
        });
        let types: Vec<String> = items
            .list
            .iter()
            .filter(|item| matches!(item.kind, Kind::Type | Kind::Trait | Kind::Other))
            .map(|item| item.name.clone())
            .collect();
        // The functions of types that are not public.
        items.list.retain(|item| {
            item.kind != Kind::Method
                || item
                    .name
                    .split_once("::")
                    .is_some_and(|(owner, _)| types.iter().any(|name| name == owner))
        });
        Ok(items)
    }

    fn file(
        &mut self,
        path: &Path,
        is_root: bool,
        open: bool,
        read: &impl Fn(&Path) -> Option<String>,
    ) -> crate::Result {
        let text = read(path).ok_or_else(|| format!("cannot read {}", path.display()))?;
        let modules = parse::file(path, &text, open, self);
        self.pages.push(Item {
            file: path.to_owned(),
            line: 1,
            kind: Kind::Other,
            name: "self".to_owned(),
            docs: super::readme::documentation(&text),
            is_async: false,
            returns: String::new(),
            open,
        });
        // `x.rs` has its modules in `x/`, as `lib.rs` and `mod.rs` have them beside them.
        let folder = path.parent().unwrap_or(Path::new(""));
        let beside = is_root || path.file_stem() == Some("mod".as_ref());
        let folder = match beside {
            true => folder.to_owned(),
            false => folder.join(path.file_stem().unwrap_or_default()),
        };
        for module in modules {
            let file = match module.placed {
                Some(placed) => path.parent().unwrap_or(Path::new("")).join(placed),
                None => folder.join(format!("{}.rs", module.name)),
            };
            let file = match read(&file) {
                Some(_) => file,
                None => folder.join(&module.name).join("mod.rs"),
            };
            self.file(&file, false, module.open, read)?;
        }
        Ok(())
    }
}
