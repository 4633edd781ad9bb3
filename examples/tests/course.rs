//! The course's programs under virtual time: what each says, in order, and when.
//!
//! In each program one line ends in `// the line`: what it is about. `cargo xtask course` takes these
//! lines away, and every test here must fail then.

#[path = "course/basics.rs"]
mod basics;
#[path = "course/cancel.rs"]
mod cancel;
#[path = "course/groups.rs"]
mod groups;
#[path = "course/http.rs"]
mod http;
#[path = "course/io.rs"]
mod io;
#[path = "course/streams.rs"]
mod streams;
#[path = "course/sync.rs"]
mod sync;
#[path = "course/tasks.rs"]
mod tasks;
#[path = "course/threads.rs"]
mod threads;
