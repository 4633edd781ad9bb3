//! The embedded server: hyper's, on pirn's reactor and tasks, with faults on demand.

use hyper::header::LOCATION;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use pirn::net::{TcpListener, TcpStream};
use pirn::{Task, sleep, spawn};
use pirn_http::rt::{Io, Timer};
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// A running server. It ends when this is dropped.
pub(crate) struct Server {
    _tasks: Vec<Task<io::Result<()>>>,
    /// What can be fetched from it.
    pub(crate) urls: Vec<String>,
}

/// One item in this many has a fault, if faults are asked for.
const FAULT_EVERY: usize = 10;

impl Server {
    /// Starts it on a free loopback port, with `count` items.
    pub(crate) async fn start(count: usize, faults: bool) -> io::Result<Server> {
        let items = TcpListener::bind("127.0.0.1:0").await?;
        let broken = TcpListener::bind("127.0.0.1:0").await?;
        // A port that nobody listens on.
        let closed = TcpListener::bind("127.0.0.1:0").await?.local_addr();
        let places = Places {
            items: items.local_addr(),
            broken: broken.local_addr(),
            closed,
        };
        let url = |number| match faults && number % FAULT_EVERY == FAULT_EVERY - 1 {
            true => places.faulty(number / FAULT_EVERY),
            false => places.item(number),
        };
        Ok(Server {
            urls: (0..count).map(url).collect(),
            _tasks: vec![spawn(serve_items(items)), spawn(serve_broken(broken))],
        })
    }
}

struct Places {
    items: SocketAddr,
    broken: SocketAddr,
    closed: SocketAddr,
}

impl Places {
    fn item(&self, number: usize) -> String {
        format!("http://{}/item/{number}", self.items)
    }

    fn faulty(&self, turn: usize) -> String {
        let Places {
            items,
            broken,
            closed,
        } = self;
        match turn % 8 {
            0 => format!("http://{items}/error"),
            1 => format!("http://{items}/stall"),
            2 => format!("http://{broken}/early"),
            3 => format!("http://{broken}/garbage"),
            4 => format!("http://{items}/circle/0"),
            5 => format!("http://{closed}/refused"),
            6 => "http://no-such-host.invalid/".to_owned(),
            _ => format!("https://{items}/no-tls"),
        }
    }
}

async fn serve_items(listener: TcpListener) -> io::Result<()> {
    let mut connections = Vec::new();
    loop {
        let (stream, _) = listener.accept().await?;
        connections.retain(|connection: &Task<()>| !connection.is_finished());
        connections.push(spawn(async move {
            let serving = http1::Builder::new()
                .timer(Timer::new())
                .serve_connection(Io::new(stream), service_fn(answer));
            // A client that goes away in the middle is its own affair.
            let _ = serving.await;
        }));
    }
}

async fn answer<B>(request: Request<B>) -> Result<Response<String>, Infallible> {
    let path = request.uri().path();
    let mut response = Response::new(String::new());
    if let Some(number) = path
        .strip_prefix("/item/")
        .and_then(|text| text.parse::<u64>().ok())
    {
        // Most take a few ms, some take longer.
        let work = if number % 25 == 7 { 25 } else { 2 + number % 4 };
        sleep(Duration::from_millis(work)).await;
        *response.body_mut() = format!("item {number}\n").repeat(20);
    } else if let Some(step) = path.strip_prefix("/circle/") {
        let next = if step == "0" {
            "/circle/1"
        } else {
            "/circle/0"
        };
        *response.status_mut() = StatusCode::FOUND;
        response
            .headers_mut()
            .insert(LOCATION, next.parse().expect("a valid header"));
    } else if path == "/stall" {
        pending::<()>().await;
    } else {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        *response.body_mut() = "this item is broken\n".to_owned();
    }
    Ok(response)
}

/// Answers by hand what a proper server would not.
async fn serve_broken(listener: TcpListener) -> io::Result<()> {
    let mut connections = Vec::new();
    loop {
        let (stream, _) = listener.accept().await?;
        connections.retain(|connection: &Task<io::Result<()>>| !connection.is_finished());
        connections.push(spawn(answer_badly(stream)));
    }
}

async fn answer_badly(mut stream: TcpStream) -> io::Result<()> {
    use futures::{AsyncReadExt, AsyncWriteExt};
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            return Ok(());
        }
        head.extend(byte);
    }
    let answer: &[u8] = match head.starts_with(b"GET /early") {
        true => b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nthat is all",
        false => b"\x00\x01 this is not HTTP \xff\r\n\r\n",
    };
    stream.write_all(answer).await?;
    stream.close().await
}
