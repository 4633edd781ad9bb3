//! 41: a pool of processes, for what may crash.
//!
//! asyncio runs a function in a `ProcessPoolExecutor` because of its global lock. Here a thread does
//! that, and a process is for code that must not take the program with it. A worker is this program,
//! started once more: `serve` sees that it is one, and does not return. A crash breaks Python's whole
//! pool; here it fails its own job alone.
//!
//! ```sh
//! cargo run --release --example 41_processes
//! ```

#[cfg(unix)]
fn main() {
    use pirn::process_pool::{Job, ProcessPool, serve};
    use pirn_examples::say;

    const SQUARE: Job<u64, u64> = Job::new("square", |n| n * n);
    const CRASH: Job<(), ()> = Job::new("crash", |()| std::process::abort());

    serve(&[&SQUARE, &CRASH]); // the line
    pirn::run(async {
        let pool = ProcessPool::new(2);
        let squares = [7, 8, 9].map(|n| {
            let pool = &pool;
            async move { pool.call(&SQUARE, &n).await }
        });
        match pirn::gather(squares).await {
            Ok(squares) => say(format!("{squares:?}")),
            Err(error) => return say(error),
        }
        if let Err(error) = pool.call(&CRASH, &()).await {
            say(error);
        }
        match pool.call(&SQUARE, &10).await {
            Ok(square) => say(format!("and on it goes: {square}")),
            Err(error) => say(error),
        }
    });
}

#[cfg(not(unix))]
fn main() {
    pirn_examples::say("the process pool is for Unix");
}
