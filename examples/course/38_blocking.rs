//! 38: what blocks its thread stops every other task there, and pirn says who it was.
//!
//! Here `std`'s sleep stands for whatever blocks: a call over the network of a library that is not
//! async, a long computation. asyncio's debug mode logs steps longer than 100 ms; so does pirn in debug
//! builds, by the task's name and place, and in release builds if `slow_polls` is set.
//!
//! ```sh
//! cargo run --release --example 38_blocking
//! ```

use pirn::report::{Report, set_hook};
use pirn::{Runtime, TaskGroup, group};
use pirn_examples::say;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

async fn tick() -> io::Result<()> {
    for _ in 0..3 {
        pirn::sleep(20 * MS).await;
        say("tick");
    }
    Ok(())
}

async fn block() -> io::Result<()> {
    say("blocks");
    thread::sleep(100 * MS); // the line
    say("goes on");
    Ok(())
}

fn hear(report: &Report) {
    if let Report::SlowPoll {
        task: Some(task), ..
    } = report
    {
        say(format!("too long: {}", task.name().unwrap_or("a task")));
    }
}

pub(crate) fn program() {
    let former = set_hook(Some(Arc::new(hear)));
    let runtime = Runtime::builder()
        .current_thread()
        .slow_polls(50 * MS)
        .build();
    let ended = runtime.map(|mut runtime| {
        runtime.run(group(async |g: TaskGroup<io::Error>| {
            g.spawn_named("clock", tick());
            g.spawn_named("blocker", block());
            Ok(())
        }))
    });
    say(format!("all well: {}", matches!(ended, Ok(Ok(Ok(()))))));
    set_hook(former);
}

fn main() {
    program();
}
