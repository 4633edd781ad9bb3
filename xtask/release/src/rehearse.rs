//! `cargo xtask release rehearse`: releases on a registry of this machine's own.
//!
//! In a clone under `target/release-rehearsal`, the real crates are released: for the first time, as a
//! patch, as a minor in which one crate changed, and with a change in pirn-core, cut off half-way and
//! gone on with. What must be refused is tried in between. The proof is each time a project of a
//! user's, built from that registry in an empty cargo home.

mod stage;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use xtask::Result;

use self::stage::{CHANGES, NAME, Stage};
use crate::{changelog::Kind, manifests::Versions, packages::CORE, plan::bump};

type Act = fn(&Stage) -> Result;

/// The command.
///
/// # Errors
///
/// When something does not go as it should.
pub fn rehearse(root: &Path, keep: bool) -> Result {
    let started = Instant::now();
    let stage = Stage::set(root)?;
    let acts: [(&str, Act); 6] = [
        ("what is not ready is refused", not_ready),
        ("the first release", first),
        ("a patch", patch),
        ("a break that is not told, or not admitted", breaking),
        ("a minor in which one crate changed", minor),
        ("a change in pirn-core, cut off half-way", core),
    ];
    for (name, act) in acts {
        println!("==> {name}");
        let began = Instant::now();
        act(&stage).map_err(|error| format!("rehearsal, {name}: {error}"))?;
        println!("<== {name}: ok ({:.1} s)\n", began.elapsed().as_secs_f64());
    }
    println!("rehearsed in {:.1} s", started.elapsed().as_secs_f64());
    if !keep {
        let _ = fs::remove_dir_all(&stage.dir);
    }
    Ok(())
}

fn not_ready(stage: &Stage) -> Result {
    stage.refused(&["publish"], "is not tagged")?;
    stage.tell("")?;
    stage.commit("Changelog: nothing")?;
    stage.refused(&["apply"], "tells nothing under Unreleased")?;
    stage.tell("- **pirn-core**, **pirn-executor**: rehearsed.\n")?;
    stage.refused(&["apply"], "the tree is dirty")?;
    stage.commit("Changelog: something")
}

fn first(stage: &Stage) -> Result {
    let stands = stage.versions()?;
    stage.release(&["apply"])?;
    stage.expect(&stands.train, &stands.core)?;
    stage.refused(&["publish"], "CI is red")?;
    stage.green()?;
    stage.write("README.md", |text| format!("{text}\n"))?;
    stage.refused(&["publish"], "the tree is dirty")?;
    stage.git(&["checkout", "--quiet", "README.md"])?;
    stage.release(&["publish", "--dry-run", "--no-verify", "--registry", NAME])?;
    stage.published(0)?;
    let nothing_there = ["verify", "--registry", NAME, "--only", CORE];
    stage.refused(&nothing_there, "no matching package named")?;
    stage.publish()?;
    stage.published(stands.names.len())?;
    // Once more: there is nothing left to do.
    stage.publish()?;
    stage.published(stands.names.len())?;
    stage.moved_tag(&stands.train)?;
    stage.verify(&[])
}

fn patch(stage: &Stage) -> Result {
    let before = stage.versions()?;
    stage.change(CHANGES, |text| text.replace("    1\n", "    2\n"))?;
    stage.tell("### Fixed\n\n- **pirn-executor**: the rehearsal is the second one.\n")?;
    stage.commit("Executor: the second rehearsal")?;
    stage.release(&["plan"])?;
    stage.release(&["apply"])?;
    stage.expect(&bump(&before.train, Kind::Fixed), &before.core)?;
    stage.green()?;
    // By its index, as somebody whose cargo does not know the registry by name.
    let index = stage.registry.index();
    stage.release(&["publish", "--no-verify", "--index", &index])?;
    // All but pirn-core.
    stage.published(2 * before.names.len() - 1)?;
    stage.release(&["verify", "--index", &index, "--only", CHANGES])
}

fn breaking(stage: &Stage) -> Result {
    let before = stage.versions()?;
    stage.change(CHANGES, |text| {
        let kept = text.split_once("\n/// Which rehearsal");
        kept.map_or(text, |(kept, _)| kept).to_owned()
    })?;
    stage.tell("### Fixed\n\n- **pirn-executor**: no rehearsal is counted.\n")?;
    stage.commit("Executor: rehearsals are not counted")?;
    stage.refused(&["apply"], "breaks its users")?;
    let patch = Versions {
        train: bump(&before.train, Kind::Fixed),
        ..before
    };
    stage.by_hand(&patch, "", "tells nothing of")?;
    let told = "### Breaking\n\n- **pirn-executor**: it breaks.\n";
    stage.by_hand(&patch, told, "tells a break in pirn-executor")?;
    let hidden = "### Fixed\n\n- **pirn-executor**: nothing to see here.\n";
    stage.by_hand(&patch, hidden, "breaks its users")
}

fn minor(stage: &Stage) -> Result {
    let before = stage.versions()?;
    stage.tell("### Breaking\n\n- **pirn-executor**: rehearsals are not counted.\n")?;
    stage.commit("Changelog: the break is told")?;
    stage.release(&["apply"])?;
    stage.expect(&bump(&before.train, Kind::Breaking), &before.core)?;
    stage.green()?;
    stage.publish()?;
    stage.published(3 * before.names.len() - 2)?;
    stage.verify(&[CHANGES])
}

fn core(stage: &Stage) -> Result {
    let before = stage.versions()?;
    let published = 3 * before.names.len() - 2;
    stage.change(CORE, |text| format!("{text}\n// Rehearsed.\n"))?;
    stage.tell("### Fixed\n\n- **pirn-core**: rehearsed.\n")?;
    stage.commit("Core: rehearsed")?;
    let told = "### Fixed\n\n- **pirn-core**: rehearsed.\n";
    let train = bump(&before.train, Kind::Fixed);
    let stays = Versions {
        train: train.clone(),
        ..before.clone()
    };
    stage.by_hand(&stays, told, "has changed since")?;
    let breaks = Versions {
        core: bump(&before.core, Kind::Breaking),
        ..stays
    };
    stage.by_hand(&breaks, told, "that show its types")?;
    stage.release(&["apply"])?;
    stage.expect(&train, &bump(&before.core, Kind::Fixed))?;
    stage.green()?;
    stage.registry.lag(Duration::from_secs(1));
    stage.registry.take_only(Some(4));
    let publish = ["publish", "--no-verify", "--registry", NAME];
    stage.refused(&publish, "run this again")?;
    stage.published(published + 4)?;
    stage.registry.take_only(None);
    stage.publish()?;
    stage.published(published + before.names.len())?;
    stage.verify(&[CORE, CHANGES])
}
