//! URLs, however they are written: what a session makes of them is what the URL standard says.

mod support;

use futures::FutureExt;
use pirn_core::shim::block_on;
use pirn_http::{ErrorKind, Session, Url};
use support::script::Act::Reply;
use support::script::Script;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Tries hosts that refuse every connection.
struct Probe {
    script: Script,
    session: Session,
    tried: usize,
}

impl Probe {
    fn new() -> Probe {
        let script = Script::new([]);
        let builder = Session::builder().connect_with(script.clone());
        Probe {
            session: builder.build().unwrap(),
            script,
            tried: 0,
        }
    }

    /// Compares what the session makes of `text` with what `url` does.
    fn check(&mut self, text: &str) {
        let error = self.session.get(text).send().now_or_never().unwrap();
        let error = error.unwrap_err();
        match Url::parse(text) {
            Ok(url) if ["http", "https"].contains(&url.scheme()) => {
                assert_eq!(error.kind(), ErrorKind::Refused, "{text:?}");
                assert_eq!(error.url(), url.as_str(), "{text:?}");
                let (host, port) = (url.host_str().unwrap(), url.port_or_known_default());
                let opened = self.script.take_opened();
                assert_eq!(opened, [format!("{host}:{}", port.unwrap())], "{text:?}");
                self.tried += 1;
            }
            _ => assert_eq!(error.kind(), ErrorKind::InvalidUrl, "{text:?}"),
        }
    }
}

#[test]
fn every_mixture_of_parts_is_read_as_the_standard_reads_it() {
    let hosts = [
        "a",
        "example.org",
        "EXAMPLE.org",
        "a.b.c",
        "a.",
        "a..b",
        ".a",
        "-a",
        "a-",
        "a-b.c-d.e",
        "a--b",
        "xn--bcher-kva",
        "xn--a",
        "b\u{fc}cher",
        "a_b",
        "a%41",
        "127.0.0.1",
        "127.0.0.01",
        "127.0.0.256",
        "1.2.3",
        "1.2.3.4.5",
        "127.0.0.0x1",
        "0x7f.1",
        "7",
        "a.7",
        "a.0x7",
        "a.7b",
        "0.0.0.0",
        "[::1]",
        "",
    ];
    let ports = [
        "", ":", ":80", ":443", ":8080", ":08080", ":65535", ":65536", ":0", ":x",
    ];
    let paths = [
        "",
        "/",
        "/a/b.c",
        "/./a",
        "/../a",
        "/a/..",
        "/a/.",
        "/.a",
        "/a..",
        "/...",
        "/%2e/a",
        "/%2E%2e/a",
        "/a%20b",
        "/%",
        "//",
        "//a//",
        "/a b",
        "/\u{fc}",
        "\\a",
        "/a\\..\\b",
        "/a:@b",
    ];
    let rests = [
        "", "?", "?a=b&c", "?a'b", "?a/../b", "?%2e", "?\u{fc}", "#", "#a", "?a#b?c",
    ];
    let mut probe = Probe::new();
    for (scheme, host) in ["http", "https"].iter().flat_map(|s| hosts.map(|h| (s, h))) {
        for (port, path) in ports.iter().flat_map(|p| paths.map(|path| (p, path))) {
            for rest in rests {
                probe.check(&format!("{scheme}://{host}{port}{path}{rest}"));
            }
        }
    }
    assert!(probe.tried > 10_000);
}

#[test]
fn every_character_in_every_place_is_read_as_the_standard_reads_it() {
    let mut probe = Probe::new();
    for c in (0..=255).map(char::from) {
        for text in [
            format!("http://a{c}b/"),
            format!("http://{c}a/"),
            format!("http://a.{c}/"),
            format!("http://a:8{c}/"),
            format!("http://a/b{c}c"),
            format!("http://a/{c}"),
            format!("http://a/{c}{c}/b"),
            format!("http://a/?b{c}c"),
            format!("http://a/?{c}"),
            format!("http{c}://a/"),
            format!("http:{c}/a/"),
            format!("{c}http://a/"),
        ] {
            probe.check(&text);
        }
    }
    assert!(probe.tried > 1_000);
}

#[test]
fn the_user_of_a_url_makes_no_difference_to_what_connections_are_kept_for() {
    let script = Script::new([vec![Reply(OK)]]);
    let builder = Session::builder().connect_with(script.clone());
    let session = builder.build().unwrap();
    block_on(async {
        for url in [
            "http://a/1",
            "http://user:password@a/2",
            "HTTP://A:80/3#fragment",
            "http://a:80/./4?q",
        ] {
            let response = session.get(url).send().await.unwrap();
            assert_eq!(*response.url(), Url::parse(url).unwrap());
            assert_eq!(response.text().await.unwrap(), "ok");
        }
    });
    assert_eq!(script.log().opened, ["a:80"]);
    let requests = script.log().requests;
    let lines: Vec<_> = requests.iter().map(|r| r.lines().next().unwrap()).collect();
    assert_eq!(
        lines,
        [
            "GET /1 HTTP/1.1",
            "GET /2 HTTP/1.1",
            "GET /3 HTTP/1.1",
            "GET /4?q HTTP/1.1"
        ]
    );
    assert!(requests.iter().all(|r| r.lines().nth(1) == Some("host: a")));
    assert!(requests[1].contains("authorization: Basic "));
    assert_eq!(
        requests
            .iter()
            .filter(|r| r.contains("authorization"))
            .count(),
        1
    );
}
