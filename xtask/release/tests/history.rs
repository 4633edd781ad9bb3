//! What is read from git, and which crate a file belongs to.

use std::path::{Path, PathBuf};

use xtask_release::{
    history::{Commit, commits, shipped_by},
    packages::Packages,
};

fn packages(versions: [&str; 3]) -> Result<Packages, String> {
    let one = |name: &str, version: &str, kind: &str| {
        format!(
            r#"{{"name":"{name}","version":"{version}","publish":null,
                "manifest_path":"/w/crates/{name}/Cargo.toml","targets":[{{"kind":["{kind}"]}}]}}"#
        )
    };
    Packages::parse(&format!(
        r#"{{"workspace_root":"/w","target_directory":"/w/target","packages":[{},{},{},
            {{"name":"xtask","version":"0.0.0","publish":[],"manifest_path":"/w/xtask/Cargo.toml"}}]}}"#,
        one("pirn", versions[0], "lib"),
        one("pirn-core", versions[1], "lib"),
        one("pirn-macros", versions[2], "proc-macro"),
    ))
}

#[test]
fn all_but_core_share_one_version() {
    let fit = packages(["0.2.0", "0.1.0", "0.2.0"]).unwrap();
    assert_eq!(fit.versions().train.to_string(), "0.2.0");
    assert_eq!(fit.versions().core.to_string(), "0.1.0");
    assert_eq!(fit.published.len(), 3, "xtask is not published");
    assert!(fit.published["pirn"].library && !fit.published["pirn-macros"].library);
    assert!(
        packages(["0.2.0", "0.1.0", "0.2.1"])
            .unwrap_err()
            .contains("share one version")
    );
}

#[test]
fn users_get_what_lies_in_a_crate_but_for_its_tests() {
    let packages = packages(["0.2.0", "0.1.0", "0.2.0"]).unwrap();
    let by = |path: &str| shipped_by(Path::new(path), &packages);
    assert_eq!(by("crates/pirn-core/src/lib.rs"), Some("pirn-core"));
    assert_eq!(by("crates/pirn/README.md"), Some("pirn"));
    assert_eq!(by("crates/pirn-core/tests/loom/main.rs"), None);
    assert_eq!(by("xtask/src/main.rs"), None);
}

#[test]
fn a_commit_has_a_subject_and_files() {
    let log = "\0Core: more\n\ncrates/pirn-core/src/lib.rs\nREADME.md\n\0Empty\n\0Docs: less\n\nREADME.md\n";
    let commit = |subject: &str, paths: &[&str]| Commit {
        subject: subject.into(),
        paths: paths.iter().map(PathBuf::from).collect(),
    };
    let wanted = [
        commit("Core: more", &["crates/pirn-core/src/lib.rs", "README.md"]),
        commit("Empty", &[]),
        commit("Docs: less", &["README.md"]),
    ];
    assert_eq!(commits(log), wanted);
}
