//! Servers over loopback.
#![cfg(not(loom))]

use pirn::net::{TcpListener, TcpStream};
use pirn::streams::{StreamReader, StreamWriter, open_connection};
use pirn::{Running, Server, finally, report, start_server, sync::Event};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

type Reader = StreamReader<pirn::net::ReadHalf>;
type Writer = StreamWriter<pirn::net::WriteHalf>;

async fn echo(mut reader: Reader, mut writer: Writer) -> io::Result<()> {
    while let Some(line) = reader.read_line().await? {
        writer.write(format!("{line}\n").as_bytes()).await?;
        writer.flush().await?;
    }
    Ok(())
}

async fn ask(server: &Running, line: &str) -> String {
    let (mut reader, mut writer) = open_connection(server.local_addr()).await.unwrap();
    writer.write(format!("{line}\n").as_bytes()).await.unwrap();
    writer.close().await.unwrap();
    reader.read_line().await.unwrap().unwrap_or_default()
}

#[test]
fn each_connection_is_served_by_a_task_of_its_own() {
    pirn::run(async {
        let server = start_server("127.0.0.1:0", echo).await.unwrap();
        let mut open = Vec::new();
        for number in 0..20 {
            let (reader, mut writer) = open_connection(server.local_addr()).await.unwrap();
            writer
                .write(format!("{number}\n").as_bytes())
                .await
                .unwrap();
            writer.flush().await.unwrap();
            open.push((reader, writer));
        }
        // The last is answered first: none waits for another.
        for (number, (reader, _)) in open.iter_mut().enumerate().rev() {
            assert_eq!(
                reader.read_line().await.unwrap().unwrap(),
                number.to_string()
            );
        }
        assert_eq!(server.connections(), 20);
        drop(open);
        server.close().await;
    });
}

#[test]
fn a_close_waits_for_those_that_are_served_and_accepts_no_more() {
    pirn::run(async {
        let server = start_server("127.0.0.1:0", echo).await.unwrap();
        let address = server.local_addr();
        let (mut reader, mut writer) = open_connection(address).await.unwrap();
        writer.write(b"first\n").await.unwrap();
        writer.flush().await.unwrap();
        assert_eq!(reader.read_line().await.unwrap().unwrap(), "first");

        let closing = pirn::spawn(server.close());
        while TcpStream::connect(address).await.is_ok() {
            pirn::yield_now().await;
        }
        assert!(!closing.is_finished());
        writer.write(b"second\n").await.unwrap();
        writer.close().await.unwrap();
        assert_eq!(reader.read_line().await.unwrap().unwrap(), "second");
        closing.await.unwrap();
    });
}

#[test]
fn an_abort_cancels_those_that_are_served_and_awaits_their_clean_up() {
    pirn::run(async {
        let closed = Arc::new(AtomicUsize::new(0));
        let started = Arc::new(Event::new());
        let (count, begun) = (Arc::clone(&closed), Arc::clone(&started));
        let server = start_server("127.0.0.1:0", move |mut reader: Reader, _: Writer| {
            let (count, begun) = (Arc::clone(&count), Arc::clone(&begun));
            finally(
                async move {
                    begun.set();
                    reader.read_line().await.map(drop)
                },
                || async move {
                    pirn::sleep(Duration::from_millis(1)).await;
                    count.fetch_add(1, SeqCst);
                },
            )
        })
        .await
        .unwrap();
        let client = open_connection(server.local_addr()).await.unwrap();
        started.wait().await;
        server.abort("enough").await;
        assert_eq!(closed.load(SeqCst), 1);
        let (mut reader, _) = client;
        assert_eq!(reader.read_line().await.unwrap(), None);
    });
}

#[test]
fn dropping_it_ends_it() {
    pirn::run(async {
        let server = start_server("127.0.0.1:0", echo).await.unwrap();
        let address = server.local_addr();
        let (mut reader, _writer) = open_connection(address).await.unwrap();
        assert_eq!(ask(&server, "there").await, "there");
        drop(server);
        assert_eq!(reader.read_line().await.unwrap(), None);
        while TcpStream::connect(address).await.is_ok() {
            pirn::yield_now().await;
        }
    });
}

#[test]
fn no_more_than_the_limit_are_served_at_once() {
    pirn::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let highest = Arc::clone(&most);
        let server = Server::on(listener)
            .limit(3)
            .start(move |stream: TcpStream| {
                let (now, most) = (Arc::clone(&now), Arc::clone(&highest));
                async move {
                    most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                    let (reader, writer) = stream.into_split();
                    let ended = echo(StreamReader::new(reader), StreamWriter::new(writer)).await;
                    now.fetch_sub(1, SeqCst);
                    ended
                }
            })
            .unwrap();
        let clients: Vec<_> = (0..12)
            .map(|number| {
                let address = server.local_addr();
                pirn::spawn(async move {
                    let (mut reader, mut writer) = open_connection(address).await.unwrap();
                    writer
                        .write(format!("{number}\n").as_bytes())
                        .await
                        .unwrap();
                    writer.flush().await.unwrap();
                    let line = reader.read_line().await.unwrap().unwrap();
                    assert_eq!(line, number.to_string());
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        server.close().await;
        assert_eq!(most.load(SeqCst), 3);
    });
}

#[test]
fn a_connection_that_fails_or_panics_is_reported_and_the_others_go_on() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    report::set_hook(Some(Arc::new(move |report| {
        let mut seen = sink.lock().unwrap_or_else(PoisonError::into_inner);
        // Other tests of this process report, too.
        seen.extend(Some(report.to_string()).filter(|text| text.contains("as asked")));
    })));
    pirn::run(async {
        let serve = async |mut reader: Reader, mut writer: Writer| {
            let line = reader.read_line().await?.unwrap_or_default();
            match line.as_str() {
                "fail" => return Err(io::Error::other("as asked")),
                "panic" => panic!("as asked, too"),
                _ => writer.write(line.as_bytes()).await?,
            }
            writer.close().await
        };
        let server = start_server("127.0.0.1:0", serve).await.unwrap();
        assert_eq!(ask(&server, "fail").await, "");
        assert_eq!(ask(&server, "panic").await, "");
        assert_eq!(ask(&server, "hello").await, "hello");
        server.close().await;
    });
    report::set_hook(None);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen[0].starts_with("an error of "), "{}", seen[0]);
    assert!(
        seen[0].ends_with("that nobody received: as asked"),
        "{}",
        seen[0]
    );
    assert!(seen[1].starts_with("a panic of "), "{}", seen[1]);
    assert!(seen[1].contains("server.rs"), "{}", seen[1]);
}

#[test]
fn an_error_that_panics_as_it_is_boxed_ends_its_connection_alone() {
    struct Bad;
    impl From<Bad> for Box<dyn std::error::Error + Send + Sync> {
        fn from(_: Bad) -> Self {
            panic!("not to be boxed")
        }
    }
    pirn::run(async {
        let serve = async |mut reader: Reader, mut writer: Writer| match reader.read_line().await {
            Ok(Some(line)) if line == "bad" => Err(Bad),
            _ => {
                let _ = writer.write(b"good\n").await;
                let _ = writer.flush().await;
                Ok(())
            }
        };
        let server = start_server("127.0.0.1:0", serve).await.unwrap();
        assert_eq!(ask(&server, "bad").await, "");
        while server.connections() > 0 {
            pirn::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(ask(&server, "good").await, "good");
        server.close().await;
    });
}

#[test]
fn outside_a_runtime_it_says_so() {
    let started = pirn_core::shim::block_on(start_server("127.0.0.1:0", echo));
    let error = started.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    assert!(error.to_string().contains("runtime"), "{error}");
}

#[test]
#[should_panic(expected = "at least 1 connection")]
fn a_limit_of_none_is_refused() {
    pirn::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        drop(Server::on(listener).limit(0));
    });
}
