//! `xtask/weaken-survivors.txt`: what may survive, each with its reason.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use super::{
    judge::Fate,
    mutants::{self, Mutant},
};
use crate::Result;

/// Where the list is, from the root.
pub const PATH: &str = "xtask/weaken-survivors.txt";

/// The list.
#[derive(Debug, Default)]
pub struct Survivors(BTreeMap<String, String>);

impl Survivors {
    /// Reads the list below `root`; a missing one is empty.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn load(root: &Path) -> Result<Self> {
        match fs::read_to_string(root.join(PATH)) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("cannot read {PATH}: {error}")),
        }
    }

    /// Reads the text of the list.
    ///
    /// # Errors
    ///
    /// When a line is not `key: reason`, or a key is there twice.
    pub fn parse(text: &str) -> Result<Self> {
        let mut list = BTreeMap::new();
        for (at, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let broken = |what| format!("{PATH}:{}: {what}", at + 1);
            let (key, reason) = line
                .split_once(": ")
                .filter(|(_, reason)| reason.trim().contains(' '))
                .ok_or_else(|| broken("not `key: reason in words`"))?;
            if list.insert(key.into(), reason.trim().into()).is_some() {
                return Err(broken("this is there twice"));
            }
        }
        Ok(Survivors(list))
    }

    /// The reason for a survivor.
    pub fn reason(&self, mutant: &Mutant) -> Option<&str> {
        self.0.get(&mutant.key()).map(String::as_str)
    }

    /// What is listed and has no place in these mutants, which are all there are of their files,
    /// `files`.
    pub fn gone(&self, files: &[&Path], mutants: &[Mutant]) -> Vec<String> {
        let keys: BTreeSet<String> = mutants.iter().map(Mutant::key).collect();
        self.0
            .keys()
            .filter(|key| files.contains(&file(key)) && !keys.contains(*key))
            .map(|key| format!("{PATH}: `{key}` is listed, and there is no such place any more"))
            .collect()
    }

    /// What a mutant's fate has against the list, if anything.
    pub fn problem(&self, mutant: &Mutant, fate: Fate) -> Option<String> {
        match (fate, self.reason(mutant)) {
            (Fate::Survived, None) => Some(format!("{mutant} survived (`{}`)", mutant.key())),
            (Fate::Caught | Fate::Timeout | Fate::Unviable, Some(_)) => Some(format!(
                "{PATH}: `{}` is listed, and is {} now",
                mutant.key(),
                fate.name()
            )),
            _ => None,
        }
    }

    /// What can be said without running anything: a listed file that is gone, or a place in it.
    pub fn stale(&self, read: impl Fn(&Path) -> Option<String>) -> Vec<String> {
        let mut found = Vec::new();
        let files: BTreeSet<&Path> = self.0.keys().map(|key| file(key)).collect();
        for path in files {
            let mutants = read(path).map(|text| mutants::find(path, &text));
            match mutants {
                None => found.push(format!("{PATH}: there is no file {}", path.display())),
                Some(Err(error)) => found.push(error),
                Some(Ok(mutants)) => found.extend(self.gone(&[path], &mutants)),
            }
        }
        found
    }
}

/// The file in a key.
fn file(key: &str) -> &Path {
    Path::new(key.split(' ').next().unwrap_or_default())
}
