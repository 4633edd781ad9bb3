//! The call of an async function does nothing without an `.await`.

#![deny(unused_must_use)]

async fn greet() -> usize {
    5
}

fn main() {
    pirn::run(async {
        greet();
    });
}
