//! A user of pirn-io: its front page, wherever futures are polled.

#![cfg_attr(doctest, doc = include_str!("../FRONT.md"))]
#![cfg(any(test, doctest))]

use futures::{AsyncReadExt, AsyncWriteExt, future::try_join};
use pirn_io::{TcpListener, TcpStream, fs, to_thread};

async fn front_page(name: &str) -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = async {
        let (mut stream, _peer) = listener.accept().await?;
        let sum: u64 = to_thread(|| (1..=1000).sum()).await.unwrap();
        stream.write_all(sum.to_string().as_bytes()).await?;
        stream.close().await
    };
    let client = async {
        let mut answer = String::new();
        TcpStream::connect(listener.local_addr()).await?.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let ((), answer) = try_join(server, client).await?;

    let file = std::env::temp_dir().join(format!("pirn-io-{name}-{}", std::process::id()));
    fs::write(&file, answer).await?;
    assert_eq!(fs::read_to_string(&file).await?, "500500");
    fs::remove_file(&file).await?;
    Ok(())
}

#[test]
fn on_pirn() {
    pirn::run(front_page("pirn")).unwrap();
}

#[test]
fn on_tokio() {
    // Without tokio's own driver: none of it is used.
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(front_page("tokio")).unwrap();
}

#[test]
fn on_a_bare_thread() {
    pirn_core::shim::block_on(front_page("bare")).unwrap();
}
