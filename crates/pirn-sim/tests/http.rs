//! An HTTP session and its server over the network in memory.
#![cfg(not(loom))]

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use pirn_executor::spawn;
use pirn_http::{Connect, Connecting, Session, Transport, rt};
use pirn_sim::Sim;
use pirn_sim::net::{Conditions, Host, Listener, Network};
use pirn_timer::{now, sleep};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// A session's way into the network: that of its host.
struct From(Host);

impl Connect for From {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> Connecting<'a> {
        Box::pin(async move {
            let stream = self.0.connect((host, port)).await?;
            Ok(Box::new(stream) as Box<dyn Transport>)
        })
    }
}

async fn path(request: Request<Incoming>) -> Result<Response<String>, hyper::Error> {
    Ok(Response::new(request.uri().path().to_owned()))
}

async fn serve(listener: Listener) {
    while let Ok((stream, _)) = listener.accept().await {
        let connection = http1::Builder::new()
            .timer(rt::Timer::new())
            .serve_connection(rt::Io::new(stream), service_fn(path));
        // A client that goes away is not the server's failure.
        spawn(async move { drop(connection.await) }).detach();
    }
}

/// A server on `example.org`, and a session on `client`.
fn served(network: &Network, timeout: Duration) -> Session {
    let listener = network.host("example.org").listen(80).unwrap();
    spawn(serve(listener)).detach();
    let connect = From(network.host("client"));
    let session = Session::builder().connect_with(connect).timeout(timeout);
    session.build().unwrap()
}

async fn ask(session: &Session, number: usize) -> Result<String, pirn_http::Error> {
    let url = format!("http://example.org/{number}");
    session.get(url).send().await?.text().await
}

#[test]
fn a_session_talks_to_its_server_under_virtual_time() {
    for seed in 0..20 {
        Sim::new().seed(seed).run(async {
            let network = Network::new(seed);
            let line = Conditions::new().latency(MS..=200 * MS).loss(0.02);
            network.set_conditions(line);
            let session = served(&network, Duration::from_secs(60));
            let asked = (0..20).map(|number| {
                let session = session.clone();
                spawn(async move { ask(&session, number).await.unwrap() })
            });
            for (number, answer) in asked.collect::<Vec<_>>().into_iter().enumerate() {
                assert_eq!(answer.await.unwrap(), format!("/{number}"));
            }
        });
    }
}

#[test]
fn a_timeout_of_a_session_ends_a_wait_for_a_host_that_is_parted() {
    Sim::new().run(async {
        let network = Network::new(1);
        let session = served(&network, Duration::from_secs(10));
        assert_eq!(ask(&session, 1).await.unwrap(), "/1");

        network.part(&["client"], &["example.org"]);
        let begun = now();
        let error = ask(&session, 2).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert_eq!(now().saturating_since(begun), Duration::from_secs(10));

        network.heal();
        sleep(MS).await;
        assert_eq!(ask(&session, 3).await.unwrap(), "/3");
    });
}

#[test]
fn a_session_makes_a_new_connection_where_one_was_reset() {
    Sim::new().run(async {
        let network = Network::new(1);
        let session = served(&network, Duration::from_secs(10));
        for number in 0..5 {
            assert_eq!(ask(&session, number).await.unwrap(), format!("/{number}"));
            network.reset(&["client"], &["example.org"]);
            sleep(MS).await;
        }
    });
}
