//! Every combination of a crate's features, each by clippy with every warning an error, an
//! undocumented public item among them.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Result, process};

/// Features that no user switches on, or that only stand for others.
const ASIDE: [&str; 2] = ["default", "loom"];

/// The features that a user may choose.
pub fn of(features: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let names = features
        .keys()
        .filter(|name| !ASIDE.contains(&name.as_str()));
    names.cloned().collect()
}

/// Every set of features that can come about, each with all that it implies.
pub fn combinations(features: &BTreeMap<String, Vec<String>>) -> BTreeSet<BTreeSet<String>> {
    let mut sets = BTreeSet::from([BTreeSet::new()]);
    for name in of(features) {
        let mut implied = BTreeSet::new();
        close(&name, features, &mut implied);
        let with: Vec<_> = sets.iter().map(|set| set | &implied).collect();
        sets.extend(with);
    }
    sets
}

fn close(name: &str, features: &BTreeMap<String, Vec<String>>, into: &mut BTreeSet<String>) {
    let Some(switched) = features.get(name) else {
        return;
    };
    if into.insert(name.to_owned()) {
        for name in switched {
            close(name, features, into);
        }
    }
}

/// Looks at one combination.
///
/// # Errors
///
/// When there is a warning.
pub fn check(package: &str, set: &BTreeSet<String>, target: &std::path::Path) -> Result {
    let features: Vec<&str> = set.iter().map(String::as_str).collect();
    let mut command = process::cargo();
    command.args([
        "clippy",
        "--quiet",
        "--lib",
        "--no-deps",
        "--package",
        package,
    ]);
    command.arg("--no-default-features");
    command.args(["--features", &features.join(",")]);
    command.arg("--target-dir").arg(target);
    command.args(["--", "-D", "warnings", "-D", "missing_docs"]);
    process::run(&mut command).map_err(|_| {
        format!(
            "{package}: does not compile cleanly with the features [{}]",
            features.join(", ")
        )
    })
}
