//! A registry on this machine's loopback, to rehearse releases with.
//!
//! It speaks cargo's sparse protocol: an index file for each crate, downloads, and
//! `PUT /api/v1/crates/new`. It holds what is published to it, in memory. What that depends on
//! besides comes from the cargo home of this machine, in the versions of the lock file
//! (`registry/locked.rs`): so whoever takes this registry for the only one reaches no other.

mod http;
pub mod index;
pub mod locked;

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use xtask::Result;

use self::{
    http::{Reply, Request},
    index::{Upload, index_path},
    locked::Locked,
};

/// The registry, which ends when this is dropped.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepts: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    base: String,
    locked: Locked,
    stopped: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    published: BTreeMap<String, Vec<Published>>,
    /// How many uploads are still taken; all of them if nobody said.
    takes: Option<usize>,
    /// How long after its upload a version is in the index.
    lag: Duration,
}

#[derive(Debug)]
struct Published {
    version: String,
    line: String,
    tarball: Vec<u8>,
    seen_from: Instant,
}

impl Registry {
    /// Starts one, on a port that the system chooses.
    ///
    /// # Errors
    ///
    /// When there is no such port.
    pub fn start(locked: Locked) -> Result<Registry> {
        let broken = |error| format!("no registry on the loopback: {error}");
        let listener = TcpListener::bind("127.0.0.1:0").map_err(broken)?;
        let address = listener.local_addr().map_err(broken)?;
        let shared = Arc::new(Shared {
            base: format!("http://{address}"),
            locked,
            stopped: AtomicBool::new(false),
            state: Mutex::default(),
        });
        let serves = Arc::clone(&shared);
        let accepts = thread::spawn(move || accept(&listener, &serves));
        Ok(Registry {
            address,
            shared,
            accepts: Some(accepts),
        })
    }

    /// Where its index is, as cargo wants it.
    pub fn index(&self) -> String {
        format!("sparse+{}/index/", self.shared.base)
    }

    /// Takes so many uploads more, and refuses those after them; `None` takes all.
    pub fn take_only(&self, uploads: Option<usize>) {
        self.shared.state().takes = uploads;
    }

    /// Puts what is published from now on into the index only after this time.
    pub fn lag(&self, lag: Duration) {
        self.shared.state().lag = lag;
    }

    /// What was published, as `name version`, sorted by name.
    pub fn published(&self) -> Vec<String> {
        let state = self.shared.state();
        let all = state.published.iter().flat_map(|(name, versions)| {
            versions
                .iter()
                .map(move |one| format!("{name} {}", one.version))
        });
        all.collect()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Ordering: Release, pairs with the Acquire in `accept`; nothing else is published by it.
        self.shared.stopped.store(true, Ordering::Release);
        // Wakes whoever accepts.
        let _ = TcpStream::connect(self.address);
        if let Some(accepts) = self.accepts.take() {
            let _ = accepts.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        // Ordering: Acquire, pairs with the Release in `drop`.
        if shared.stopped.load(Ordering::Acquire) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            if let Err(error) = http::serve(&stream, |request| shared.answer(request)) {
                eprintln!("registry: {error}");
            }
        });
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nobody panics with it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Request) -> Reply {
        let path: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        match (request.method.as_str(), path.as_slice()) {
            ("GET", ["index", "config.json"]) => {
                let base = &self.base;
                Reply::json(format!(r#"{{"dl":"{base}/crates","api":"{base}"}}"#))
            }
            ("GET", ["index", rest @ .., name]) if rest.join("/") == index_path(name) => {
                self.versions(name)
            }
            ("GET", ["crates", name, version, "download"]) => self.tarball(name, version),
            ("PUT", ["api", "v1", "crates", "new"]) => self.upload(request),
            _ => Reply::missing(),
        }
    }

    fn versions(&self, name: &str) -> Reply {
        let state = self.state();
        let now = Instant::now();
        let ours = state.published.get(name).into_iter().flatten();
        let mut lines: Vec<String> = ours
            .filter(|one| one.seen_from <= now)
            .map(|one| one.line.clone())
            .collect();
        drop(state);
        lines.extend(self.locked.lines(name).map(str::to_owned));
        if lines.is_empty() {
            return Reply::missing();
        }
        Reply::text(lines.join("\n") + "\n")
    }

    fn tarball(&self, name: &str, version: &str) -> Reply {
        let state = self.state();
        let mut ours = state.published.get(name).into_iter().flatten();
        if let Some(one) = ours.find(|one| one.version == version) {
            return Reply::bytes(one.tarball.clone());
        }
        drop(state);
        match self.locked.tarball(name, version) {
            Ok(Some(bytes)) => Reply::bytes(bytes),
            Ok(None) => Reply::missing(),
            Err(error) => Reply::refused(500, &error),
        }
    }

    fn upload(&self, request: &Request) -> Reply {
        if request.authorization.is_none() {
            return Reply::refused(403, "publishing needs a token");
        }
        let upload = match Upload::parse(&request.body) {
            Ok(upload) => upload,
            Err(error) => return Reply::refused(400, &error),
        };
        let mut state = self.state();
        let seen_from = Instant::now() + state.lag;
        if state.takes == Some(0) {
            return Reply::refused(503, "this registry takes nothing more for now");
        }
        let versions = state.published.entry(upload.name.clone()).or_default();
        if versions.iter().any(|one| one.version == upload.version) {
            let already = format!("{}@{} is already uploaded", upload.name, upload.version);
            return Reply::refused(400, &already);
        }
        versions.push(Published {
            line: upload.line,
            version: upload.version,
            tarball: upload.tarball,
            seen_from,
        });
        if let Some(left) = &mut state.takes {
            *left -= 1;
        }
        Reply::json(
            r#"{"warnings":{"invalid_categories":[],"invalid_badges":[],"other":[]}}"#.into(),
        )
    }
}
