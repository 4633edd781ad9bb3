//! hyper's own servers and clients on `pirn::http::rt`, HTTP/2 above all: HTTP/1 is what pirn-http uses.

use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2 as client;
use hyper::server::conn::http2 as server;
use hyper::service::service_fn;
use hyper::{Request, Response};
use pirn::http::rt::{Executor, Io, Timer};
use pirn::net::{TcpListener, TcpStream};
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Ten thousand bytes, and for `/never` none at all.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() == "/never" {
        pending::<()>().await;
    }
    Ok(Response::new(vec![7; 10_000].into()))
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    let (stream, _peer) = listener.accept().await?;
    let executor = Executor::current().map_err(io::Error::other)?;
    let mut server = server::Builder::new(executor);
    let server = server
        .timer(Timer::new())
        .keep_alive_interval(Duration::from_millis(2));
    let serving = server.serve_connection(Io::new(stream), service_fn(answer));
    serving.await.map_err(io::Error::other)
}

type Sender = client::SendRequest<Empty<Bytes>>;

async fn connect(address: SocketAddr) -> (Sender, pirn::Task<hyper::Result<()>>) {
    let stream = TcpStream::connect(address).await.unwrap();
    let executor = Executor::current().unwrap();
    let (sender, connection) = client::handshake(executor, Io::new(stream)).await.unwrap();
    (sender, pirn::spawn(connection))
}

async fn get(mut sender: Sender, path: &str) -> hyper::Result<usize> {
    let uri = format!("http://server{path}");
    let request = Request::get(uri).body(Empty::new()).unwrap();
    let answer = sender.send_request(request).await?;
    Ok(answer.into_body().collect().await?.to_bytes().len())
}

#[test]
fn many_requests_share_a_connection_of_http_2() {
    pirn::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr();
        let server = pirn::spawn(serve(listener));
        let (sender, connection) = connect(address).await;
        let lengths = pirn::group(async |group| {
            let mut children = Vec::new();
            for _ in 0..200 {
                children.push(group.spawn(get(sender.clone(), "/")));
            }
            let mut sum = 0;
            for child in children {
                sum += child.await.unwrap();
            }
            Ok::<_, hyper::Error>(sum)
        });
        assert_eq!(lengths.await.unwrap(), 2_000_000);
        drop(sender);
        connection.await.unwrap().unwrap();
        server.await.unwrap().unwrap();
    });
}

#[test]
fn a_request_that_is_cancelled_leaves_the_connection_to_the_others() {
    pirn::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr();
        let server = pirn::spawn(serve(listener));
        let (sender, connection) = connect(address).await;
        let never = get(sender.clone(), "/never");
        let limited = pirn::timeout(Duration::from_millis(20), never);
        assert!(limited.await.is_err(), "pings went to and fro meanwhile");
        assert_eq!(get(sender.clone(), "/").await.unwrap(), 10_000);
        drop(sender);
        connection.await.unwrap().unwrap();
        server.await.unwrap().unwrap();
    });
}
