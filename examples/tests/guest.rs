//! The example draws what its program shows, in order, and ends.

use std::path::PathBuf;
use std::process::Command;

/// The built example, beside this test.
fn guest() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples/guest")
}

#[test]
fn the_window_shows_what_the_program_says_and_the_loop_ends_with_it() {
    let output = Command::new(guest()).output().unwrap();
    assert!(output.status.success());
    let shown = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines.first(), Some(&"[ press the button ]"), "{shown}");
    assert_eq!(
        lines[lines.len() - 2..],
        ["[ the sum is 30 ]", "ended: Ok(30)"],
        "{shown}"
    );
}
