//! What the versions become.

use std::collections::BTreeSet;

use semver::Version;
use xtask_release::{
    changelog::{Entry, Kind, entries},
    manifests::Versions,
    packages::CORE,
    plan::{Facts, Plan, TRAIN, admits_breaks, bump, decide},
};

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|name| name.to_string()).collect()
}

/// Train 0.3.2, core 0.2.1, tagged; `changed` since then, and `told` of it.
fn facts(changed: &[&str], told: &str) -> Facts {
    Facts {
        now: Versions {
            train: version("0.3.2"),
            core: version("0.2.1"),
            names: names(&["pirn", CORE, "pirn-sync"]),
        },
        last: Some(version("0.3.2")),
        changed: names(changed),
        entries: entries(told).unwrap(),
        broken: BTreeSet::new(),
    }
}

fn becomes(plan: &Plan) -> (String, String) {
    (plan.next.train.to_string(), plan.next.core.to_string())
}

fn pair(train: &str, core: &str) -> (String, String) {
    (train.into(), core.into())
}

#[test]
fn below_one_a_break_is_a_minor_and_all_else_a_patch() {
    let old = version("0.3.2");
    assert_eq!(bump(&old, Kind::Fixed), version("0.3.3"));
    assert_eq!(bump(&old, Kind::Added), version("0.3.3"));
    assert_eq!(bump(&old, Kind::Breaking), version("0.4.0"));
}

#[test]
fn from_one_on_a_break_is_a_major_and_an_addition_a_minor() {
    let old = version("1.3.2");
    assert_eq!(bump(&old, Kind::Fixed), version("1.3.3"));
    assert_eq!(bump(&old, Kind::Added), version("1.4.0"));
    assert_eq!(bump(&old, Kind::Breaking), version("2.0.0"));
}

#[test]
fn only_the_next_minor_below_one_or_the_next_major_may_break() {
    let admits = |before, after| admits_breaks(&version(before), &version(after));
    assert!(admits("0.3.2", "0.4.0") && admits("0.3.2", "1.0.0") && admits("1.3.2", "2.0.0"));
    assert!(!admits("0.3.2", "0.3.3") && !admits("1.3.2", "1.4.0") && !admits("0.3.2", "0.3.2"));
}

#[test]
fn the_first_release_is_as_the_manifests_stand() {
    let first = Facts {
        last: None,
        ..facts(&[CORE, "pirn"], "- **pirn**: all of it.\n")
    };
    let plan = decide(&first);
    assert_eq!(becomes(&plan), pair("0.3.2", "0.2.1"));
    assert!(plan.objections.is_empty());
}

#[test]
fn one_crate_takes_the_train_along_and_core_stays() {
    let plan = decide(&facts(
        &["pirn-sync"],
        "### Fixed\n\n- **pirn-sync**: less.\n",
    ));
    assert_eq!(becomes(&plan), pair("0.3.3", "0.2.1"));
    let told = "### Breaking\n\n- **pirn-sync**: less.\n";
    let plan = decide(&facts(&["pirn-sync"], told));
    assert_eq!(becomes(&plan), pair("0.4.0", "0.2.1"));
    assert!(plan.objections.is_empty());
    assert!(plan.why[TRAIN].contains("pirn-sync changed"));
    assert!(plan.why[CORE].contains("nothing"));
}

#[test]
fn core_takes_the_train_along() {
    let plan = decide(&facts(&[CORE], "### Fixed\n\n- **pirn-core**: less.\n"));
    assert_eq!(becomes(&plan), pair("0.3.3", "0.2.2"));
    let plan = decide(&facts(&[CORE], "### Breaking\n\n- **pirn-core**: less.\n"));
    assert_eq!(becomes(&plan), pair("0.4.0", "0.3.0"));
}

#[test]
fn a_break_of_another_crate_is_none_of_cores() {
    let told = "### Fixed\n\n- **pirn-core**: less.\n\n### Breaking\n\n- **pirn-sync**: less.\n";
    let plan = decide(&facts(&[CORE, "pirn-sync"], told));
    assert_eq!(becomes(&plan), pair("0.4.0", "0.2.2"));
}

#[test]
fn a_break_that_names_no_crate_is_one_of_the_train() {
    let plan = decide(&facts(&[CORE], "### Breaking\n\n- Rust 1.90 is needed.\n"));
    assert_eq!(becomes(&plan), pair("0.4.0", "0.2.2"));
}

#[test]
fn a_break_that_was_found_counts_and_must_be_told() {
    let mut found = facts(&["pirn-sync"], "### Fixed\n\n- **pirn-sync**: less.\n");
    found.broken = names(&["pirn-sync"]);
    let plan = decide(&found);
    assert_eq!(becomes(&plan), pair("0.4.0", "0.2.1"));
    assert!(
        plan.objections
            .iter()
            .any(|one| one.contains("does not tell"))
    );
    found.entries.push(Entry {
        kind: Some(Kind::Breaking),
        crates: vec!["pirn-sync".into()],
    });
    assert!(decide(&found).objections.is_empty());
}

#[test]
fn nothing_changed_nothing_told_and_no_heading_are_in_the_way() {
    let plan = decide(&facts(&[], "### Fixed\n\n- **pirn**: more.\n"));
    assert_eq!(becomes(&plan), pair("0.3.2", "0.2.1"));
    assert!(
        plan.objections
            .iter()
            .any(|one| one.contains("nothing has changed"))
    );
    let plan = decide(&facts(&["pirn"], ""));
    assert!(
        plan.objections
            .iter()
            .any(|one| one.contains("tells nothing"))
    );
    let plan = decide(&facts(&["pirn"], "- **pirn**: more.\n"));
    assert!(plan.objections.iter().any(|one| one.contains("each point")));
}

#[test]
fn versions_that_were_moved_by_hand_are_in_the_way() {
    let mut moved = facts(&["pirn"], "### Fixed\n\n- **pirn**: more.\n");
    moved.now.train = version("0.3.3");
    assert!(
        decide(&moved)
            .objections
            .iter()
            .any(|one| one.contains("last tag 0.3.2"))
    );
}
