//! Connections that are kept, and how many there may be.

mod support;

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use pirn_core::shim::block_on;
use pirn_http::{Bytes, ErrorKind, Session, SessionBuilder};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;
use support::clock::StillClock;
use support::script::Act::{Close, Reply, Stall};
use support::script::Script;
use support::{response, with_server};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const OK_AND_CLOSE: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";

fn session(script: &Script) -> Session {
    build(script, Session::builder())
}

fn build(script: &Script, builder: SessionBuilder) -> Session {
    builder.connect_with(script.clone()).build().unwrap()
}

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

async fn get(session: &Session, url: &str) -> Result<String, pirn_http::Error> {
    session.get(url).send().await?.text().await
}

#[test]
fn a_connection_is_used_again() {
    let script = Script::new([vec![Reply(OK)]]);
    let session = session(&script);
    block_on(async {
        for _ in 0..3 {
            assert_eq!(get(&session, "http://a/").await.unwrap(), "ok");
        }
    });
    assert_eq!(script.log().opened, ["a:80"]);
    assert_eq!(script.log().requests.len(), 3);
    let statistics = session.statistics();
    assert_eq!(statistics.connections_opened, 1);
    assert_eq!(statistics.connections_idle, 1);
    assert_eq!(statistics.max_requests_in_flight, 1);
}

#[test]
fn each_origin_has_connections_of_its_own() {
    let script = Script::new([vec![Reply(OK)], vec![Reply(OK)], vec![Reply(OK)]]);
    let session = session(&script);
    block_on(async {
        for url in ["http://a/", "http://b/", "http://a:81/", "http://A/again"] {
            get(&session, url).await.unwrap();
        }
    });
    assert_eq!(script.log().opened, ["a:80", "b:80", "a:81"]);
}

#[test]
fn a_connection_that_the_server_ends_is_not_kept() {
    let script = Script::new([vec![Reply(OK_AND_CLOSE)], vec![Reply(OK)]]);
    let session = session(&script);
    block_on(async {
        get(&session, "http://a/").await.unwrap();
        assert_eq!(session.statistics().connections_idle, 0);
        get(&session, "http://a/").await.unwrap();
    });
    assert_eq!(script.log().opened.len(), 2);
}

#[test]
fn a_get_on_a_connection_that_died_idle_is_sent_once_more() {
    let script = Script::new([vec![Reply(OK), Close], vec![Reply(OK)]]);
    let session = session(&script);
    block_on(async {
        get(&session, "http://a/").await.unwrap();
        assert_eq!(get(&session, "http://a/").await.unwrap(), "ok");
    });
    assert_eq!(script.log().opened.len(), 2);
    assert_eq!(script.log().requests.len(), 3);
}

#[test]
fn the_second_try_is_the_last() {
    let script = Script::new([vec![Reply(OK), Close], vec![Close], vec![Reply(OK)]]);
    let session = session(&script);
    block_on(async {
        get(&session, "http://a/").await.unwrap();
        let error = get(&session, "http://a/").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ClosedEarly);
    });
    assert_eq!(script.log().opened.len(), 2);
}

#[test]
fn a_post_that_was_sent_is_not_sent_again() {
    let script = Script::new([vec![Reply(OK), Close], vec![Reply(OK)]]);
    let session = session(&script);
    block_on(async {
        get(&session, "http://a/").await.unwrap();
        let error = session
            .post("http://a/")
            .body("x")
            .send()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ClosedEarly);
    });
    assert_eq!(script.log().opened.len(), 1);
}

#[test]
fn a_first_connection_that_dies_is_not_tried_again() {
    let script = Script::new([vec![Close], vec![Reply(OK)]]);
    let session = session(&script);
    let error = block_on(get(&session, "http://a/")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ClosedEarly);
    assert_eq!(script.log().opened.len(), 1);
}

#[test]
fn a_host_gets_so_many_requests_at_once_and_the_rest_in_order() {
    let script = Script::new([vec![Stall], vec![Reply(OK)]]);
    let session = build(&script, Session::builder().max_connections_per_host(1));
    let mut first = Box::pin(get(&session, "http://a/1"));
    let mut second = Box::pin(get(&session, "http://a/2"));
    let mut third = Box::pin(get(&session, "http://a/3"));
    for waiting in [&mut first, &mut second, &mut third] {
        assert!(waiting.now_or_never().is_none());
    }
    assert_eq!(script.log().requests.len(), 1);
    assert_eq!(session.statistics().requests_in_flight, 1);

    drop(first);
    // Each with a waker of its own, as in two tasks; the third is looked at first.
    let both: FuturesUnordered<_> = [third, second].into_iter().collect();
    let texts = block_on(both.collect::<Vec<_>>());
    assert!(texts.iter().all(|text| text.as_ref().unwrap() == "ok"));
    let paths = script.log().requests;
    let paths: Vec<_> = paths.iter().map(|r| r.split(' ').nth(1).unwrap()).collect();
    assert_eq!(paths, ["/1", "/2", "/3"]);
    assert_eq!(session.statistics().max_requests_in_flight, 1);
}

#[test]
fn another_host_does_not_wait() {
    let script = Script::new([vec![Stall], vec![Reply(OK)]]);
    let session = build(&script, Session::builder().max_connections_per_host(1));
    let mut first = Box::pin(get(&session, "http://a/"));
    assert!((&mut first).now_or_never().is_none());
    assert_eq!(block_on(get(&session, "http://b/")).unwrap(), "ok");
}

#[test]
fn a_request_that_is_dropped_takes_its_connection_along() {
    let script = Script::new([vec![Reply(OK), Stall], vec![Reply(OK)]]);
    let session = session(&script);
    block_on(get(&session, "http://a/")).unwrap();
    let mut stalled = Box::pin(get(&session, "http://a/"));
    assert!((&mut stalled).now_or_never().is_none());
    assert_eq!(script.log().closed, 0);
    drop(stalled);
    assert_eq!(script.log().closed, 1);
    assert_eq!(session.statistics().requests_in_flight, 0);
    assert_eq!(session.statistics().connections_idle, 0);
    assert_eq!(block_on(get(&session, "http://a/")).unwrap(), "ok");
}

#[test]
fn a_response_that_is_dropped_half_read_takes_its_connection_along() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nha";
    let script = Script::new([vec![Reply(half)], vec![Reply(OK)]]);
    let session = session(&script);
    block_on(async {
        let mut response = session.get("http://a/").send().await.unwrap();
        assert_eq!(response.chunk().await.unwrap().unwrap(), "ha");
        drop(response);
        assert_eq!(script.log().closed, 1);
        get(&session, "http://a/").await.unwrap();
    });
    assert_eq!(script.log().opened.len(), 2);
}

#[test]
fn a_response_that_is_dropped_unread_leaves_its_connection_if_all_was_there() {
    let script = Script::new([vec![Reply(OK)]]);
    let session = session(&script);
    block_on(async {
        drop(session.get("http://a/").send().await.unwrap());
        get(&session, "http://a/").await.unwrap();
    });
    assert_eq!(script.log().opened.len(), 1);
}

#[test]
fn a_response_without_a_body_gives_its_connection_back_at_once() {
    let script = Script::new([vec![Reply("HTTP/1.1 204 No Content\r\n\r\n")]]);
    let session = session(&script);
    block_on(async {
        let response = session.get("http://a/").send().await.unwrap();
        assert_eq!(session.statistics().connections_idle, 1);
        assert_eq!(session.statistics().requests_in_flight, 0);
        assert_eq!(response.bytes().await.unwrap(), Bytes::new());
    });
}

#[test]
fn a_dropped_session_closes_what_is_idle_and_lets_responses_end() {
    let script = Script::new([vec![Reply(OK)], vec![Reply(OK)]]);
    let session = session(&script);
    block_on(async {
        let open = session.get("http://a/").send().await.unwrap();
        get(&session, "http://a/").await.unwrap();
        drop(session);
        assert_eq!(script.log().closed, 1);
        assert_eq!(open.text().await.unwrap(), "ok");
        assert_eq!(script.log().closed, 2);
    });
}

#[test]
fn only_so_many_idle_connections_are_kept() {
    let script = Script::new(vec![vec![Reply(OK)]; 8]);
    let builder = Session::builder().max_idle(3).max_idle_per_host(2);
    let session = build(&script, builder);
    block_on(async {
        let open = [
            session.get("http://a/").send().await.unwrap(),
            session.get("http://a/").send().await.unwrap(),
            session.get("http://a/").send().await.unwrap(),
        ];
        drop(open);
        assert_eq!(session.statistics().connections_idle, 2);
        get(&session, "http://b/").await.unwrap();
        assert_eq!(session.statistics().connections_idle, 3);
        get(&session, "http://c/").await.unwrap();
        assert_eq!(session.statistics().connections_idle, 3);
        let opened = script.log().opened.len();
        for url in ["http://a/", "http://b/", "http://c/"] {
            get(&session, url).await.unwrap();
        }
        // The oldest one was closed, and that was one of the two of `a`.
        assert_eq!(script.log().opened.len(), opened);
        session.close_idle();
        assert_eq!(session.statistics().connections_idle, 0);
        assert_eq!(script.log().closed, opened);
    });
}

#[test]
fn an_idle_connection_expires() {
    let (clock, _entered) = StillClock::enter();
    let script = Script::new(vec![vec![Reply(OK)]; 2]);
    let session = build(
        &script,
        Session::builder().idle_timeout(Duration::from_secs(10)),
    );
    block_on(async {
        get(&session, "http://a/").await.unwrap();
        clock.advance(Duration::from_secs(9));
        get(&session, "http://a/").await.unwrap();
        clock.advance(Duration::from_secs(9));
        get(&session, "http://a/").await.unwrap();
        assert_eq!(script.log().opened.len(), 1);
        clock.advance(Duration::from_secs(10));
        get(&session, "http://a/").await.unwrap();
        assert_eq!(script.log().opened.len(), 2);
        assert_eq!(script.log().closed, 1);
    });
}

#[test]
fn a_real_server_that_closes_idle_connections_costs_no_request() {
    support::with_streams(
        |stream| support::answer_and_close(stream, OK),
        |url| async move {
            let session = Session::new();
            for _ in 0..20 {
                assert_eq!(get(&session, &url).await.unwrap(), "ok");
            }
            assert_eq!(session.statistics().connections_opened, 20);
        },
    );
}

#[test]
fn a_crowd_of_hosts_is_forgotten_when_it_has_gone() {
    with_server(
        |_| async { response(200, "ok") },
        |url| async move {
            struct Here(String);
            impl pirn_http::Connect for Here {
                fn connect<'a>(&'a self, _: &'a str, _: u16) -> pirn_http::Connecting<'a> {
                    Box::pin(async {
                        let stream = pirn_io::TcpStream::connect(&self.0).await?;
                        Ok(Box::new(stream) as Box<dyn pirn_http::Transport>)
                    })
                }
            }
            let here = Here(url["http://".len()..].to_owned());
            let session = Session::builder()
                .connect_with(here)
                .max_idle(0)
                .build()
                .unwrap();
            for n in 0..300 {
                get(&session, &format!("http://host-{n}/")).await.unwrap();
            }
            assert_eq!(session.statistics().connections_opened, 300);
            assert_eq!(session.statistics().connections_idle, 0);
        },
    );
}

#[test]
fn the_last_of_a_known_length_gives_the_connection_back() {
    let script = Script::new([vec![Reply(OK)]]);
    let session = session(&script);
    block_on(async {
        let mut response = session.get("http://a/").send().await.unwrap();
        assert_eq!(session.statistics().requests_in_flight, 1);
        assert_eq!(response.chunk().await.unwrap().unwrap(), "ok");
        assert_eq!(session.statistics().requests_in_flight, 0);
        assert_eq!(session.statistics().connections_idle, 1);
        assert_eq!(response.chunk().await.unwrap(), None);
    });
}

#[test]
fn a_task_is_woken_once_for_its_response() {
    let script = Script::new([vec![Stall]]);
    let session = session(&script);
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let mut cx = Context::from_waker(&waker);
    let mut request = Box::pin(get(&session, "http://a/"));
    assert!(request.poll_unpin(&mut cx).is_pending());
    // The script wakes who writes to it.
    count.take();
    assert!(request.poll_unpin(&mut cx).is_pending());
    assert_eq!(count.take(), 0);
    script.say("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n");
    assert_eq!(count.take(), 1);
    assert!(request.poll_unpin(&mut cx).is_pending());
    script.say("o");
    assert_eq!(count.take(), 1);
    assert!(request.poll_unpin(&mut cx).is_pending());
    script.say("kay");
    assert_eq!(count.take(), 1);
    assert!(request.poll_unpin(&mut cx).is_ready());
    assert_eq!(count.take(), 0);
}

#[test]
fn a_wake_goes_to_the_task_that_polled_last() {
    let script = Script::new([vec![Stall]]);
    let session = session(&script);
    let counts = [Arc::new(Count::default()), Arc::new(Count::default())];
    let mut request = Box::pin(get(&session, "http://a/"));
    for count in &counts {
        let waker = Waker::from(count.clone());
        let polled = request.poll_unpin(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        count.take();
    }
    script.say(OK);
    assert_eq!(counts.map(|count| count.take()), [0, 1]);
}

#[test]
fn what_happens_to_an_idle_connection_wakes_nobody_and_is_noticed() {
    let script = Script::new([vec![Reply(OK)], vec![Reply(OK)]]);
    let session = session(&script);
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let mut first = Box::pin(get(&session, "http://a/"));
    let mut cx = Context::from_waker(&waker);
    while first.poll_unpin(&mut cx).is_pending() {
        assert_eq!(count.take(), 1);
    }
    drop(first);
    drop(waker);
    assert_eq!(Arc::strong_count(&count), 1);
    assert_eq!(session.statistics().connections_idle, 1);

    script.say("nobody asked for this");
    assert_eq!(count.take(), 0);
    assert_eq!(block_on(get(&session, "http://a/")).unwrap(), "ok");
    assert_eq!(script.log().opened.len(), 2);
    assert_eq!(script.log().requests.len(), 2);
}

#[test]
fn an_idle_connection_that_died_gives_place_to_another_idle_one() {
    let script = Script::new([vec![Reply(OK)], vec![Reply(OK)], vec![Reply(OK)]]);
    let session = session(&script);
    let mut first = Box::pin(get(&session, "http://a/1"));
    assert!((&mut first).now_or_never().is_none());
    let mut second = Box::pin(get(&session, "http://a/2"));
    assert!((&mut second).now_or_never().is_none());
    block_on(async {
        first.await.unwrap();
        second.await.unwrap();
        script.say("nobody asked for this");
        // To the second connection, which would be the next.
        get(&session, "http://a/3").await.unwrap();
    });
    assert_eq!(script.log().opened.len(), 2);
    assert_eq!(script.log().closed, 1);
}
