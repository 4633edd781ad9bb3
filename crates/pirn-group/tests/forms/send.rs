//! What holds of groups whose children are `Send`: a part of `tests/group.rs`, of `tests/in_task.rs` and
//! of `tests/executors.rs`.

use super::*;

#[test]
fn groups_move_between_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let hand = Hand::default();
    let spawner = hand.clone();
    let group = is_send(on(&hand).run(async move |g| {
        let nested = is_send(on(&spawner).run(async |g| g.spawn(async { Ok(1) }).await));
        g.spawn(async { Ok(()) });
        let start = is_send(g.start(async |started: Started<()>| {
            yield_now().await;
            started.send(()).map_err(|()| "nobody waits")
        }));
        start
            .await
            .map_err(|_| "not started")?
            .1
            .await
            .map_err(|_| "no end")?;
        let values = g.collect();
        values.spawn(async { Ok(()) });
        is_send(values.all()).await.map_err(|_| "not all")?;
        nested.await.map_err(|_| "nested")
    }));
    let boxed: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(group);
    assert_eq!(hand.finish(boxed).unwrap(), 1);
}
