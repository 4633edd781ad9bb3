//! What a user's hooks are told of a runtime's tasks, beside reports of slow polls.
#![cfg(not(loom))]

use pirn::report::{Report, set_hook};
use pirn::{
    Builder, Cause, Ended, Hooks, Runtime, TaskId, TaskMeta, spawn_local, try_spawn, yield_now,
};
use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Notes by each task's name what it is told of it.
#[derive(Default)]
struct Notes(Mutex<HashMap<TaskId, (String, Vec<String>)>>);

impl Notes {
    fn note(&self, id: TaskId, what: impl Into<String>) {
        let mut tasks = self.0.lock().unwrap();
        let (_, notes) = tasks.get_mut(&id).expect("`spawned` comes first");
        notes.push(what.into());
    }

    /// What was noted of the task of that name.
    fn of(&self, name: &str) -> Vec<String> {
        let tasks = self.0.lock().unwrap();
        let mut notes = tasks.values().filter(|(of, _)| of == name);
        notes
            .next()
            .map(|(_, notes)| notes.clone())
            .unwrap_or_default()
    }

    fn names(&self) -> Vec<String> {
        let tasks = self.0.lock().unwrap();
        let mut names: Vec<_> = tasks.values().map(|(name, _)| name.clone()).collect();
        names.sort_unstable();
        names
    }
}

impl Hooks for Notes {
    fn spawned(&self, id: TaskId, meta: &TaskMeta) {
        let name = meta.name().unwrap_or_default().to_owned();
        let former = self.0.lock().unwrap().insert(id, (name, Vec::new()));
        assert!(former.is_none());
    }

    fn polling(&self, id: TaskId) {
        self.note(id, "polling");
    }

    fn polled(&self, id: TaskId) {
        self.note(id, "polled");
    }

    fn woken(&self, id: TaskId) {
        self.note(id, "woken");
    }

    fn ended(&self, id: TaskId, how: Ended) {
        self.note(id, format!("{how:?}"));
    }
}

/// It is woken within its poll, and queued after it.
const YIELDS: [&str; 6] = [
    "polling", "polled", "woken", "polling", "polled", "Returned",
];

fn builders() -> [Builder; 3] {
    [
        Runtime::builder().current_thread(),
        Runtime::builder().workers(1),
        Runtime::builder().workers(2),
    ]
}

fn named(name: &'static str) -> TaskMeta {
    TaskMeta::here().named(name)
}

#[test]
fn hooks_are_told_of_local_tasks_and_of_the_workers_but_not_of_the_runtimes_own() {
    for (builder, limit) in builders()
        .into_iter()
        .zip([None, Some(Duration::MAX), None])
    {
        let notes = Arc::new(Notes::default());
        let builder = builder.hooks(notes.clone()).slow_polls(limit);
        let mut runtime = builder.clone().build().unwrap();
        runtime
            .run(async {
                try_spawn(named("yields"), yield_now())
                    .unwrap()
                    .await
                    .unwrap();
                spawn_local(async {}).await.unwrap();
                let stopped = try_spawn(named("stopped"), pending::<()>()).unwrap();
                stopped.cancel(Cause::requested("stop")).await.unwrap_err();
                let panics = try_spawn(named("panics"), async { panic!("as it must") });
                panics.unwrap().await.unwrap_err();
            })
            .unwrap();
        let mut left = None;
        runtime
            .run(async { left = try_spawn(named("left"), pending::<()>()).ok() })
            .unwrap();
        runtime.shutdown().unwrap();
        drop(left);
        assert_eq!(notes.names(), ["", "left", "panics", "stopped", "yields"]);
        assert_eq!(notes.of("yields"), YIELDS);
        assert_eq!(notes.of(""), ["polling", "polled", "Returned"]);
        assert_eq!(notes.of("panics"), ["polling", "polled", "Panicked"]);
        for cut in ["stopped", "left"] {
            assert_eq!(notes.of(cut).last().unwrap(), "Cancelled", "{cut}");
        }
    }
}

#[test]
fn slow_polls_are_reported_beside_hooks_and_whatever_those_do() {
    /// Panics wherever it is told something.
    struct Panics(Notes);
    impl Hooks for Panics {
        fn spawned(&self, id: TaskId, meta: &TaskMeta) {
            self.0.spawned(id, meta);
            panic!("spawned");
        }
        fn polling(&self, id: TaskId) {
            self.0.polling(id);
            panic!("polling");
        }
        fn polled(&self, id: TaskId) {
            self.0.polled(id);
            panic!("polled");
        }
        fn ended(&self, id: TaskId, how: Ended) {
            self.0.ended(id, how);
            panic!("ended");
        }
    }
    let slow = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&slow);
    set_hook(Some(Arc::new(move |report: &Report| {
        if let Report::SlowPoll {
            task: Some(task), ..
        } = report
        {
            sink.lock()
                .unwrap()
                .push(task.name().unwrap_or_default().to_owned());
        }
    })));
    // Of this test's tasks: what the others run meanwhile is reported here too.
    let take = |name: &str| {
        let mut slow = slow.lock().unwrap();
        let before = slow.len();
        slow.retain(|of| of != name);
        before - slow.len()
    };
    // The clock moves within each poll.
    let tick = || {
        let began = Instant::now();
        while began.elapsed().is_zero() {}
    };
    let twice = || async {
        let polled_twice = async move {
            tick();
            yield_now().await;
            tick();
        };
        let task = try_spawn(named("twice"), polled_twice);
        task.unwrap().await.unwrap();
    };
    for builder in builders() {
        let hooks = Arc::new(Panics(Notes::default()));
        // Every poll is too slow.
        let builder = builder.slow_polls(Duration::ZERO);
        let mut runtime = builder.clone().hooks(hooks.clone()).build().unwrap();
        runtime.run(twice()).unwrap();
        drop(runtime);
        assert_eq!(take("twice"), 2);
        assert_eq!(
            hooks.0.of("twice"),
            ["polling", "polled", "polling", "polled", "Returned"]
        );

        let notes = Arc::new(Notes::default());
        let builder = builder.slow_polls(None).hooks(hooks).hooks(notes.clone());
        let mut runtime = builder.build().unwrap();
        runtime.run(twice()).unwrap();
        drop(runtime);
        assert_eq!(take("twice"), 0);
        assert_eq!(
            notes.of("twice").last().unwrap(),
            "Returned",
            "the last that was named"
        );
    }
    set_hook(None);
}
