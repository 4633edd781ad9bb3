//! A web of one's own, for the course's programs about HTTP: sites in this process, over a network in
//! memory, so that there is no other end to start, and a test has its own clock.

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use pirn::http::{Connect, Connecting, HeaderMap, Session, SessionBuilder, Transport, rt};
use pirn::sim::net::{Conditions, Host, Listener, Network};
use pirn::spawn;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// What a site is asked.
#[derive(Debug)]
pub struct Asked {
    /// What follows the host.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// What was sent with it.
    pub body: String,
}

/// A status, and a body.
pub type Answer = (u16, String);

/// Puts `http://site/` on the air, whose requests `answer` answers, and begins a session that gets
/// there and nowhere else. It is there until the runtime ends.
///
/// # Examples
///
/// ```
/// let said = pirn_examples::trace(async {
///     let web = pirn_examples::web::with_site(async |asked| (200, asked.path));
///     let session = web.build().unwrap();
///     let response = session.get("http://site/index").send().await.unwrap();
///     pirn_examples::say(response.text().await.unwrap());
/// });
/// assert_eq!(said, ["0.00 /index"]);
/// ```
pub fn with_site<F, Fut>(answer: F) -> SessionBuilder
where
    F: Fn(Asked) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Answer> + Send + 'static,
{
    let network = Network::new(0);
    // As near as can be: what takes time in the programs is what their sites do.
    network.set_conditions(Conditions::new().latency(Duration::ZERO..=Duration::ZERO));
    let listener = network.host("site").listen(80);
    let listener = listener.expect("in a new network each port is free");
    spawn(serve(listener, Arc::new(answer))).detach();
    Session::builder().connect_with(Way(network.host("session")))
}

/// A session's way into the network: that of its host.
struct Way(Host);

impl Connect for Way {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> Connecting<'a> {
        Box::pin(async move {
            let stream = self.0.connect((host, port)).await?;
            Ok(Box::new(stream) as Box<dyn Transport>)
        })
    }
}

async fn serve<F, Fut>(listener: Listener, answer: Arc<F>)
where
    F: Fn(Asked) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Answer> + Send + 'static,
{
    while let Ok((stream, _)) = listener.accept().await {
        let answer = Arc::clone(&answer);
        let service = service_fn(move |request| {
            let answer = Arc::clone(&answer);
            async move {
                let (status, body) = answer(asked(request).await?).await;
                let mut response = Response::new(body);
                *response.status_mut() = StatusCode::from_u16(status).map_err(io::Error::other)?;
                io::Result::Ok(response)
            }
        });
        let connection = http1::Builder::new()
            .timer(rt::Timer::new())
            .serve_connection(rt::Io::new(stream), service);
        // A client that goes away is not the site's failure.
        spawn(async move { drop(connection.await) }).detach();
    }
}

async fn asked(request: Request<Incoming>) -> io::Result<Asked> {
    let (head, mut body) = request.into_parts();
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(data) = frame.map_err(io::Error::other)?.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(Asked {
        path: head.uri.path().to_owned(),
        headers: head.headers,
        body: String::from_utf8(bytes).map_err(io::Error::other)?,
    })
}
