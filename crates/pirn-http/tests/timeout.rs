//! Time limits: which one is over, and when.

mod support;

use futures::FutureExt;
use pirn_core::shim::block_on;
use pirn_http::{Connect, Connecting, ErrorKind, Limit, Session, SessionBuilder};

use std::time::Duration;
use support::clock::StillClock;
use support::script::Act::{Reply, Stall};
use support::script::{Log, Script};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nha";
const SECOND: Duration = Duration::from_secs(1);

fn timeout(limit: Limit, after: Duration) -> ErrorKind {
    ErrorKind::Timeout { limit, after }
}

fn build(script: &Script, builder: SessionBuilder) -> Session {
    builder.connect_with(script.clone()).build().unwrap()
}

#[test]
fn the_whole_request_has_a_limit_before_the_head() {
    let (clock, _entered) = StillClock::enter();
    let script = Script::new([vec![Stall]]);
    let session = build(&script, Session::builder().timeout(5 * SECOND));
    let mut request = Box::pin(session.get("http://a/").send());
    assert!((&mut request).now_or_never().is_none());
    clock.advance(4 * SECOND);
    assert!((&mut request).now_or_never().is_none());
    clock.advance(SECOND);
    let error = request.now_or_never().unwrap().unwrap_err();
    assert_eq!(error.kind(), timeout(Limit::Total, 5 * SECOND));
    assert!(error.is_timeout());
    assert_eq!(
        error.to_string(),
        "http://a/: total timeout after 5s (try again, or set a longer `timeout`)"
    );
    assert_eq!(script.log().closed, 1);
    assert_eq!(session.statistics().requests_in_flight, 0);
}

#[test]
fn the_whole_request_has_a_limit_inside_the_body() {
    let (clock, _entered) = StillClock::enter();
    let script = Script::new([vec![Reply(HALF)]]);
    let session = build(&script, Session::builder().timeout(5 * SECOND));
    let mut response = block_on(session.get("http://a/").send()).unwrap();
    assert_eq!(block_on(response.chunk()).unwrap().unwrap(), "ha");
    clock.advance(3 * SECOND);
    assert!(response.chunk().now_or_never().is_none());
    clock.advance(2 * SECOND);
    let error = block_on(response.chunk()).unwrap_err();
    assert_eq!(error.kind(), timeout(Limit::Total, 5 * SECOND));
    assert_eq!(block_on(response.chunk()).unwrap(), None);
    assert_eq!(script.log().closed, 1);
}

#[test]
fn a_request_can_have_a_limit_of_its_own() {
    let (clock, _entered) = StillClock::enter();
    let script = Script::new([vec![Stall]]);
    let session = build(&script, Session::builder().timeout(5 * SECOND));
    let mut request = Box::pin(session.get("http://a/").timeout(SECOND).send());
    assert!((&mut request).now_or_never().is_none());
    clock.advance(SECOND);
    let error = request.now_or_never().unwrap().unwrap_err();
    assert_eq!(error.kind(), timeout(Limit::Total, SECOND));
}

#[test]
fn waiting_for_a_turn_counts() {
    let (clock, _entered) = StillClock::enter();
    let script = Script::new([vec![Stall]]);
    let session = build(&script, Session::builder().max_connections_per_host(1));
    let mut first = Box::pin(session.get("http://a/").send());
    assert!((&mut first).now_or_never().is_none());
    let mut second = Box::pin(session.get("http://a/").timeout(SECOND).send());
    assert!((&mut second).now_or_never().is_none());
    clock.advance(SECOND);
    let error = second.now_or_never().unwrap().unwrap_err();
    assert_eq!(error.kind(), timeout(Limit::Total, SECOND));
}

struct Nowhere;

impl Connect for Nowhere {
    fn connect<'a>(&'a self, _: &'a str, _: u16) -> Connecting<'a> {
        Box::pin(futures::future::pending())
    }
}

#[test]
fn a_connection_has_a_limit() {
    let (clock, _entered) = StillClock::enter();
    let builder = Session::builder().connect_timeout(2 * SECOND);
    let session = builder.connect_with(Nowhere).build().unwrap();
    let mut request = Box::pin(session.get("http://a/").send());
    assert!((&mut request).now_or_never().is_none());
    clock.advance(2 * SECOND);
    let error = request.now_or_never().unwrap().unwrap_err();
    assert_eq!(error.kind(), timeout(Limit::Connect, 2 * SECOND));
    assert_eq!(session.statistics().connections_opened, 0);
}

#[test]
fn of_two_limits_the_sooner_one_is_told() {
    let (clock, _entered) = StillClock::enter();
    let builder = Session::builder()
        .connect_timeout(5 * SECOND)
        .timeout(3 * SECOND);
    let session = builder.connect_with(Nowhere).build().unwrap();
    let mut request = Box::pin(session.get("http://a/").send());
    assert!((&mut request).now_or_never().is_none());
    clock.advance(10 * SECOND);
    let error = request.now_or_never().unwrap().unwrap_err();
    assert_eq!(error.kind(), timeout(Limit::Total, 3 * SECOND));
}

#[test]
fn a_server_that_says_nothing_runs_into_the_read_limit() {
    let (clock, _entered) = StillClock::enter();
    let script = Script::new([vec![Stall]]);
    let session = build(&script, Session::builder().read_timeout(SECOND));
    let mut request = Box::pin(session.get("http://a/").send());
    assert!((&mut request).now_or_never().is_none());
    clock.advance(SECOND);
    let error = request.now_or_never().unwrap().unwrap_err();
    assert_eq!(error.kind(), timeout(Limit::Read, SECOND));
}

#[test]
fn every_byte_starts_the_read_limit_anew() {
    let (clock, _entered) = StillClock::enter();
    let script = Script::new([vec![Stall]]);
    let session = build(&script, Session::builder().read_timeout(2 * SECOND));
    let mut request = Box::pin(session.get("http://a/").send());
    assert!((&mut request).now_or_never().is_none());
    for byte in OK.as_bytes()[..OK.len() - 2].chunks(1) {
        clock.advance(3 * SECOND / 2);
        script.say(std::str::from_utf8(byte).unwrap());
        if byte != b"\n" {
            let head = (&mut request).now_or_never();
            assert!(head.is_none(), "{head:?}");
        }
    }
    let mut response = block_on(request).unwrap();
    assert!(response.chunk().now_or_never().is_none());
    clock.advance(3 * SECOND / 2);
    script.say("o");
    assert_eq!(block_on(response.chunk()).unwrap().unwrap(), "o");

    // While nobody waits, nothing runs out.
    clock.advance(10 * SECOND);
    assert!(response.chunk().now_or_never().is_none());
    clock.advance(2 * SECOND);
    let error = block_on(response.chunk()).unwrap_err();
    assert_eq!(error.kind(), timeout(Limit::Read, 2 * SECOND));
}

#[test]
fn what_is_ready_is_not_timed_out() {
    let (clock, _entered) = StillClock::enter();
    let script = Script::new([vec![Reply(HALF)]]);
    let session = build(&script, Session::builder().timeout(5 * SECOND));
    let mut response = block_on(session.get("http://a/").send()).unwrap();
    clock.advance(10 * SECOND);
    assert_eq!(block_on(response.chunk()).unwrap().unwrap(), "ha");
    assert!(block_on(response.chunk()).unwrap_err().is_timeout());
}

#[test]
fn without_limits_no_timer_is_set() {
    let (clock, _entered) = StillClock::enter();
    let script = Script::new([vec![Stall]]);
    let builder = Session::builder().timeout(None).connect_timeout(None);
    let session = build(&script, builder);
    let mut request = Box::pin(session.get("http://a/").send());
    assert!((&mut request).now_or_never().is_none());
    assert_eq!(clock.sleepers(), 0);
    clock.advance(Duration::MAX);
    assert!((&mut request).now_or_never().is_none());
    let Log { closed, .. } = script.log();
    assert_eq!(closed, 0);
}

#[test]
fn a_stalling_server_is_timed_out_by_the_real_clock() {
    support::with_streams(
        |stream| support::answer_and_stall(stream, HALF),
        |url| async move {
            let limit = Duration::from_millis(20);
            let session = Session::builder().read_timeout(limit).build().unwrap();
            let response = session.get(&url).send().await.unwrap();
            let error = response.bytes().await.unwrap_err();
            assert_eq!(error.kind(), timeout(Limit::Read, limit));
        },
    );
}
