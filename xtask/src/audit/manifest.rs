//! What the manifest of a published crate must say, and what it must not.

use serde_json::Value;

/// Places that do not exist yet: there is no public repository, and a page on docs.rs only after the
/// first release (a registry links to that by itself). Whoever makes one of them takes it out here.
const NOT_YET: [&str; 3] = ["repository", "homepage", "documentation"];

/// The categories that we use; the registry refuses others than it knows.
const CATEGORIES: [&str; 9] = [
    "asynchronous",
    "concurrency",
    "data-structures",
    "development-tools::testing",
    "filesystem",
    "network-programming",
    "no-std",
    "web-programming::http-client",
    "rust-patterns",
];

/// Checks a package, given what `cargo metadata` says about it and the texts of its manifest and of
/// its root.
pub fn check(package: &Value, manifest: &str, root: &str) -> Vec<String> {
    let name = text(package, "name");
    let mut breaches = Vec::new();
    let mut breach = |what: String| breaches.push(format!("{name}: its manifest {what}"));
    for key in ["description", "license", "rust_version"] {
        if text(package, key).is_empty() {
            breach(format!("has no `{}`", key.replace('_', "-")));
        }
    }
    if text(package, "readme") != "README.md" {
        breach("does not say `readme = \"README.md\"`".into());
    }
    for key in NOT_YET {
        if package.get(key).is_some_and(|value| !value.is_null()) {
            breach(format!("has a `{key}`: there is none yet"));
        }
    }
    let keywords = list(package, "keywords");
    if keywords.is_empty() || keywords.len() > 5 {
        breach(format!("has {} keywords: one to five", keywords.len()));
    }
    for keyword in keywords {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_+".contains(c);
        if keyword.len() > 20 || !keyword.chars().all(plain) {
            breach(format!(
                "has the keyword `{keyword}`: at most 20 small letters, digits and dashes"
            ));
        }
    }
    let categories = list(package, "categories");
    if categories.is_empty() || categories.len() > 5 {
        breach(format!("has {} categories: one to five", categories.len()));
    }
    for category in &categories {
        if !CATEGORIES.contains(category) {
            breach(format!(
                "has the category `{category}`, which xtask/src/audit/manifest.rs does not list"
            ));
        }
    }
    let bare = package["features"].get("std").is_some();
    let says_so = root.contains("no_std");
    if bare != categories.contains(&"no-std") || bare != says_so {
        breach("has a feature `std`, the category `no-std` and `no_std` in its root: all three or none".into());
    }
    docs_rs(package, root, &mut breach);
    if !manifest.contains("[lints]\nworkspace = true") {
        breach("does not take the workspace's lints".into());
    }
    for feature in unexplained(manifest) {
        breach(format!("has no comment on the feature `{feature}`"));
    }
    breaches
}

/// docs.rs shows all features, and never builds with `--cfg loom`.
fn docs_rs(package: &Value, root: &str, breach: &mut impl FnMut(String)) {
    let features = package["features"].as_object();
    let has_features = features.is_some_and(|features| features.keys().any(|name| name != "loom"));
    let settings = &package["metadata"]["docs"]["rs"];
    if has_features && settings["all-features"] != Value::Bool(true) {
        breach("does not say `[package.metadata.docs.rs] all-features = true`".into());
    }
    if settings.to_string().contains("loom") {
        breach("has docs.rs build with loom".into());
    }
    let shown = "#![cfg_attr(docsrs, feature(doc_cfg))]";
    if has_features && !root.contains(shown) {
        breach(format!(
            "has features, and its root no `{shown}` that shows what needs which"
        ));
    }
}

/// The features, but `default`, that have no comment of their own or of the group that they stand in.
fn unexplained(manifest: &str) -> Vec<&str> {
    let mut explained = false;
    let mut inside = false;
    let mut found = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line == "[features]";
            explained = false;
        } else if line.starts_with('#') {
            explained = true;
        } else if let (true, Some((name, _))) = (inside, line.split_once('=')) {
            let name = name.trim();
            if name != "default" && !line.starts_with(' ') && !explained {
                found.push(name);
            }
        } else if line.is_empty() {
            explained = false;
        }
    }
    found
}

/// The string at `key`, or none.
pub fn text<'a>(package: &'a Value, key: &str) -> &'a str {
    package.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(package: &'a Value, key: &str) -> Vec<&'a str> {
    let list = package.get(key).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}
