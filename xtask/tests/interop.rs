//! What `cargo xtask interop` makes of the servers that it is told of.

use xtask::interop::absent;

#[test]
fn servers_that_cannot_be_had_are_found_with_their_reasons() {
    let said = "nats-server: /usr/sbin/nats-server\nabsent: postgres (apt-get: no network)\n";
    assert_eq!(absent(said), ["postgres (apt-get: no network)"]);
    assert!(absent("nats-server: /usr/sbin/nats-server\n").is_empty());
}
