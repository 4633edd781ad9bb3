//! Clean-up that is awaited, in virtual time: each form, each way to get there, and its limit.

use pirn::{
    Cause, Grace, Instant, JoinError, Kind, Scope, current_cause, defer, finally, finally_in_place,
    group, move_on_after, now, report, shield, sim::Sim, sleep, spawn, spawn_local, timeout,
    with_resource,
};
use std::cell::RefCell;
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u32) -> Instant {
    Instant::EPOCH + SECOND * seconds
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn say(&self, what: &str) {
        let seconds = now().saturating_since(Instant::EPOCH).as_secs();
        self.0.lock().unwrap().push(format!("{seconds}: {what}"));
    }

    fn said(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// A clean-up of so many seconds.
    fn cleans(&self, seconds: u32) -> impl FnOnce() -> Cleaning + Send + use<> {
        let log = self.clone();
        move || {
            Box::pin(async move {
                log.say("cleaning");
                sleep(SECOND * seconds).await;
                log.say("clean");
            })
        }
    }
}

type Cleaning = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

thread_local! {
    static REPORTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// What was reported on this thread, taken out.
fn reports() -> Vec<String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        report::set_hook(Some(Arc::new(|report: &report::Report| {
            REPORTS.with_borrow_mut(|reports| reports.push(report.to_string()));
        })));
    });
    REPORTS.take()
}

/// Runs a program, and what it reported.
fn run<F: Future>(program: F) -> (F::Output, Vec<String>) {
    reports();
    (Sim::new().run(program), reports())
}

/// The forms, as what is done around work that takes for ever.
async fn form(which: usize, log: Log, seconds: u32) {
    match which {
        0 => finally(pending::<()>(), log.cleans(seconds)).await,
        1 => {
            let clean = log.cleans(seconds);
            finally_in_place(pending::<()>(), async move || clean().await).await;
        }
        2 => {
            let close = log.cleans(seconds);
            with_resource(0, async |_| pending::<()>().await, |_| close()).await;
        }
        _ => {
            let _guard = defer(log.cleans(seconds));
            pending::<()>().await;
        }
    }
}

const FORMS: usize = 4;

#[test]
fn a_timeout_awaits_each_form_of_clean_up() {
    for which in 0..FORMS {
        let (log, reported) = run(async move {
            let log = Log::default();
            let ended = timeout(SECOND, form(which, log.clone(), 5)).await;
            assert!(ended.unwrap_err().is_elapsed());
            log.say("on");
            log
        });
        assert_eq!(
            log.said(),
            ["1: cleaning", "6: clean", "6: on"],
            "form {which}"
        );
        assert_eq!(reported, [""; 0]);
    }
}

#[test]
fn who_joins_a_cancelled_task_waits_for_its_clean_up_and_is_told_the_reason() {
    for which in 0..FORMS {
        let (log, reported) = run(async move {
            let log = Log::default();
            let task = spawn(form(which, log.clone(), 5));
            sleep(SECOND).await;
            match task.cancel(Cause::requested("enough")).await {
                Err(JoinError::Cancelled(cause)) => log.say(cause.text()),
                _ => panic!("not cancelled"),
            }
            log
        });
        let said = ["1: cleaning", "6: clean", "6: enough"];
        assert_eq!(log.said(), said, "form {which}");
        assert_eq!(reported, [""; 0]);
    }
}

#[test]
fn clean_up_that_outlasts_its_grace_is_dropped_then_and_reported() {
    for which in 0..FORMS {
        let (log, reported) = run(async move {
            let log = Log::default();
            let work = form(which, log.clone(), 50);
            let ended = timeout(SECOND, async {
                Scope::current()
                    .unwrap()
                    .set_grace(Grace::After(SECOND * 3));
                work.await;
            });
            assert!(ended.await.unwrap_err().is_elapsed());
            log.say("on");
            log
        });
        // What in place was dropped was handed over, and there was no more grace for it.
        assert_eq!(log.said(), ["1: cleaning", "4: on"], "form {which}");
        assert_eq!(reported.len(), 1, "form {which}: {reported:?}");
        assert!(reported[0].contains("clean-up"), "{reported:?}");
    }
}

#[test]
fn without_a_word_the_grace_is_ten_seconds_from_the_cancel() {
    for (seconds, end) in [(9, 10), (11, 11)] {
        let (ended, reported) = run(async move {
            let log = Log::default();
            let _ = timeout(SECOND, form(0, log, seconds)).await;
            now()
        });
        assert_eq!(ended, at(end));
        assert_eq!(reported.len(), usize::from(seconds == 11));
    }
}

#[test]
fn an_unlimited_grace_waits_as_long_as_it_takes() {
    let (ended, reported) = run(async {
        let _ = timeout(SECOND, async {
            Scope::current().unwrap().set_grace(Grace::Unlimited);
            form(0, Log::default(), 3000).await;
        })
        .await;
        now()
    });
    assert_eq!(ended, at(3001));
    assert_eq!(reported, [""; 0]);
}

#[test]
fn nested_clean_ups_share_the_grace_of_the_outer_scope_and_run_from_the_inside_out() {
    let (log, reported) = run(async {
        let log = Log::default();
        let inner = finally(pending::<()>(), log.cleans(4));
        let _ = timeout(SECOND, finally(inner, log.cleans(4))).await;
        log.say("on");
        log
    });
    let said = [
        "1: cleaning",
        "5: clean",
        "5: cleaning",
        "9: clean",
        "9: on",
    ];
    assert_eq!(log.said(), said);
    assert_eq!(reported, [""; 0]);
}

#[test]
fn a_timeout_in_a_clean_up_is_its_own() {
    let (log, _) = run(async {
        let log = Log::default();
        let inner = log.clone();
        let body = finally(pending::<()>(), async move || {
            assert_eq!(current_cause().unwrap().kind(), Kind::Deadline);
            let slow = move_on_after(SECOND * 2, async |_| pending::<()>().await).await;
            assert!(slow.is_none());
            inner.say("gave up");
        });
        let _ = timeout(SECOND, body).await;
        log.say("on");
        log
    });
    assert_eq!(log.said(), ["3: gave up", "3: on"]);
}

#[test]
fn a_panic_waits_for_the_clean_up_and_goes_on() {
    for which in [0, 2, 3] {
        let (log, reported) = run(async move {
            let log = Log::default();
            let work = async {
                sleep(SECOND).await;
                panic!("oh")
            };
            let inner = log.clone();
            let task = spawn(async move {
                match which {
                    0 => finally(work, inner.cleans(2)).await,
                    2 => {
                        let close = inner.cleans(2);
                        with_resource(0, async |_| work.await, |_| close()).await
                    }
                    _ => {
                        let _guard = defer(inner.cleans(2));
                        work.await
                    }
                }
            });
            assert!(task.await.is_err());
            log.say("on");
            log
        });
        assert_eq!(
            log.said(),
            ["1: cleaning", "3: clean", "3: on"],
            "form {which}"
        );
        assert_eq!(reported, [""; 0]);
    }
}

#[test]
fn what_a_select_drops_is_cleaned_up_before_the_scope_ends() {
    for which in [0, 2, 3] {
        let (log, reported) = run(async move {
            let log = Log::default();
            let inner = log.clone();
            let task = spawn(async move {
                let work = Box::pin(form(which, inner.clone(), 2));
                futures::future::select(work, Box::pin(sleep(SECOND))).await;
                inner.say("body ends");
            });
            task.await.unwrap();
            log.say("joined");
            log
        });
        let said = ["1: body ends", "1: cleaning", "3: clean", "3: joined"];
        assert_eq!(log.said(), said, "form {which}");
        assert_eq!(reported, [""; 0]);
    }
}

#[test]
fn in_a_group_each_child_has_its_clean_up_and_the_group_ends_after_the_last() {
    let (log, reported) = run(async {
        let log = Log::default();
        let ended = group(async |g| {
            for (which, seconds) in [(0, 2), (1, 3), (2, 4), (3, 5)] {
                let work = form(which, log.clone(), seconds);
                g.spawn_local(async move {
                    work.await;
                    Ok(())
                });
            }
            sleep(SECOND).await;
            Err::<(), _>("over")
        });
        assert_eq!(ended.await.unwrap_err().into_errors(), ["over"]);
        log.say("on");
        log
    });
    let said = log.said();
    assert_eq!(
        said.iter().filter(|line| *line == "1: cleaning").count(),
        FORMS
    );
    assert_eq!(
        said[FORMS..],
        ["3: clean", "4: clean", "5: clean", "6: clean", "6: on"]
    );
    assert_eq!(reported, [""; 0]);
}

#[test]
fn a_clean_up_that_borrows_runs_in_place_and_says_if_it_could_not() {
    let (lines, reported) = run(async {
        let mut lines = Vec::new();
        let body = finally_in_place(pending::<()>(), async || {
            sleep(SECOND).await;
            lines.push("closed");
        });
        assert!(timeout(SECOND, body).await.is_err());
        lines
    });
    assert_eq!(lines, ["closed"]);
    assert_eq!(reported, [""; 0]);

    let ((), reported) = run(async {
        let body = Box::pin(finally_in_place(pending::<()>(), async || ()));
        futures::future::select(body, Box::pin(sleep(SECOND))).await;
    });
    assert_eq!(reported.len(), 1);
}

#[test]
fn a_guard_that_was_run_or_disarmed_hands_nothing_over() {
    let (log, reported) = run(async {
        let log = Log::default();
        let guard = defer(log.cleans(2));
        sleep(SECOND).await;
        guard.run().await;
        defer(log.cleans(2)).disarm();
        log.say("on");
        log
    });
    assert_eq!(log.said(), ["1: cleaning", "3: clean", "3: on"]);
    assert_eq!(reported, [""; 0]);
}

#[test]
fn a_guard_that_is_being_run_is_gone_on_with_after_a_cancel() {
    let (log, reported) = run(async {
        let log = Log::default();
        let guard = defer(log.cleans(4));
        let body = async {
            guard.run().await;
            shield(async { panic!("it went on") }).await
        };
        let _ = timeout(SECOND, body).await;
        log.say("on");
        log
    });
    assert_eq!(log.said(), ["0: cleaning", "4: clean", "4: on"]);
    assert_eq!(reported, [""; 0]);
}

#[test]
fn a_panic_in_a_clean_up_in_place_goes_on() {
    reports();
    let program = async {
        finally(async { 7 }, async || panic!("oh")).await;
    };
    let ended = catch_unwind(AssertUnwindSafe(|| Sim::new().run(program)));
    let payload = ended.unwrap_err();
    if !payload.is::<&str>() {
        resume_unwind(payload);
    }
    assert_eq!(reports(), [""; 0]);
}

#[test]
fn a_cancel_reaches_what_was_made_outside_the_task_that_runs_it() {
    let (ended, reported) = run(async {
        // The timeout's scope is made here, not in the task.
        let limited = timeout(SECOND * 60, async {
            group(async |g| {
                g.spawn(pending::<Result<(), &str>>());
                pending::<Result<(), &str>>().await
            })
            .await
        });
        let task = spawn_local(limited);
        sleep(SECOND).await;
        assert!(task.cancel(Cause::requested("enough")).await.is_err());
        now()
    });
    assert_eq!(ended, at(1), "at once");
    assert_eq!(reported, [""; 0]);
}
