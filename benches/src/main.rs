//! `cargo xtask bench [ROW] [--rounds N] [--only NAME] [--list | --instructions]`.

use std::process::ExitCode;

use lexopt::prelude::*;
use pirn_benches::{
    allocator::Counting,
    harness::{self, Figures, Settings},
    instructions, rows,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), lexopt::Error> {
    let mut settings = Settings::default();
    let mut prefix = String::new();
    let mut only = String::new();
    let mut list = false;
    let mut count = false;
    let mut repeat = None;
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("rounds") => settings.rounds = arguments.value()?.parse()?,
            Long("only") => only = arguments.value()?.string()?,
            Long("list") => list = true,
            Long("instructions") => count = true,
            // For `--instructions`, which starts this program anew.
            Long("repeat") => repeat = Some(arguments.value()?.parse()?),
            Value(row) if prefix.is_empty() => prefix = row.string()?,
            other => return Err(other.unexpected()),
        }
    }
    if settings.rounds == 0 {
        return Err("--rounds is at least 1".into());
    }
    let rows = rows::named(&prefix);
    if rows.is_empty() {
        return Err(format!("no row's name begins with `{prefix}`; --list names them").into());
    }
    if list {
        for row in rows {
            println!("{:32} {}", row.name, row.about);
        }
        return Ok(());
    }
    if let Some(times) = repeat {
        rows.iter()
            .filter(|row| row.name == prefix)
            .for_each(|row| instructions::repeat(row, &only, times));
        return Ok(());
    }
    if count {
        println!("{}", instructions::HEADER);
        for row in rows {
            if let Some(line) = instructions::line(&row, &only)? {
                println!("{line}");
            }
        }
        return Ok(());
    }
    let mut measured = Vec::new();
    for row in rows {
        let figures = harness::measure(&row, settings, &only);
        print!("{}", figures.table());
        measured.push(figures);
    }
    println!("\n{}", Figures::HEADER);
    for figures in &measured {
        println!("{}", figures.line());
    }
    Ok(())
}
