//! `cargo xtask release COMMAND`: picks the command and prints its error.

use std::{path::PathBuf, process::ExitCode};

use lexopt::{Arg, Parser, ValueExt};
use xtask::{Result, metadata::Workspace};
use xtask_release::{apply, publish, rehearse, target::Target, verify};

const HELP: &str = "\
cargo xtask release COMMAND

  plan              what the versions become, and why: from what changed since the last tag, the
                    changelog and the semver check
  apply             does that: manifests, lock file, pages that name versions, the changelog's heading;
                    commits and tags
  publish           publishes what the registry lacks, in order, and waits until its index has it.
                    Refuses a dirty tree, a commit without its tag, a version that the changelog does
                    not tell of or that does not admit what broke, and a red CI (`.ci/run`, unless
                    `cargo xtask ci` has passed for this commit)
       --dry-run      everything but the upload; CI is not run for it
       --no-verify    does not build each crate before its upload
  verify            takes each crate from the registry, as its user would, in an empty cargo home
       --only CRATE   only this one's front page (may be repeated)
  rehearse          all of this with a registry on the loopback, in a clone under
                    target/release-rehearsal
       --keep         leaves that there

  --registry NAME, --index URL   (publish, verify) another registry than crates.io, which stands for it;
                    the token is CARGO_REGISTRIES_NAME_TOKEN, or CARGO_REGISTRY_TOKEN

How a change says what it asks of users: by its line in CHANGELOG.md, which begins with the crates it is
about, in bold, and stands under one of

  ### Breaking      what compiled or worked before may no longer: the next minor (from 1.0, major)
  ### Added         there is more than before: the next patch (from 1.0, minor)
  ### Fixed         everything else: the next patch

The semver check must not find more than is told. All crates but pirn-core get one version, whichever of
them changed; pirn-core moves only if something changed that its users get, and all others with it.
";

fn main() -> ExitCode {
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Default)]
struct Options {
    registry: Option<String>,
    index: Option<String>,
    dry_run: bool,
    no_verify: bool,
    keep: bool,
    only: Vec<String>,
}

fn dispatch() -> Result {
    let mut arguments = std::env::args_os().skip(1);
    let command = arguments.next().unwrap_or_else(|| "help".into());
    let command = command.to_string_lossy().into_owned();
    if ["help", "--help", "-h"].contains(&command.as_str()) {
        print!("{HELP}");
        return Ok(());
    }
    let options = parse(&command, Parser::from_args(arguments))?;
    let root: PathBuf = Workspace::load()?.root;
    let target = Target::new(options.registry, options.index)?;
    match command.as_str() {
        "plan" => apply::show(&root),
        "apply" => apply::apply(&root),
        "publish" => {
            let options = publish::Options {
                target,
                dry_run: options.dry_run,
                no_verify: options.no_verify,
            };
            publish::publish(&root, &options)
        }
        "verify" => {
            let only = options.only;
            verify::verify(&root, &verify::Options { target, only })
        }
        "rehearse" => rehearse::rehearse(&root, options.keep),
        _ => Err(format!(
            "no such command: {command} (see `cargo xtask release help`)"
        )),
    }
}

fn parse(command: &str, mut parser: Parser) -> Result<Options> {
    let mut options = Options::default();
    while let Some(argument) = parser.next().map_err(usage)? {
        match (command, argument) {
            ("publish" | "verify", Arg::Long("registry")) => {
                options.registry = Some(text(&mut parser)?)
            }
            ("publish" | "verify", Arg::Long("index")) => options.index = Some(text(&mut parser)?),
            ("publish", Arg::Long("dry-run")) => options.dry_run = true,
            ("publish", Arg::Long("no-verify")) => options.no_verify = true,
            ("verify", Arg::Long("only")) => options.only.push(text(&mut parser)?),
            ("rehearse", Arg::Long("keep")) => options.keep = true,
            (_, other) => return Err(usage(other.unexpected())),
        }
    }
    Ok(options)
}

fn text(parser: &mut Parser) -> Result<String> {
    let value = parser.value().and_then(ValueExt::string);
    value.map_err(usage)
}

fn usage(error: lexopt::Error) -> String {
    format!("{error} (see `cargo xtask release help`)")
}
