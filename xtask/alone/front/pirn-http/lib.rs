//! A user of pirn-http: its front page, wherever futures are polled.

#![cfg_attr(doctest, doc = include_str!("../FRONT.md"))]
#![cfg(any(test, doctest))]

use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use pirn_http::Session;
use std::time::Duration;

async fn front_page() {
    let listener = pirn_io::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr());
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        let greet = service_fn(|_: Request<Incoming>| async {
            Ok::<_, hyper::Error>(Response::new("hello".to_owned()))
        });
        let io = pirn_http::rt::Io::new(stream);
        http1::Builder::new().serve_connection(io, greet).await.unwrap();
    };
    let client = async move {
        let session = Session::builder().timeout(Duration::from_secs(10)).build()?;
        let request = session.get(format!("{base}/greeting")).query([("lang", "en")]);
        let text = request.send().await?.error_for_status()?.text().await?;
        assert_eq!(text, "hello");
        assert_eq!(session.statistics().connections_opened, 1);
        Ok::<(), pirn_http::Error>(())
    };
    let (ended, ()) = futures::future::join(client, server).await;
    ended.unwrap();
}

#[test]
fn on_pirn() {
    pirn::run(front_page());
}

#[test]
fn on_tokio() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(front_page());
}

#[test]
fn on_a_bare_thread() {
    pirn_core::shim::block_on(front_page());
}
