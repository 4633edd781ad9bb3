//! What an index says of a crate: a file for each name, a line of JSON for each version.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use xtask::Result;

/// The folder of a crate's index file.
pub fn index_path(name: &str) -> String {
    let name = name.to_lowercase();
    match name.len() {
        0 => String::new(),
        1 => "1".into(),
        2 => "2".into(),
        3 => format!("3/{}", name.get(..1).unwrap_or_default()),
        _ => {
            let part = |range| name.get(range).unwrap_or_default();
            format!("{}/{}", part(0..2), part(2..4))
        }
    }
}

/// SHA-256, as the index writes it.
pub fn checksum(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What `cargo publish` sends.
#[derive(Debug, PartialEq)]
pub struct Upload {
    /// The crate's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its line for the index.
    pub line: String,
    /// The packaged crate.
    pub tarball: Vec<u8>,
}

impl Upload {
    /// Reads it: the length of the JSON, the JSON, the length of the crate, the crate.
    ///
    /// # Errors
    ///
    /// When it is something else.
    pub fn parse(body: &[u8]) -> Result<Upload> {
        let (json, rest) = part(body)?;
        let (tarball, rest) = part(rest)?;
        if !rest.is_empty() {
            return Err("the upload goes on behind the crate".into());
        }
        let said: Value =
            serde_json::from_slice(json).map_err(|error| format!("the upload: {error}"))?;
        let text = |key: &str| {
            let found = said.get(key).and_then(Value::as_str);
            found.ok_or_else(|| format!("the upload has no `{key}`"))
        };
        let dependencies = said.get("deps").and_then(Value::as_array);
        let line = json!({
            "name": text("name")?,
            "vers": text("vers")?,
            "deps": dependencies.into_iter().flatten().map(uploaded).collect::<Vec<_>>(),
            "cksum": checksum(tarball),
            "features": said.get("features"),
            "yanked": false,
            "links": said.get("links"),
            "rust_version": said.get("rust_version"),
            "v": 2,
        });
        Ok(Upload {
            name: text("name")?.into(),
            version: text("vers")?.into(),
            line: line.to_string(),
            tarball: tarball.into(),
        })
    }
}

fn part(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let cut = || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        rest.split_at_checked(u32::from_le_bytes(*length) as usize)
    };
    cut().ok_or_else(|| "the upload was cut off".into())
}

/// A dependency as the index has it, of one that was uploaded.
fn uploaded(said: &Value) -> Value {
    let take = |key: &str| said.get(key).cloned().unwrap_or_default();
    let mut line = Map::new();
    for key in [
        "features",
        "optional",
        "default_features",
        "target",
        "kind",
        "registry",
    ] {
        line.insert(key.into(), take(key));
    }
    line.insert("req".into(), take("version_req"));
    // Of one that was renamed, the index names first what the manifest calls it.
    match take("explicit_name_in_toml") {
        Value::Null => line.insert("name".into(), take("name")),
        renamed => {
            line.insert("package".into(), take("name"));
            line.insert("name".into(), renamed)
        }
    };
    line.into()
}

/// The index's line for a package as `cargo metadata` describes it.
pub fn line_of(package: &Value, checksum: &str) -> String {
    let dependencies = package.get("dependencies").and_then(Value::as_array);
    let all = dependencies.into_iter().flatten();
    // Also those of its tests: features may name them.
    json!({
        "name": package.get("name"),
        "vers": package.get("version"),
        "deps": all.map(described).collect::<Vec<_>>(),
        "cksum": checksum,
        "features": package.get("features"),
        "yanked": false,
        "links": package.get("links"),
        "rust_version": package.get("rust_version"),
        "v": 2,
    })
    .to_string()
}

/// A dependency as the index has it, of one that `cargo metadata` describes.
fn described(said: &Value) -> Value {
    let take = |key: &str| said.get(key).cloned().unwrap_or_default();
    let mut line = Map::new();
    for key in ["req", "features", "optional", "target", "registry"] {
        line.insert(key.into(), take(key));
    }
    line.insert("default_features".into(), take("uses_default_features"));
    let kind = said.get("kind").and_then(Value::as_str);
    line.insert("kind".into(), kind.unwrap_or("normal").into());
    match take("rename") {
        Value::Null => line.insert("name".into(), take("name")),
        renamed => {
            line.insert("package".into(), take("name"));
            line.insert("name".into(), renamed)
        }
    };
    line.into()
}
