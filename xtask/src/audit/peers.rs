//! What others ask for the same: small projects that name the peers, with the features that give what
//! the crate of ours gives.
//!
//! They are made under `target/audit/peers`. Which versions they take, `xtask/audit-peers.lock` says.

use std::{fs, path::Path};

use super::tree::{Asked, Tree};
use crate::Result;

/// Where the peers' lock is kept.
pub const LOCK: &str = "xtask/audit-peers.lock";

/// A peer: some crates, which together do what one of ours does.
#[derive(Debug)]
pub struct Peer {
    /// Which of ours.
    pub of: &'static str,
    /// As a reader knows it.
    pub shown: &'static str,
    /// The crates, with a version and, where they are not the default ones, features.
    pub crates: &'static [(&'static str, &'static str, Option<&'static [&'static str]>)],
}

/// All of them.
pub const PEERS: &[Peer] = &[
    Peer {
        of: "pirn-sync",
        shown: "tokio `sync`",
        crates: &[("tokio", "1", Some(&["sync"]))],
    },
    Peer {
        of: "pirn-sync",
        shown: "async-lock, async-channel",
        crates: &[("async-lock", "3", None), ("async-channel", "2", None)],
    },
    Peer {
        of: "pirn-sync",
        shown: "asyncband",
        crates: &[(
            "asyncband",
            "0.7",
            Some(&[
                "barrier",
                "broadcast",
                "condvar",
                "event",
                "mpmc",
                "mpsc",
                "mutex",
                "once-cell",
                "oneshot",
                "rwlock",
                "semaphore",
                "watch",
            ]),
        )],
    },
    Peer {
        of: "pirn-group",
        shown: "tokio `rt`, tokio-util `rt`",
        crates: &[
            ("tokio", "1", Some(&["rt", "macros"])),
            ("tokio-util", "0.7", Some(&["rt"])),
        ],
    },
    Peer {
        of: "pirn-group",
        shown: "futures-concurrency",
        crates: &[("futures-concurrency", "7", None)],
    },
    Peer {
        of: "pirn-timer",
        shown: "tokio `time`, `rt`",
        crates: &[("tokio", "1", Some(&["rt", "time"]))],
    },
    Peer {
        of: "pirn-timer",
        shown: "async-io",
        crates: &[("async-io", "2", None)],
    },
    Peer {
        of: "pirn-executor",
        shown: "tokio `rt-multi-thread`",
        crates: &[("tokio", "1", Some(&["rt-multi-thread"]))],
    },
    Peer {
        of: "pirn-executor",
        shown: "async-executor",
        crates: &[("async-executor", "1", None)],
    },
    Peer {
        of: "pirn-io",
        shown: "tokio `net`, `fs`, `process`, `signal`, `io-util`",
        crates: &[(
            "tokio",
            "1",
            Some(&["fs", "io-util", "net", "process", "rt", "signal"]),
        )],
    },
    Peer {
        of: "pirn-io",
        shown: "async-net, -fs, -process, -signal",
        crates: &[
            ("async-net", "2", None),
            ("async-fs", "2", None),
            ("async-process", "2", None),
            ("async-signal", "0.2", None),
        ],
    },
    Peer {
        of: "pirn-http",
        shown: "reqwest `json`, `query`, `stream`",
        crates: &[(
            "reqwest",
            "0.13",
            Some(&["json", "query", "rustls", "stream"]),
        )],
    },
    Peer {
        of: "pirn-macros",
        shown: "tokio-macros",
        crates: &[("tokio-macros", "2", None)],
    },
    Peer {
        of: "pirn-sim",
        shown: "tokio `test-util`",
        crates: &[("tokio", "1", Some(&["rt", "test-util", "time"]))],
    },
    Peer {
        of: "pirn",
        shown: "tokio `full`",
        crates: &[("tokio", "1", Some(&["full"]))],
    },
    Peer {
        of: "pirn",
        shown: "smol",
        crates: &[("smol", "2", None)],
    },
];

impl Peer {
    /// The name of its project.
    pub fn project(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let shown: String = self.shown.chars().map(plain).collect();
        let words: Vec<&str> = shown.split('-').filter(|word| !word.is_empty()).collect();
        format!("{}-peer-{}", self.of, words.join("-"))
    }

    fn manifest(&self) -> String {
        let mut text = format!(
            "[package]\nname = \"{}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n",
            self.project()
        );
        for (name, version, features) in self.crates {
            text.push_str(&match features {
                None => format!("{name} = \"{version}\"\n"),
                Some(features) => format!(
                    "{name} = {{ version = \"{version}\", default-features = false, features = {features:?} }}\n"
                ),
            });
        }
        text
    }

    /// What it asks for.
    ///
    /// # Errors
    ///
    /// When cargo fails: where a registry cannot be reached, for example.
    pub fn tree(&self, workspace: &Path, locked: bool) -> Result<Tree> {
        let asked = Asked {
            locked,
            ..Asked::default()
        };
        let project = self.project();
        let mut tree = Tree::of(workspace, &project, asked)?;
        // The project itself is nobody's.
        tree.all.retain(|node| node.name != project);
        tree.direct = Tree::below(workspace, &project, asked)?;
        Ok(tree)
    }

    /// The versions of its crates.
    pub fn versions(&self, tree: &Tree) -> String {
        let version = |name: &str| {
            let node = tree.all.iter().find(|node| node.name == name);
            node.map_or_else(String::new, |node| format!("{name} {}", node.version))
        };
        let versions: Vec<String> = self.crates.iter().map(|(name, ..)| version(name)).collect();
        versions.join(", ")
    }
}

/// Makes the projects, a workspace of their own in `folder`.
///
/// # Errors
///
/// When a file cannot be written.
pub fn make(folder: &Path, lock: Option<&str>) -> Result {
    // Without the projects of peers that are no more.
    let _ = fs::remove_dir_all(folder);
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        let manifest = "[workspace]\nresolver = \"3\"\nmembers = [\"*-peer-*\"]\n";
        fs::write(folder.join("Cargo.toml"), manifest)?;
        if let Some(lock) = lock {
            fs::write(folder.join("Cargo.lock"), lock)?;
        }
        for peer in PEERS {
            let project = folder.join(peer.project());
            fs::create_dir_all(project.join("src"))?;
            fs::write(project.join("Cargo.toml"), peer.manifest())?;
            fs::write(project.join("src/lib.rs"), "")?;
        }
        Ok(())
    };
    write().map_err(|error| format!("cannot make {}: {error}", folder.display()))
}
