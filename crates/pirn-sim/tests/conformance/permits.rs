//! Semaphores and limiters.

use super::*;
use pirn_sync::{Borrower, CapacityLimiter, Closed, LimiterToken, OwnedPermit, Permit, Semaphore};
use std::sync::Arc;

struct BySemaphore {
    semaphore: Arc<Semaphore>,
    wants: fn(usize) -> usize,
}

impl BySemaphore {
    /// With so many permits, all of them out.
    fn of(permits: usize, wants: fn(usize) -> usize) -> Self {
        let semaphore = Arc::new(Semaphore::new(permits));
        semaphore.try_acquire_many(permits).unwrap().forget();
        BySemaphore { semaphore, wants }
    }
}

impl Subject for BySemaphore {
    type Held<'a> = Result<Permit<'a>, Closed>;

    async fn wait(&self, who: usize) -> Result<Permit<'_>, Closed> {
        let permits = (self.wants)(who);
        self.semaphore.acquire_many(permits).await
    }

    fn close(&self) {
        self.semaphore.close();
    }

    fn is_end(&self, held: &Result<Permit<'_>, Closed>) -> bool {
        held.is_err()
    }

    fn serve(&self, _: usize) {
        self.semaphore.release(1).unwrap();
    }

    fn left(&self) -> Option<usize> {
        Some(self.semaphore.available())
    }
}

struct BySemaphoreOwned(BySemaphore);

impl Subject for BySemaphoreOwned {
    type Held<'a> = OwnedPermit;

    async fn wait(&self, who: usize) -> OwnedPermit {
        match (self.0.wants)(who) {
            1 => self.0.semaphore.acquire_owned().await.unwrap(),
            permits => self.0.semaphore.acquire_many_owned(permits).await.unwrap(),
        }
    }

    fn serve(&self, number: usize) {
        self.0.serve(number);
    }

    fn left(&self) -> Option<usize> {
        self.0.left()
    }
}

/// Two, one, three, and again.
fn sizes(who: usize) -> usize {
    [2, 1, 3][who % 3]
}

/// One, two, one, two.
fn small_first(who: usize) -> usize {
    1 + who % 2
}

/// Three, and then one each: as the first leaves, two can be served.
fn large_first(who: usize) -> usize {
    if who == 0 { 3 } else { 1 }
}

#[test]
fn a_permit_goes_on_whoever_is_cancelled() {
    for permits in [1, 2] {
        let make = || BySemaphore::of(permits, |_| 1);
        examine("Semaphore::acquire", Rules::permits(permits), make);
    }
}

#[test]
fn permits_for_requests_of_several_sizes_go_on_whoever_is_cancelled() {
    let rules = Rules::permits(3);
    let make = || BySemaphore::of(3, sizes);
    examine("Semaphore::acquire_many", rules.clone().takes(sizes), make);
    let make = || BySemaphore::of(3, small_first);
    examine(
        "Semaphore::acquire_many",
        rules.clone().takes(small_first),
        make,
    );
    let make = || BySemaphore::of(3, large_first);
    examine("Semaphore::acquire_many", rules.takes(large_first), make);
}

#[test]
fn those_who_wait_at_a_semaphore_hear_of_its_end_whoever_is_cancelled() {
    let rules = Rules::permits(3).takes(sizes).closes();
    examine("Semaphore::close", rules, || BySemaphore::of(3, sizes));
}

#[test]
fn owned_permits_go_on_whoever_is_cancelled() {
    let make = || BySemaphoreOwned(BySemaphore::of(3, sizes));
    let rules = Rules::permits(3).takes(sizes);
    examine("Semaphore::acquire_owned", rules, make);
}

struct ByLimiter(CapacityLimiter, Vec<Borrower>);

impl Subject for ByLimiter {
    type Held<'a> = LimiterToken<'a>;

    async fn wait(&self, who: usize) -> LimiterToken<'_> {
        self.0.acquire_on_behalf_of(self.1[who]).await.unwrap()
    }

    fn serve(&self, _: usize) {
        self.0.set_total(self.0.total() + 1);
    }

    fn left(&self) -> Option<usize> {
        assert_eq!(self.0.statistics().borrowers, []);
        assert_eq!(self.0.waiting(), 0);
        Some(self.0.available())
    }
}

#[test]
fn a_token_of_a_limiter_goes_on_whoever_is_cancelled() {
    let make = || {
        let borrowers = (0..16).map(|_| Borrower::new()).collect();
        ByLimiter(CapacityLimiter::new(0), borrowers)
    };
    let exam = Exam::new("CapacityLimiter", Rules::permits(2));
    exam.run(make).assert();
}
