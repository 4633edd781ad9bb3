//! 51: a server that answers lines, and its clients.
//!
//! asyncio's `start_server` and `open_connection`, a reader and a writer each. Each connection is a
//! task of the server; its failure is its own. `close` waits for the connections that there are,
//! which asyncio's `wait_closed` does since Python 3.12.
//!
//! ```sh
//! cargo run --release --example 51_lines
//! ```

use pirn::net::{ReadHalf, WriteHalf};
use pirn::streams::{StreamReader, StreamWriter, open_connection};
use pirn::{gather, start_server};
use pirn_examples::say;
use std::io;
use std::net::SocketAddr;

async fn shout(
    mut reader: StreamReader<ReadHalf>,
    mut writer: StreamWriter<WriteHalf>,
) -> io::Result<()> {
    while let Some(line) = reader.read_line().await? {
        let answer = format!("{}!\n", line.to_uppercase());
        writer.write(answer.as_bytes()).await?; // the line
        writer.flush().await?;
    }
    writer.close().await
}

async fn ask(server: SocketAddr, word: &str) -> io::Result<String> {
    let (mut reader, mut writer) = open_connection(server).await?;
    writer.write(format!("{word}\n").as_bytes()).await?;
    writer.close().await?;
    let answer = reader.read_line().await?;
    Ok(answer.unwrap_or_else(|| "no answer".to_owned()))
}

async fn run() -> io::Result<()> {
    let server = start_server("127.0.0.1:0", shout).await?;
    let words = ["warp", "weft", "hem"];
    match gather(words.map(|word| ask(server.local_addr(), word))).await {
        Ok(answers) => say(answers.join(" ")),
        Err(error) => say(error),
    }
    server.close().await;
    say("closed");
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
