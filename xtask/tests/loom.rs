//! How `loom` judges what a model printed, and what it remembers.

use xtask::loom::{
    baseline::Baseline,
    verdict::{Report, Verdict, judge, must_fail_problem},
};

fn verdict(output: &str, passed: bool, cap_asked: bool) -> Verdict {
    judge("c::f::m", output, passed, cap_asked).verdict
}

const GOOD: &str = "test f::m ... loom: executions=58 seconds=0.2 verdict=exhausted\nok\n";
const CAPPED: &str = "loom: executions=58 seconds=60.0 verdict=capped";

#[test]
fn a_model_that_explored_everything_is_exhausted() {
    let report = judge("c::f::m", GOOD, true, false);
    assert_eq!(report.verdict, Verdict::Exhausted);
    assert_eq!(report.executions, 58);
    assert!(report.problem().is_none());
}

#[test]
fn a_cap_is_an_error_unless_asked_for() {
    assert_eq!(verdict(CAPPED, true, true), Verdict::Capped);
    assert_eq!(verdict(CAPPED, true, false), Verdict::CappedUnasked);
    assert!(judge("m", CAPPED, true, false).problem().is_some());
}

#[test]
fn one_execution_is_not_a_model() {
    let once = "loom: executions=1 seconds=0.0 verdict=exhausted";
    assert_eq!(verdict(once, true, false), Verdict::Once);
    // Nor is one of two.
    assert_eq!(
        verdict(&format!("{GOOD}{once}"), true, false),
        Verdict::Once
    );
    assert_eq!(
        verdict("running 1 test\nok\n", true, false),
        Verdict::NotAModel
    );
}

#[test]
fn a_failure_is_a_failure_whatever_was_printed() {
    assert_eq!(verdict(GOOD, false, false), Verdict::Failed);
    assert_eq!(verdict("deadlock", false, true), Verdict::Failed);
}

fn report(name: &str, executions: u64, verdict: Verdict) -> Report {
    Report {
        executions,
        verdict,
        ..judge(name, GOOD, true, false)
    }
}

#[test]
fn a_crate_has_exactly_one_model_that_must_fail() {
    let must_fail = report("c::f::it_fails", 2, Verdict::FailedAsItMust);
    let other = report("d::f::it_fails", 2, Verdict::FailedAsItMust);
    assert!(must_fail_problem("c", &[must_fail.clone(), other.clone()]).is_none());
    assert!(must_fail_problem("c", &[other]).is_some());
    assert!(must_fail_problem("c", &[must_fail.clone(), must_fail]).is_some());
    let line = "loom: executions=2 seconds=0.0 verdict=failed-as-it-must";
    assert_eq!(verdict(line, true, false), Verdict::FailedAsItMust);
}

#[test]
fn a_collapse_is_noticed() {
    let baseline = Baseline::parse("# a comment\nc::f::m 100\nc::f::n 7\n").expect("well-formed");
    let kept = [
        report("c::f::m", 50, Verdict::Exhausted),
        report("c::f::n", 7, Verdict::Exhausted),
    ];
    assert!(baseline.shrunk(&kept).is_empty());
    assert!(baseline.gone(&kept, &["c"]).is_empty());
    let less = [report("c::f::m", 49, Verdict::Exhausted)];
    assert_eq!(baseline.shrunk(&less).len(), 1);
    assert_eq!(baseline.gone(&less, &["c"]).len(), 1);
    // Another crate's models are another crate's business.
    assert!(baseline.gone(&less, &["d"]).is_empty());
    assert!(Baseline::parse("c::f::m many\n").is_err());
}

#[test]
fn recording_forgets_what_is_gone_and_keeps_the_other_crates() {
    let mut baseline = Baseline::parse("c::f::gone 100\nd::f::m 7\n").expect("well-formed");
    baseline.record(&[report("c::f::m", 9, Verdict::Exhausted)], &["c"], true);
    assert!(
        baseline
            .gone(&[], &["c"])
            .iter()
            .all(|line| line.starts_with("c::f::m "))
    );
    assert_eq!(baseline.gone(&[], &["c", "d"]).len(), 2);
}

#[test]
fn each_bound_has_a_list_of_its_own_of_what_ended_there() {
    let root = std::path::Path::new("root");
    let default = Baseline::path(root, None);
    assert_eq!(default, root.join("xtask/loom-baseline.txt"));
    let none = Baseline::path(root, Some("none"));
    assert_eq!(none, root.join("xtask/loom-baseline-none.txt"));
    let mut baseline = Baseline::default();
    let reports = [
        report("c::f::ends", 9, Verdict::Exhausted),
        report("c::f::goes_on", 9, Verdict::Capped),
    ];
    baseline.record(&reports, &["c"], true);
    assert!(baseline.has("c::f::ends") && !baseline.has("c::f::goes_on"));
}
