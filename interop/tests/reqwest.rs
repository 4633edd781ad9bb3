//! reqwest, which does not work without tokio, inside a pirn program.

use futures::{AsyncReadExt, AsyncWriteExt};
use pirn::net::{TcpListener, TcpStream};
use pirn::sync::Event;
use pirn_compat::TokioContext;
use std::io;
use std::sync::Arc;

/// Answers one request with what was asked for.
async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut asked = Vec::new();
    let mut byte = [0];
    while !asked.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).await?;
        asked.push(byte[0]);
    }
    let asked = String::from_utf8_lossy(&asked);
    let path = asked.split(' ').nth(1).unwrap_or("").to_owned();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        path.len()
    );
    stream.write_all((head + &path).as_bytes()).await?;
    stream.close().await
}

#[test]
fn it_fetches_many_at_once_from_children_of_a_group() {
    let tokio = TokioContext::start().unwrap();
    pirn::run(tokio.run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr());
        let server = async {
            for _ in 0..10 {
                let (stream, _) = listener.accept().await?;
                pirn::spawn(answer(stream)).detach();
            }
            Ok::<_, io::Error>(())
        };
        let client = reqwest::Client::new();
        let fetched = pirn::group(async |group| {
            let mut children = Vec::new();
            for number in 0..10 {
                let request = client.get(format!("{url}/{number}"));
                children.push(group.spawn(async move { request.send().await?.text().await }));
            }
            let mut bodies = Vec::new();
            for child in children {
                bodies.push(child.await.unwrap());
            }
            Ok::<_, reqwest::Error>(bodies)
        });
        let (served, fetched) = futures::join!(server, fetched);
        served.unwrap();
        let expected: Vec<_> = (0..10).map(|number| format!("/{number}")).collect();
        assert_eq!(fetched.unwrap(), expected);
    }));
}

#[test]
fn one_call_may_enter_the_context_by_itself() {
    let tokio = TokioContext::start().unwrap();
    pirn::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/once", listener.local_addr());
        let server = async { answer(listener.accept().await?.0).await };
        // A body that is streamed needs the context as well.
        let client = tokio.run(async move { reqwest::get(url).await?.text().await });
        let (served, body) = futures::join!(server, client);
        served.unwrap();
        assert_eq!(body.unwrap(), "/once");
    });
}

#[test]
fn a_request_that_loses_a_race_ends_with_its_connection() {
    let tokio = TokioContext::start().unwrap();
    pirn::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/never", listener.local_addr());
        let asked = Arc::new(Event::new());
        let seen = Arc::clone(&asked);
        let server = async {
            let (mut stream, _) = listener.accept().await?;
            let mut request = vec![0; 1000];
            assert!(stream.read(&mut request).await? > 0);
            seen.set();
            // Without an answer; until the client is gone.
            stream.read(&mut request).await
        };
        let client = async {
            let request = tokio.run(async move { reqwest::get(url).await.map(drop) });
            let asked = async {
                asked.wait().await;
                None
            };
            pirn::race((async { Some(request.await) }, asked))
                .await
                .unwrap()
        };
        let (seen, ended) = futures::join!(server, client);
        assert!(ended.is_none());
        assert_eq!(seen.unwrap(), 0, "the end of the connection");
    });
}

#[test]
fn without_the_context_it_panics() {
    let got = std::panic::catch_unwind(|| pirn::run(reqwest::get("http://127.0.0.1:1/")).is_ok());
    let payload = got.unwrap_err();
    let message = payload.downcast_ref::<String>().unwrap();
    assert!(message.contains("no reactor running"), "{message}");
}
