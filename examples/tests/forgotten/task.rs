//! A task whose handle nobody keeps is cancelled, and the compiler knows.

#![deny(unused_must_use)]

fn main() {
    pirn::run(async {
        pirn::spawn(async {});
    });
}
