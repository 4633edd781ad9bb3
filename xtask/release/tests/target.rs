//! What an empty cargo home is told.

use toml_edit::DocumentMut;
use xtask_release::target::{Target, home_config};

/// A machine that has crates.io by another way, a registry of its own with a token, and flags.
const MACHINE: &str = r#"
[source.crates-io]
replace-with = "mirror"

[source.mirror]
registry = "sparse+http://localhost:1/index/"

[registries.ours]
index = "sparse+http://localhost:2/index/"
token = "secret"

[registry]
token = "secret"

[net]
retry = 5

[build]
rustflags = ["-C", "target-cpu=native"]
"#;

fn config(name: Option<&str>, index: Option<&str>) -> DocumentMut {
    let machine = MACHINE.parse().unwrap();
    let written = home_config(&machine, name, index.map(str::to_owned)).to_string();
    written.parse().expect("it is TOML")
}

#[test]
fn the_way_to_the_registries_is_kept_and_nothing_else() {
    let told = config(None, None);
    assert_eq!(
        told["source"]["crates-io"]["replace-with"].as_str(),
        Some("mirror")
    );
    assert_eq!(told["net"]["retry"].as_integer(), Some(5));
    assert!(told.get("build").is_none());
    assert!(!told.to_string().contains("secret"), "{told}");
}

#[test]
fn a_registry_that_was_chosen_stands_for_all() {
    let told = config(Some("ours"), Some("sparse+http://localhost:3/index/"));
    assert_eq!(
        told["source"]["crates-io"]["replace-with"].as_str(),
        Some("ours")
    );
    assert!(told["source"].get("mirror").is_none());
    let index = told["registries"]["ours"]["index"].as_str();
    assert_eq!(index, Some("sparse+http://localhost:3/index/"));
    assert!(!told.to_string().contains("secret"), "{told}");
}

#[test]
fn a_registry_is_chosen_in_one_way() {
    assert!(
        Target::new(
            Some("ours".into()),
            Some("sparse+http://localhost:3/".into())
        )
        .is_err()
    );
    assert!(Target::new(None, None).is_ok());
}
