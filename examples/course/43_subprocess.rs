//! 43: other programs: feed one, read what it says, end one that takes too long.
//!
//! As asyncio's `create_subprocess_exec`. A child whose handle is dropped is killed, and leaves no
//! zombie; to let it go on there is `detach`.
//!
//! ```sh
//! cargo run --release --example 43_subprocess
//! ```

use futures::{AsyncReadExt, AsyncWriteExt};
use pirn::{process, timeout};
use pirn_examples::say;
use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

async fn sorted(lines: &[u8]) -> io::Result<String> {
    let mut command = Command::new("sort");
    let mut sort = process::spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
    if let Some(mut input) = sort.stdin.take() {
        input.write_all(lines).await?; // the line
    }
    let mut text = String::new();
    if let Some(mut output) = sort.stdout.take() {
        output.read_to_string(&mut text).await?;
    }
    sort.wait().await?;
    Ok(text)
}

async fn run() -> io::Result<()> {
    let text = sorted(b"weft\nwarp\nhem\n").await?;
    say(text.split_whitespace().collect::<Vec<_>>().join(" "));

    let mut slow = process::spawn(Command::new("sleep").arg("60"))?;
    if timeout(Duration::from_millis(20), slow.wait())
        .await
        .is_err()
    {
        say(format!("it took too long: {}", slow.kill().await?));
    }
    Ok(())
}

pub(crate) async fn program() {
    if let Err(error) = run().await {
        say(error);
    }
}

fn main() {
    pirn::run(program());
}
