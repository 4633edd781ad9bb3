//! What holds where who was spawned first has the first turn: a part of `tests/group.rs` and of
//! `tests/in_task.rs`.

use super::*;

#[test]
fn under_a_limit_children_start_in_order() {
    let (hand, log) = (Hand::default(), Log::default());
    let ended: Never<_> = hand.finish(on(&hand).limit(3).run(async |g| {
        for i in 0..10 {
            let log = log.clone();
            g.spawn(async move {
                log.say(i.to_string());
                for _ in 0..i % 4 {
                    yield_now().await;
                }
                Ok(())
            });
        }
        Ok(())
    }));
    assert!(ended.is_ok());
    assert_eq!(
        log.said(),
        ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
    );
}
