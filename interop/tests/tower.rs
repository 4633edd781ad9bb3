//! Services of tower and axum behind hyper, on our listener, without tokio.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::service::TowerToHyperService;
use pirn::http::Session;
use pirn::http::rt::{Io, Timer};
use pirn::net::TcpListener;
use pirn::sync::Event;
use pirn::{Cause, TimeoutError};
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tower::{Service, ServiceBuilder, ServiceExt};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Serves every connection until it is cancelled.
async fn serve(listener: TcpListener, app: Router) -> io::Result<()> {
    let ended = pirn::group(async |group| {
        loop {
            let (stream, _peer) = listener.accept().await?;
            let service = TowerToHyperService::new(app.clone());
            group.spawn(async move {
                let mut server = http1::Builder::new();
                let connection = server.timer(Timer::new());
                // A client that breaks off is its own affair.
                let _ = connection.serve_connection(Io::new(stream), service).await;
                Ok::<_, io::Error>(())
            });
        }
    });
    ended.await.map_err(io::Error::other)
}

fn app() -> Router {
    Router::new()
        .route(
            "/hello/{name}",
            get(async |Path(name): Path<String>| format!("hello, {name}")),
        )
        .route("/never", get(async || pending::<String>().await))
        .layer(axum::middleware::from_fn(
            async |request: axum::extract::Request, next: axum::middleware::Next| {
                let answer = pirn::timeout(Duration::from_millis(20), next.run(request));
                answer.await.unwrap_or_else(|_: TimeoutError| {
                    axum::response::IntoResponse::into_response(StatusCode::GATEWAY_TIMEOUT)
                })
            },
        ))
}

#[test]
fn a_router_of_axums_is_served_and_our_time_limit_holds_in_its_layers() {
    pirn::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr());
        let ended = pirn::group(async |group| {
            group.spawn(serve(listener, app()));
            let session = Session::new();
            let hello = session
                .get(format!("{url}/hello/weft"))
                .send()
                .await
                .unwrap();
            assert_eq!(hello.text().await.unwrap(), "hello, weft");
            let never = session.get(format!("{url}/never")).send().await.unwrap();
            assert_eq!(never.status(), 504);
            let missing = session.get(format!("{url}/nowhere")).send().await.unwrap();
            assert_eq!(missing.status(), 404);
            group.cancel(Cause::requested("enough"));
            Ok::<_, io::Error>(())
        });
        ended.await.unwrap();
    });
}

#[test]
fn towers_limit_and_our_time_limit_as_layers_of_a_service() {
    let (inside, go) = (Arc::new(Event::new()), Arc::new(Event::new()));
    let (entered, gate) = (Arc::clone(&inside), Arc::clone(&go));
    let service = tower::service_fn(move |number: u32| {
        let (entered, gate) = (Arc::clone(&entered), Arc::clone(&gate));
        async move {
            entered.set();
            gate.wait().await;
            Ok::<_, Infallible>(number * 2)
        }
    });
    let limit = Duration::from_secs(3600);
    // What tower's own `timeout` does, which needs tokio's timers.
    let mut service = ServiceBuilder::new()
        .map_future(
            move |answer| async move { Ok::<_, Error>(pirn::timeout(limit, answer).await??) },
        )
        .concurrency_limit(1)
        .service(service);
    pirn::run(async {
        let first = pirn::spawn(service.ready().await.unwrap().call(1));
        inside.wait().await;
        let second = pirn::timeout(Duration::from_millis(20), service.ready());
        assert!(second.await.is_err(), "one at a time");
        go.set();
        assert_eq!(first.await.unwrap().unwrap(), 2);
        assert_eq!(service.ready().await.unwrap().call(2).await.unwrap(), 4);
    });
}
