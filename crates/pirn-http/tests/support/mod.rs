//! Servers that run beside the client, on one thread; a network that follows a script; a clock that
//! stands still.
#![allow(dead_code)]

pub(crate) mod clock;
pub(crate) mod script;

use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use pirn_core::shim::block_on;
use pirn_http::rt::Io;
use pirn_io::{TcpListener, TcpStream};
use std::convert::Infallible;
use std::future::Future;

/// Runs a hyper server with `handler` while `client` runs, which gets the server's URL, without a
/// slash at its end.
pub(crate) fn with_server<H, A, C, F>(handler: H, client: C) -> F::Output
where
    H: Fn(Request<Incoming>) -> A,
    A: Future<Output = Response<String>>,
    C: FnOnce(String) -> F,
    F: Future,
{
    with_streams(|stream| serve(stream, &handler), client)
}

/// Serves one connection with hyper.
pub(crate) async fn serve<T, H, A>(stream: T, handler: &H)
where
    T: futures::AsyncRead + futures::AsyncWrite + Unpin,
    H: Fn(Request<Incoming>) -> A,
    A: Future<Output = Response<String>>,
{
    let service = service_fn(|request| handler(request).map(Ok::<_, Infallible>));
    // A client that hangs up is its own affair.
    let _ = http1::Builder::new()
        .serve_connection(Io::new(stream), service)
        .await;
}

/// Gives each connection to `each` while `client` runs.
pub(crate) fn with_streams<S, A, C, F>(each: S, client: C) -> F::Output
where
    S: Fn(TcpStream) -> A,
    A: Future<Output = ()>,
    C: FnOnce(String) -> F,
    F: Future,
{
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = client(format!("http://{}", listener.local_addr()));
        let server = listener
            .incoming()
            .for_each_concurrent(None, |stream| each(stream.unwrap()));
        let (client, server) = (std::pin::pin!(client), std::pin::pin!(server));
        match futures::future::select(client, server).await {
            futures::future::Either::Left((value, _)) => value,
            futures::future::Either::Right(((), _)) => panic!("a listener never ends"),
        }
    })
}

/// Reads the head of a request.
pub(crate) async fn read_head(stream: &mut (impl futures::AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            break;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// A server of one answer, which then hangs up.
pub(crate) async fn answer_and_close(mut stream: TcpStream, answer: &str) {
    read_head(&mut stream).await;
    stream.write_all(answer.as_bytes()).await.unwrap();
    stream.close().await.unwrap();
}

/// A server of one answer, which then keeps the line open and says no more.
pub(crate) async fn answer_and_stall(mut stream: TcpStream, answer: &str) {
    read_head(&mut stream).await;
    stream.write_all(answer.as_bytes()).await.unwrap();
    futures::future::pending().await
}

pub(crate) fn response(status: u16, body: &str) -> Response<String> {
    Response::builder()
        .status(status)
        .body(body.to_owned())
        .unwrap()
}

/// The whole body of a request.
pub(crate) async fn body_of(mut request: Request<Incoming>) -> String {
    let mut text = String::new();
    while let Some(frame) =
        futures::future::poll_fn(|cx| std::pin::Pin::new(request.body_mut()).poll_frame(cx)).await
    {
        text += std::str::from_utf8(frame.unwrap().data_ref().unwrap()).unwrap();
    }
    text
}
