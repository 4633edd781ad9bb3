//! `cargo xtask book`: the guide as a book, by `mdbook`, where that is installed.
//!
//! Its code is compiled and run by `cargo xtask test`, as doctests of `docs/`; no other step needs
//! this one.

use std::{io, process::Command};

use crate::{Result, metadata::Workspace, process, usage};

/// How to have it. The version that the book was last built with.
const INSTALL: &str = "cargo install mdbook --locked --version 0.5.4";

/// The command.
///
/// # Errors
///
/// When `mdbook` is not installed, or fails.
pub fn run(mut arguments: lexopt::Parser) -> Result {
    if let Some(argument) = arguments.next().map_err(usage)? {
        return Err(usage(argument.unexpected()));
    }
    let found = Command::new("mdbook").arg("--version").output();
    if found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Err(format!("mdbook is not installed: {INSTALL}"));
    }
    let workspace = Workspace::load()?;
    let book = workspace.target.join("book");
    let mut command = Command::new("mdbook");
    command.arg("build").arg("--dest-dir").arg(&book);
    process::run(command.arg(workspace.root.join("docs")))?;
    println!("the guide is {}", book.join("index.html").display());
    Ok(())
}
