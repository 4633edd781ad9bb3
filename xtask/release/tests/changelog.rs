//! What is read from the changelog, and written into it.

use semver::Version;
use xtask_release::changelog::{Entry, Kind, entries, heading, notes, release, unreleased};

const LOG: &str = "\
# Changelog

What users notice.

## Unreleased

Some words.

### Breaking

- **pirn-core**, **pirn-sync** without `std`: less.

### Added

- **pirn**: more.
  ```md
  ## Unreleased
  - not a point
  ```
- more of it.

## 0.1.10 (2026-01-02), with pirn-core 0.1.0

- Tenth.

## 0.1.1 (2026-01-01), with pirn-core 0.1.0

- First.
";

#[test]
fn points_stand_under_headings_and_begin_with_crates() {
    let point = |kind, crates: &[&str]| Entry {
        kind: Some(kind),
        crates: crates.iter().map(|name| name.to_string()).collect(),
    };
    let found = entries(unreleased(LOG).unwrap()).unwrap();
    let wanted = [
        point(Kind::Breaking, &["pirn-core", "pirn-sync"]),
        point(Kind::Added, &["pirn"]),
        point(Kind::Added, &[]),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn no_other_headings_are_known() {
    assert!(
        entries("### Removed\n\n- all\n")
            .unwrap_err()
            .contains("Removed")
    );
    assert_eq!(entries("- all\n").unwrap()[0].kind, None);
}

#[test]
fn what_is_told_of_a_version_is_its_own() {
    let told = |version: &str| notes(LOG, &version.parse::<Version>().unwrap());
    assert_eq!(told("0.1.1"), Some("- First."));
    assert_eq!(told("0.1.10"), Some("- Tenth."));
    assert_eq!(told("0.1.2"), None);
}

#[test]
fn a_release_gives_the_section_its_heading_and_leaves_an_empty_one() {
    let (train, core) = (Version::new(0, 2, 0), Version::new(0, 1, 1));
    let line = heading(&train, &core, "2026-02-03");
    assert_eq!(line, "## 0.2.0 (2026-02-03), with pirn-core 0.1.1");
    let released = release(LOG, &line).unwrap();
    assert_eq!(unreleased(&released), Ok(""));
    assert_eq!(notes(&released, &train), unreleased(LOG).ok());
    // Nothing else has moved.
    assert_eq!(released.replacen(&format!("\n\n{line}"), "", 1), LOG);
    assert!(
        release(&released, &line).is_err(),
        "nothing is told any more"
    );
}

#[test]
fn a_section_may_be_the_last_thing_in_the_file() {
    assert_eq!(unreleased("## Unreleased"), Ok(""));
    assert_eq!(unreleased("## Unreleased\n\n- x"), Ok("- x"));
    assert!(unreleased("# Changelog\n").is_err());
}
