//! The example as a stranger runs it: its summary, its exits, its one-line errors.

use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// The built example, beside this test.
fn fetch() -> Command {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    Command::new(path.join("examples/fetch"))
}

fn run(arguments: &[&str]) -> Output {
    fetch()
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn summary(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A folder of this test's own, empty.
fn folder(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    path
}

#[test]
fn two_hundred_items_come_twenty_at_a_time_over_as_many_connections() {
    let output = run(&["--json", "--count", "200", "--timeout", "60s"]);
    assert!(output.status.success());
    let summary = summary(&output);
    assert_eq!(summary["ok"], 200);
    for zero in ["failed", "timed_out", "cancelled"] {
        assert_eq!(summary[zero], 0, "{zero}");
    }
    assert_eq!(summary["max_in_flight"], 20);
    assert!(summary["connections"].as_u64().unwrap() <= 20);
    assert!(summary["sequential_ms"].as_f64() > summary["wall_ms"].as_f64());
    assert!(summary["p50_ms"].as_f64() <= summary["p99_ms"].as_f64());
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "",
        "no bar where it is piped"
    );
}

#[test]
fn each_fault_is_told_apart_and_spoils_no_other_item() {
    let output = run(&["--json", "--faults", "--count", "80", "--timeout", "10s"]);
    assert_eq!(output.status.code(), Some(1));
    let summary = summary(&output);
    assert_eq!(
        (&summary["ok"], &summary["failed"]),
        (&72.into(), &7.into())
    );
    assert_eq!(summary["timed_out"], 1);
    let kinds = summary["failed_by_kind"].as_object().unwrap();
    assert_eq!(kinds.len(), 7, "{kinds:?}");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr).lines().count(),
        8,
        "one line each, the one that timed out included"
    );
}

#[test]
fn the_first_failure_cancels_the_rest_if_that_is_asked_for() {
    let output = run(&["--json", "--faults", "--fail-fast", "--timeout", "60s"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(summary(&output)["cancelled"].as_u64().unwrap() > 0);
}

#[test]
fn bodies_are_saved_and_urls_come_from_standard_input() {
    let out = folder("saved");
    let output = run(&["--count", "3", "--out", out.to_str().unwrap()]);
    assert!(output.status.success());
    let saved = std::fs::read_dir(&out).unwrap().count();
    assert_eq!(saved, 3);

    let mut piped = fetch();
    piped.args(["--json", "--urls", "-"]).stdin(Stdio::piped());
    let mut piped = piped
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = piped.stdin.take().unwrap();
    writeln!(stdin, "# nobody listens there\n\nhttp://127.0.0.1:1/").unwrap();
    drop(stdin);
    let output = piped.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(summary(&output)["failed_by_kind"]["connection refused"], 1);
}

#[test]
fn bad_input_gets_one_line_that_names_it() {
    let cases: [(&[&str], &str); 14] = [
        (&["--concurrency", "0"], "'0' for '--concurrency"),
        (
            &["--concurrency", "1000000"],
            "'1000000' for '--concurrency",
        ),
        (
            &["--concurrency", "99999999999999999999"],
            "from 1 to 10000",
        ),
        (&["--count", "99999999999"], "from 1 to 10000000"),
        (
            &["--count", "3", "http://127.0.0.1:1/"],
            "--count is for the embedded server",
        ),
        (&["http://127.0.0.1:1/", "--count", "200"], "--count is for"),
        (
            &["--faults", "http://127.0.0.1:1/"],
            "--faults is for the embedded server",
        ),
        (&["--timeout", "0"], "'0' for '--timeout"),
        (&["--timeout", "-1s"], "'-1s' for '--timeout"),
        (&["--timeout", "soon"], "'soon' for '--timeout"),
        (&["--count", "many"], "'many' for '--count"),
        (&["--urls", "/no/such/file"], "/no/such/file"),
        (&["--out", "/dev/null/folder"], "/dev/null/folder"),
        (&["--nonsense"], "'--nonsense'"),
    ];
    for (arguments, named) in cases {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(named), "{text}");
        assert!(output.stdout.is_empty());
    }
    let output = run(&["http://", "htp://example.org"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr)
            .matches("invalid URL")
            .count(),
        2
    );
}

#[test]
fn each_url_has_its_line_and_one_that_times_out_is_named() {
    // Accepts and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let slow = format!("http://{}/", silent.local_addr().unwrap());
    let output = run(&["--timeout", "100ms", &slow, "http://127.0.0.1:1/", &slow]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<_> = text.lines().take(3).collect();
    let timed_out = format!("{slow}: timed out after ");
    assert!(lines[0].starts_with(&timed_out), "{text}");
    assert_eq!(lines[1], "http://127.0.0.1:1/: failed, connection refused");
    assert!(lines[2].starts_with(&timed_out), "{text}");
    let errors = String::from_utf8_lossy(&output.stderr);
    let told = format!("fetch: 2 times: {slow} timed out after 100ms\n");
    assert!(errors.contains(&told), "{errors}");
}

#[test]
fn who_reads_the_summary_may_hang_up() {
    let mut running = fetch()
        .args(["--count", "3"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(running.stdout.take());
    let output = running.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}

#[test]
#[cfg(unix)]
fn ctrl_c_prints_what_there_is_and_exits_with_130() {
    let output = interrupted(&["--json"], "interrupted");
    let summary = summary(&output);
    assert_eq!(summary["interrupted"], true);
    assert!(summary["cancelled"].as_u64().unwrap() > 0);
    let output = interrupted(&[], "interrupted-in-words");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.starts_with("Interrupted by Ctrl-C: "), "{text}");
}

/// Runs it until the first body is saved, and interrupts it.
#[cfg(unix)]
fn interrupted(arguments: &[&str], name: &str) -> Output {
    let out = folder(name);
    let mut command = fetch();
    command.args(arguments);
    command.args(["--count", "100000", "--out", out.to_str().unwrap()]);
    let running = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It is under way when the first body lies there.
    let begun = |entry: std::io::Result<std::fs::DirEntry>| {
        !entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with('.')
    };
    while !std::fs::read_dir(&out).is_ok_and(|mut entries| entries.any(begun)) {
        std::thread::yield_now();
    }
    let kill = Command::new("kill")
        .args(["-INT", &running.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    output
}
