//! Files, on the blocking pool.
//!
//! The functions have the names and the meaning of those in [`std::fs`]; each runs on a thread of
//! the pool ([`to_thread`](crate::to_thread)), since no system tells when a file could be read
//! without waiting. Errors name the path. [`File`] is for what should not be held in memory
//! as a whole.
//!
//! # Cancel safety
//!
//! Dropping the future of any function here before a thread took it up leaves everything as it
//! was. Later it cannot be stopped: the operation runs to its end, unheard.

mod file;

pub use file::File;

use crate::blocking::run_io;
use crate::error::{Action, explain};
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

/// Runs `operate` on the path in the pool, and names the path in its error.
async fn on_path<T: Send + 'static>(
    action: Action,
    path: impl AsRef<Path>,
    operate: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let path = path.as_ref().to_owned();
    run_io("file operation", move || {
        operate(&path).map_err(|error| explain(action, path.display(), error))
    })
    .await
}

/// The whole contents of a file.
///
/// # Errors
///
/// If it is not there, may not be read, or is no file.
///
/// # Cancel safety
///
/// As of the whole [module](self).
///
/// # Examples
///
/// ```
/// # pirn_core::shim::block_on(async {
/// let path = std::env::temp_dir().join(format!("pirn-doc-read-{}", std::process::id()));
/// pirn_io::fs::write(&path, "some bytes").await?;
/// assert_eq!(pirn_io::fs::read(&path).await?, b"some bytes");
/// # pirn_io::fs::remove_file(&path).await?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    on_path(Action::Read, path, |path| std::fs::read(path)).await
}

/// The whole contents of a file that is UTF-8.
///
/// # Errors
///
/// As [`read`]; [`io::ErrorKind::InvalidData`] if it is not UTF-8.
///
/// # Cancel safety
///
/// As of the whole [module](self).
///
/// # Examples
///
/// ```
/// # pirn_core::shim::block_on(async {
/// let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
/// let text = pirn_io::fs::read_to_string(manifest).await.unwrap();
/// assert!(text.contains("pirn-io"));
/// # });
/// ```
pub async fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    on_path(Action::Read, path, |path| std::fs::read_to_string(path)).await
}

/// Makes a file of exactly these contents, replacing one that is there.
///
/// The contents are copied for the thread, which may outlast the caller. Who has them in a `Vec` so big
/// that it matters gives it away: `to_thread(move || std::fs::write(path, contents))`.
///
/// # Errors
///
/// If the file cannot be made or written.
///
/// # Cancel safety
///
/// As of the whole [module](self).
///
/// # Examples
///
/// ```
/// # pirn_core::shim::block_on(async {
/// let path = std::env::temp_dir().join(format!("pirn-doc-write-{}", std::process::id()));
/// pirn_io::fs::write(&path, b"long ago").await?;
/// pirn_io::fs::write(&path, "now").await?;
/// assert_eq!(pirn_io::fs::read_to_string(&path).await?, "now");
/// # pirn_io::fs::remove_file(&path).await?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> io::Result<()> {
    let copy = contents.as_ref().to_vec();
    drop(contents); // not kept beside the copy while the file is written
    on_path(Action::Write, path, move |path| std::fs::write(path, copy)).await
}

/// Makes a folder, and those above it that are missing. One that is there is fine.
///
/// # Errors
///
/// If one of them cannot be made.
///
/// # Cancel safety
///
/// As of the whole [module](self).
///
/// # Examples
///
/// ```
/// # pirn_core::shim::block_on(async {
/// use pirn_io::fs;
/// let top = std::env::temp_dir().join(format!("pirn-doc-dirs-{}", std::process::id()));
/// fs::create_dir_all(top.join("a/b")).await?;
/// assert!(fs::metadata(top.join("a/b")).await?.is_dir());
/// fs::remove_dir_all(&top).await?;
/// assert!(fs::metadata(&top).await.is_err());
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn create_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    on_path(Action::Create, path, |path| std::fs::create_dir_all(path)).await
}

/// What the system knows of a file or folder: its size, kind, times.
///
/// # Errors
///
/// If it is not there, or may not be asked about.
///
/// # Cancel safety
///
/// As of the whole [module](self).
///
/// # Examples
///
/// ```
/// # pirn_core::shim::block_on(async {
/// let about = pirn_io::fs::metadata(env!("CARGO_MANIFEST_DIR")).await.unwrap();
/// assert!(about.is_dir());
/// # });
/// ```
pub async fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    on_path(Action::Inspect, path, |path| std::fs::metadata(path)).await
}

/// Removes a file.
///
/// # Errors
///
/// If it is not there, is a folder, or may not be removed.
///
/// # Cancel safety
///
/// As of the whole [module](self).
///
/// # Examples
///
/// ```
/// # pirn_core::shim::block_on(async {
/// let path = std::env::temp_dir().join(format!("pirn-doc-remove-{}", std::process::id()));
/// pirn_io::fs::write(&path, "").await?;
/// pirn_io::fs::remove_file(&path).await?;
/// assert!(pirn_io::fs::remove_file(&path).await.is_err());
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    on_path(Action::Remove, path, |path| std::fs::remove_file(path)).await
}

/// Removes a folder and all that is in it.
///
/// # Errors
///
/// If something in it cannot be removed; the rest may be gone then.
///
/// # Cancel safety
///
/// As of the whole [module](self).
///
/// # Examples
///
/// ```
/// # pirn_core::shim::block_on(async {
/// let path = std::env::temp_dir().join(format!("pirn-doc-tree-{}", std::process::id()));
/// pirn_io::fs::create_dir_all(path.join("deep")).await?;
/// assert!(pirn_io::fs::remove_dir_all(&path).await.is_ok());
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn remove_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    on_path(Action::Remove, path, |path| std::fs::remove_dir_all(path)).await
}

/// Renames a file or folder, replacing a file that has the new name.
///
/// # Errors
///
/// If `from` is not there, or the two are on different file systems.
///
/// # Cancel safety
///
/// As of the whole [module](self).
///
/// # Examples
///
/// ```
/// # pirn_core::shim::block_on(async {
/// let old = std::env::temp_dir().join(format!("pirn-doc-old-{}", std::process::id()));
/// let new = old.with_extension("new");
/// pirn_io::fs::write(&old, "kept").await?;
/// pirn_io::fs::rename(&old, &new).await?;
/// assert_eq!(pirn_io::fs::read_to_string(&new).await?, "kept");
/// # pirn_io::fs::remove_file(&new).await?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    let to: PathBuf = to.as_ref().to_owned();
    on_path(Action::Rename, from, move |from| std::fs::rename(from, to)).await
}
