//! Fates that are known, in `target/weaken/results`, so that a run goes on where the last one
//! ended.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use super::judge::{Fate, Outcome};
use crate::Result;

/// Outcomes by the [`hash`](super::judge::hash) of what decided them.
#[derive(Debug)]
pub struct Results {
    path: PathBuf,
    known: BTreeMap<u64, Outcome>,
}

impl Results {
    /// Reads the file, unless all is to be forgotten.
    ///
    /// # Errors
    ///
    /// When it cannot be read or removed.
    pub fn load(path: &Path, fresh: bool) -> Result<Self> {
        let broken = |error| format!("{}: {error}", path.display());
        let text = match fs::read_to_string(path) {
            Ok(_) if fresh => fs::remove_file(path).map(|()| String::new()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            read => read,
        };
        Ok(Results {
            path: path.into(),
            // A line that was cut off is not known.
            known: text.map_err(broken)?.lines().filter_map(parse).collect(),
        })
    }

    /// What is known.
    pub fn get(&self, hash: u64) -> Option<&Outcome> {
        self.known.get(&hash)
    }

    /// Remembers an outcome at once.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn add(&mut self, hash: u64, outcome: Outcome) -> Result {
        let line = format!(
            "{hash:016x}\t{}\t{:.2}\t{}\n",
            outcome.fate.name(),
            outcome.seconds,
            outcome.by
        );
        self.known.insert(hash, outcome);
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .map_err(|error| format!("cannot write {}: {error}", self.path.display()))
    }
}

fn parse(line: &str) -> Option<(u64, Outcome)> {
    let mut fields = line.splitn(4, '\t');
    let hash = u64::from_str_radix(fields.next()?, 16).ok()?;
    let outcome = Outcome {
        fate: Fate::of(fields.next()?)?,
        seconds: fields.next()?.parse().ok()?,
        by: fields.next()?.into(),
    };
    Some((hash, outcome))
}
