//! What blocks: threads, processes, and the loop beneath.

use pirn_examples::{lines, trace, untimed};

#[allow(dead_code, reason = "its main")]
#[path = "../../course/38_blocking.rs"]
mod blocking;

#[test]
fn what_blocks_its_thread_stops_the_clock_beside_it_and_is_reported_by_name() {
    assert_eq!(
        untimed(blocking::program),
        [
            "blocks",
            "goes on",
            "too long: blocker",
            "tick",
            "tick",
            "tick",
            "all well: true"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/39_to_thread.rs"]
mod in_a_thread;

#[test]
fn the_clock_ticks_while_a_thread_blocks_and_a_panic_there_is_an_error() {
    assert_eq!(
        lines(in_a_thread::program()),
        [
            "tick",
            "tick",
            "tick",
            "counted: 3",
            "its panic is an error: true"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/40_processors.rs"]
mod processors;

#[test]
fn computations_on_threads_come_back_in_order() {
    assert_eq!(
        trace(processors::program()),
        ["0.00 [610, 987, 1597, 2584, 4181]"]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/42_threads.rs"]
mod threads_beside;

#[test]
fn threads_send_what_they_have_and_the_last_one_closes_the_queue() {
    let mut said = lines(threads_beside::program());
    // Which thread is the first is the system's affair.
    said[..3].sort();
    assert_eq!(
        said,
        [
            "worker 10 is done",
            "worker 15 is done",
            "worker 5 is done",
            "all workers are done",
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/43_subprocess.rs"]
mod subprocess;

#[test]
fn a_program_is_fed_and_read_and_one_that_takes_too_long_is_killed() {
    assert_eq!(
        lines(subprocess::program()),
        ["hem warp weft", "it took too long: signal: 9 (SIGKILL)"]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/44_loop.rs"]
mod the_loop;

#[test]
fn calls_run_soon_later_and_at_their_time_unless_they_are_cancelled() {
    assert_eq!(
        trace(the_loop::program()),
        [
            "0.00 now, and running: true",
            "0.00 soon",
            "0.50 cancelled: true",
            "1.00 at second one",
            "2.00 in two seconds"
        ]
    );
}

#[allow(dead_code, reason = "its main")]
#[path = "../../course/45_run_inside_run.rs"]
mod run_inside_run;

#[test]
fn a_run_inside_a_run_is_refused_and_run_until_is_the_way_out() {
    assert_eq!(
        lines(run_inside_run::program()),
        [
            "refused: true",
            "by .await: 42",
            "the others go on",
            "by run_until: 84"
        ]
    );
}

/// It is a program of its own, started by its worker's parent: so the built one is run.
#[cfg(unix)]
#[test]
fn a_crash_in_a_process_of_a_pool_fails_its_own_job_alone() {
    // 41_processes.rs
    let output = std::process::Command::new(built("41_processes"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let said: Vec<_> = said
        .lines()
        .map(|line| line.split_once(' ').unwrap().1)
        .collect();
    assert_eq!(
        said,
        [
            "[49, 64, 81]",
            "the job's process died of SIGABRT",
            "and on it goes: 100"
        ]
    );
}

/// The built example, beside this test.
#[cfg(unix)]
fn built(name: &str) -> std::path::PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples").join(name)
}
