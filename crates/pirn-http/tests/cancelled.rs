//! A request that is polled in a cancelled body, and goes on outside of it.

mod support;

use futures::{AsyncRead, AsyncWrite, FutureExt};
use pirn_core::{Cause, Scope, budget, shield};
use pirn_http::{Connect, Connecting, Session, Transport};
use std::future::{Future, pending};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use support::script::Act::Stall;
use support::script::Script;

/// A transport that spends the budget as the leaves of pirn-io do.
struct Spends(Box<dyn Transport>);
#[derive(Clone)]
struct Network(Script);

impl Connect for Network {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> Connecting<'a> {
        Box::pin(async move {
            Ok(Box::new(Spends(self.0.connect(host, port).await?)) as Box<dyn Transport>)
        })
    }
}

impl AsyncRead for Spends {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        ready!(budget::poll_spend(cx));
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Spends {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(budget::poll_spend(cx));
        Pin::new(&mut self.0).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

#[test]
fn an_answer_that_came_during_a_poll_in_a_cancelled_body_is_read_later() {
    let script = Script::new([vec![Stall]]);
    let session = Session::builder()
        .connect_with(Network(script.clone()))
        .build()
        .unwrap();
    let mut request = Box::pin(session.get("http://a/").send());
    let mut cx = Context::from_waker(Waker::noop());
    {
        let scope = Scope::detached();
        let mut run = pin!(scope.run(async {
            futures::join!(shield(pending::<()>()), async {
                let _ = request.as_mut().await;
            })
        }));
        assert!(run.as_mut().poll(&mut cx).is_pending());
        scope.cancel(Cause::requested("enough"));
        script.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        assert!(run.as_mut().poll(&mut cx).is_pending());
    }
    let answer = (&mut request).now_or_never();
    assert!(
        answer.is_some(),
        "the answer is there, and nobody will wake the task"
    );
    assert_eq!(answer.unwrap().unwrap().status(), 200);
}
