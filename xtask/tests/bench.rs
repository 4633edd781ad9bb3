//! How `bench --locked` judges what was counted.

use xtask::bench::too_many;

const HEADER: &str = "\
| row | pirn | tokio | pirn / tokio | best peer | | pirn / best | others |
|---|---|---|---|---|---|---|---|
";
const ROW: &str = "executor.yield.1";

fn judge(line: &str, most: f64) -> Option<String> {
    too_many(&format!("{HEADER}{line}\n"), ROW, most)
}

#[test]
fn a_row_that_takes_as_many_as_it_may_is_right() {
    let line = "| executor.yield.1 | 303 (0.0) | – | – | – | – | – | pirn-runtime 311 (0.0) |";
    assert_eq!(judge(line, 0.0), None);
    let line = "| executor.yield.1 | 303 (3.0) | – | – | – | – | – | pirn-runtime 311 (2.0) |";
    assert_eq!(judge(line, 3.0), None);
}

#[test]
fn one_more_is_told_of_whoever_takes_it() {
    for line in [
        "| executor.yield.1 | 303 (1.0) | – | – | – | – | – | pirn-runtime 311 (0.0) |",
        "| executor.yield.1 | 303 (0.0) | – | – | – | – | – | pirn-runtime 311 (1.0) |",
    ] {
        assert!(judge(line, 0.0).unwrap().contains(line));
    }
}

#[test]
fn a_row_that_is_not_there_or_was_not_counted_is_not_right() {
    assert!(judge("| executor.yields.1 | 303 (0.0) |", 9.0).is_some());
    assert!(judge("| executor.yield.1 | 303 | – | – | – | – | – | |", 9.0).is_some());
}
