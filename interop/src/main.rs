//! Finds the servers that the tests need, and fetches those that are not there.
//!
//! A line for each that cannot be had begins with `absent: `.

#![forbid(unsafe_code)]

use pirn_interop::{Kind, fetch};

fn main() {
    for kind in Kind::ALL {
        let name = kind.program();
        if kind.find().is_none() {
            if let Err(why) = fetch::fetch(kind) {
                println!("absent: {name} ({why})");
                continue;
            }
        }
        if let Some(program) = kind.find() {
            println!("{name}: {}", program.path.display());
        }
    }
}
