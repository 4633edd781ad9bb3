//! Versions in manifests and pages.

use semver::Version;
use xtask_release::manifests::{
    Versions, inherited, moved, requirements, set_versions, without_versions,
};

fn versions() -> Versions {
    Versions {
        train: Version::new(0, 2, 0),
        core: Version::new(0, 1, 1),
        names: ["pirn", "pirn-core", "pirn-sync"].map(str::to_owned).into(),
    }
}

#[test]
fn the_workspace_states_the_trains_version_and_what_is_required() {
    let old = r#"
[workspace.package]
version = "0.1.0" # the train's
edition = "2024"

[workspace.dependencies]
# Ours.
pirn-core = { version = "0.1.0", path = "crates/pirn-core" }
pirn-sync = { version = "0.1.0", path = "crates/pirn-sync" }
loom = "0.1.0"
"#;
    let new = old
        .replace("\"0.1.0\" # the train's", "\"0.2.0\" # the train's")
        .replace(
            "pirn-core = { version = \"0.1.0\"",
            "pirn-core = { version = \"0.1.1\"",
        )
        .replace(
            "pirn-sync = { version = \"0.1.0\"",
            "pirn-sync = { version = \"0.2.0\"",
        );
    assert_eq!(set_versions(old, &versions()), Ok(new));
}

#[test]
fn a_crate_states_its_own_only_if_it_has_one() {
    let core = "[package]\nname = \"pirn-core\"\nversion = \"0.1.0\"\n";
    let new = core.replace("0.1.0", "0.1.1");
    assert_eq!(set_versions(core, &versions()), Ok(new));
    let sync = "[package]\nname = \"pirn-sync\"\nversion.workspace = true\n\n\
                [dependencies]\n# Not the workspace's.\n\
                pirn-core = { version = \"0.1.0\", path = \"../pirn-core\", default-features = false }\n\n\
                [target.'cfg(unix)'.dependencies]\npirn = { version = \"0.1.0\", path = \"../pirn\" }\n\n\
                [dev-dependencies]\npirn-sync = { path = \".\" }\n";
    let new = sync
        .replace(
            "pirn-core = { version = \"0.1.0\"",
            "pirn-core = { version = \"0.1.1\"",
        )
        .replace(
            "pirn = { version = \"0.1.0\"",
            "pirn = { version = \"0.2.0\"",
        );
    assert_eq!(set_versions(sync, &versions()), Ok(new));
}

#[test]
fn pages_keep_as_many_numbers_as_they_have() {
    let page = "Take it:\n\n```toml\npirn-sync = \"0.1\"\npirn-core = { version = \"0.1.0\", features = [] }\n\
                tokio = \"0.1\"\npirn = { path = \".\" }\n```\n//! pirn = \"0.1\"\n";
    let before = Version::new(0, 1, 0);
    let new = requirements(page, |name, stated| {
        moved(stated, &before, versions().get(name)?)
    });
    let wanted = page
        .replace("pirn-sync = \"0.1\"", "pirn-sync = \"0.2\"")
        .replace("version = \"0.1.0\"", "version = \"0.1.1\"")
        .replace("//! pirn = \"0.1\"", "//! pirn = \"0.2\"");
    assert_eq!(new, wanted);
}

#[test]
fn what_was_not_true_before_is_left_alone() {
    let (before, after) = (Version::new(0, 1, 0), Version::new(0, 2, 0));
    assert_eq!(moved("0.1", &before, &after).as_deref(), Some("0.2"));
    assert_eq!(moved("0", &before, &after).as_deref(), Some("0"));
    for other in ["0.3", "0.1.1", "=0.1.0", "0.1.0.0", "*", ""] {
        assert_eq!(moved(other, &before, &after), None, "{other}");
    }
}

#[test]
fn what_a_crate_inherits_is_what_its_users_get() {
    let own = "[package]\nname = \"pirn-core\"\nedition.workspace = true\n\
               [dependencies]\npin-project-lite.workspace = true\n\
               [target.'cfg(loom)'.dependencies]\nloom = { workspace = true, optional = true }\n\
               [dev-dependencies]\ntokio.workspace = true\n";
    let root = "[workspace.package]\nedition = \"2024\"\nversion = \"0.1.0\"\n\
                [workspace.dependencies]\npin-project-lite = \"0.2\"\nloom = \"0.7\"\ntokio = \"1.0\"\n";
    let before = inherited(root, own).unwrap();
    assert_eq!(before.len(), 3, "{before:?}");
    let changed = |from: &str, to: &str| inherited(&root.replace(from, to), own).unwrap() != before;
    assert!(changed("0.7", "0.8") && changed("2024", "2027") && changed("0.2", "0.3"));
    assert!(!changed("1.0", "2.0") && !changed("0.1.0", "0.1.1"));
}

#[test]
fn a_manifest_is_the_same_whatever_our_versions_are() {
    let own = "[package]\nname = \"pirn-core\"\nversion = \"0.1.0\"\n\
               [target.'cfg(unix)'.dependencies]\npirn-sync = { version = \"0.1.0\", path = \"..\" }\n\
               loom = { version = \"0.1.0\" }\n";
    let of = |text: &str| without_versions(text).unwrap();
    let moved = own.replacen("0.1.0", "0.1.1", 2);
    assert_eq!(of(own), of(&moved));
    assert_ne!(
        of(own),
        of(&own.replace("0.1.0", "0.1.1")),
        "loom is not ours"
    );
    assert_ne!(of(own), of(&own.replace("unix", "windows")));
}
