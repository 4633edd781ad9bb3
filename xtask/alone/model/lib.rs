//! A user's code over pirn-sync, and a model of it.

use pirn_sync::Lock;

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

#[cfg(all(test, loom, feature = "loom"))]
mod models {
    use super::*;
    use loom::{future::block_on, sync::Arc, thread};

    #[test]
    fn no_more_is_withdrawn_than_there_was() {
        loom::model(|| {
            let account = Arc::new(Lock::new(10));
            let other = Arc::clone(&account);
            let elsewhere = thread::spawn(move || block_on(withdraw(&other, 10)));
            let here = block_on(withdraw(&account, 10));
            let elsewhere = elsewhere.join().unwrap();
            assert!(here ^ elsewhere, "exactly one of the two has it");
        });
    }
}
