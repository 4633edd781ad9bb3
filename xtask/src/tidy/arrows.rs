//! Which crate may name which, and how many crates from outside the low ones may need.

use std::collections::BTreeSet;

use crate::metadata::{Dependency, Package};

/// The arrows: what each published crate may depend on, of ours.
///
/// Everything may name pirn-core, and the siblings (sync, executor, timer, group, io) do not name
/// each other. The facade's arrow to pirn-sim has a rule of its own.
const ARROWS: &[(&str, &[&str])] = &[
    ("pirn-core", &[]),
    ("pirn-macros", &[]),
    ("pirn-sync", &["pirn-core"]),
    ("pirn-executor", &["pirn-core"]),
    ("pirn-timer", &["pirn-core"]),
    ("pirn-group", &["pirn-core"]),
    ("pirn-io", &["pirn-core"]),
    ("pirn-compat", &["pirn-core"]),
    (
        "pirn-http",
        &["pirn-core", "pirn-sync", "pirn-timer", "pirn-io"],
    ),
    ("pirn-sim", &["pirn-core", "pirn-executor", "pirn-timer"]),
    (
        "pirn",
        &[
            "pirn-compat",
            "pirn-core",
            "pirn-executor",
            "pirn-group",
            "pirn-http",
            "pirn-io",
            "pirn-macros",
            "pirn-sim",
            "pirn-sync",
            "pirn-timer",
        ],
    ),
];

/// The crates that a library author takes alone.
const SMALL: [&str; 5] = [
    "pirn-core",
    "pirn-sync",
    "pirn-timer",
    "pirn-group",
    "pirn-executor",
];

/// What a small crate may need from outside, at most. What is only there under `cfg(loom)` is not
/// counted: no user builds it.
const OUTSIDE: usize = 4;

/// Checks every package of the workspace.
pub fn check(packages: &[Package]) -> Vec<String> {
    let ours: BTreeSet<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let mut breaches = Vec::new();
    // Benches, examples and xtask are not published and may name what they like.
    for package in packages.iter().filter(|package| package.published) {
        let name = package.name.as_str();
        let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
            breaches.push(format!(
                "{name}: add it to the arrows in xtask/src/tidy/arrows.rs"
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let to = dependency.name.as_str();
            if !ours.contains(to) {
                continue;
            }
            if dependency.dev {
                if dependency.requirement != "*" {
                    breaches.push(format!(
                        "{name}: the dev-dependency on {to} states a version; by path alone, a \
                         cycle never blocks a release"
                    ));
                }
                continue;
            }
            if !allowed.contains(&to) {
                breaches.push(format!("{name}: must not depend on {to}"));
            }
            if dependency.requirement == "*" {
                breaches.push(format!("{name}: the dependency on {to} states no version"));
            }
            if name == "pirn" && to == "pirn-sim" {
                breaches.extend(sim_behind_test(package, dependency));
            }
        }
        if SMALL.contains(&name) {
            breaches.extend(too_many(package, &ours));
        }
    }
    breaches
}

/// The facade knows the simulator only behind the feature `test`.
fn sim_behind_test(package: &Package, dependency: &Dependency) -> Option<String> {
    let switch_on = |list: &Vec<String>| {
        let words = ["dep:pirn-sim", "pirn-sim"];
        list.iter().any(|item| words.contains(&item.as_str()))
    };
    let features = package.features.iter();
    let by: Vec<&String> = features
        .filter(|(_, l)| switch_on(l))
        .map(|(name, _)| name)
        .collect();
    let right = dependency.optional && by == ["test"];
    (!right).then(|| "pirn: pirn-sim must be optional, and behind the feature `test` alone".into())
}

fn too_many(package: &Package, ours: &BTreeSet<&str>) -> Option<String> {
    let under_loom = |d: &&Dependency| {
        d.target
            .as_deref()
            .is_some_and(|t| t.starts_with("cfg(loom"))
    };
    let outside: BTreeSet<&str> = package
        .dependencies
        .iter()
        .filter(|dependency| !dependency.dev && !ours.contains(dependency.name.as_str()))
        .filter(|dependency| !under_loom(dependency))
        .map(|dependency| dependency.name.as_str())
        .collect();
    (outside.len() > OUTSIDE).then(|| {
        let list: Vec<&str> = outside.iter().copied().collect();
        format!(
            "{}: needs {} crates from outside, at most {OUTSIDE} are allowed: {}",
            package.name,
            list.len(),
            list.join(", ")
        )
    })
}
