//! A user's code over pirn-sync and pirn-group, and models of it.

use pirn_core::Spawn;
use pirn_group::{GroupBuilder, GroupError};
use pirn_sync::Lock;
use std::sync::Arc;

/// Withdraws if there is enough. With the feature `bug` it looks and takes under two locks.
pub async fn withdraw(account: &Lock<u32>, amount: u32) -> bool {
    if cfg!(feature = "bug") {
        if *account.lock().await < amount {
            return false;
        }
        *account.lock().await -= amount;
        return true;
    }
    let mut balance = account.lock().await;
    let enough = *balance >= amount;
    if enough {
        *balance -= amount;
    }
    enough
}

/// What is left after a child of a group has withdrawn something, and its parent as well.
///
/// # Errors
///
/// What became of the child if it did not end.
pub async fn left_by_two<S>(spawner: S, account: Arc<Lock<u32>>) -> Result<u32, GroupError<u32>>
where
    S: Spawn + Clone + 'static,
{
    let shared = Arc::clone(&account);
    let ended = GroupBuilder::on(spawner).run(async move |group| {
        let theirs = Arc::clone(&shared);
        group.spawn(async move {
            withdraw(&theirs, 3).await;
            Ok(())
        });
        withdraw(&shared, 4).await;
        Ok(())
    });
    ended.await?;
    Ok(*account.lock().await)
}

#[cfg(all(test, loom, feature = "loom"))]
mod models {
    use super::*;
    use loom::{future::block_on, thread};
    use pirn_core::{Refused, TaskMeta};

    /// A thread of the model for each task.
    #[derive(Clone)]
    struct Threads;

    impl Spawn for Threads {
        fn spawn<F>(&self, _: TaskMeta, f: F) -> Result<(), Refused<F>>
        where
            F: Future<Output = ()> + Send + 'static,
        {
            thread::spawn(move || block_on(f));
            Ok(())
        }
    }

    #[test]
    fn a_group_ends_after_what_its_child_withdrew() {
        loom::model(|| {
            let account = Arc::new(Lock::new(10));
            assert!(matches!(block_on(left_by_two(Threads, account)), Ok(3)));
        });
    }

    #[test]
    fn no_more_is_withdrawn_than_there_was() {
        loom::model(|| {
            let account = loom::sync::Arc::new(Lock::new(10));
            let other = loom::sync::Arc::clone(&account);
            let elsewhere = thread::spawn(move || block_on(withdraw(&other, 10)));
            let here = block_on(withdraw(&account, 10));
            let elsewhere = elsewhere.join().unwrap();
            assert!(here ^ elsewhere, "exactly one of the two has it");
        });
    }
}
