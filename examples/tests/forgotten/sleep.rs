//! Nor do our own futures.

#![deny(unused_must_use)]

use std::time::Duration;

fn main() {
    let second = Duration::from_secs(1);
    pirn::run(async {
        pirn::sleep(second);
        pirn::timeout(second, async {});
        pirn::gather_results([async {}]);
    });
}
