//! HTTP clients: GETs of a small body, 100 in flight. The server is hyper's on tokio, one thread of
//! its own for each client. The CPU column is client and server together: clients have threads too.

use std::{
    convert::Infallible,
    net::{SocketAddr, TcpListener},
    thread,
};

use http_body_util::{BodyExt as _, Empty, Full};
use hyper::{Request, Response, Uri, body::Bytes, service::service_fn};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use tokio::task::JoinSet;

use crate::{
    harness::{Contender, Row},
    hosts::tokio_one,
};

/// Requests at once.
const IN_FLIGHT: u64 = 100;
/// What the server answers.
const BODY: &[u8] = b"hello, world\n";

pub(super) fn rows() -> Vec<Row> {
    vec![Row::new(
        "http.client_get",
        "a small GET, 100 in flight",
        || vec![pirn(), hyper_util()],
    )]
}

/// Starts a server that runs until the process ends.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener
        .set_nonblocking(true)
        .expect("a socket has options");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        tokio_one().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                stream.set_nodelay(true).expect("a socket has options");
                let answer = service_fn(|_| async {
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(BODY))))
                });
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), answer));
            }
        });
    });
    address
}

fn pirn() -> Contender {
    let url = format!("http://{}/", server());
    let mut runtime = pirn::Runtime::builder()
        .current_thread()
        .build()
        .expect("a runtime");
    let builder = pirn_http::Session::builder();
    let session = builder
        .max_idle_per_host(IN_FLIGHT as usize)
        .build()
        .expect("a session");
    Contender::timed("pirn", move |count| {
        let each = count.div_ceil(IN_FLIGHT);
        let work = async {
            let tasks: Vec<_> = (0..IN_FLIGHT)
                .map(|_| {
                    let (session, url) = (session.clone(), url.clone());
                    pirn::spawn(async move {
                        for _ in 0..each {
                            let response = session.get(&url).send().await.expect("an answer");
                            assert_eq!(response.bytes().await.expect("a body"), BODY);
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("no task panics here");
            }
        };
        runtime.run(work).expect("it is not running yet");
    })
}

fn hyper_util() -> Contender {
    let uri: Uri = format!("http://{}/", server()).parse().expect("an address");
    let runtime = tokio_one();
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    Contender::timed("tokio-hyper-util", move |count| {
        let each = count.div_ceil(IN_FLIGHT);
        runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for _ in 0..IN_FLIGHT {
                let (client, uri) = (client.clone(), uri.clone());
                tasks.spawn(async move {
                    for _ in 0..each {
                        let mut request = Request::new(Empty::new());
                        *request.uri_mut() = uri.clone();
                        let response = client.request(request).await.expect("an answer");
                        let body = response.into_body().collect().await.expect("a body");
                        assert_eq!(body.to_bytes(), BODY);
                    }
                });
            }
            tasks.join_all().await;
        });
    })
}
