//! 50: three files are read at once, and one is written.
//!
//! A file has no readiness to wait for, so its work is done by threads, in asyncio (by `aiofiles`) as
//! here; what is awaited is the thread.
//!
//! ```sh
//! cargo run --release --example 50_files
//! ```

use pirn::{fs, gather};
use pirn_examples::say;
use std::path::Path;
use std::{env, io, process};

async fn bind(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder).await?;
    let chapters = ["warp", "weft", "hem"];
    let path = |name: &str| folder.join(name).with_extension("txt");
    gather(chapters.map(|name| fs::write(path(name), format!("About the {name}."))))
        .await
        .map_err(io::Error::other)?;

    let read = gather(chapters.map(|name| fs::read_to_string(path(name)))).await;
    let text = read.map_err(io::Error::other)?.join(" ");
    fs::write(path("book"), text).await?; // the line
    say(fs::read_to_string(path("book")).await?);

    let missing = fs::read_to_string("no-such-folder/index.txt").await;
    say(missing.expect_err("it is missing"));
    Ok(())
}

pub(crate) async fn program() {
    let folder = env::temp_dir().join(format!("pirn-files-{}", process::id()));
    if let Err(error) = bind(&folder).await {
        say(error);
    }
    if let Err(error) = fs::remove_dir_all(&folder).await {
        say(error);
    }
}

fn main() {
    pirn::run(program());
}
