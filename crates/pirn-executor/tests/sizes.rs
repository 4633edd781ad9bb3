//! Tasks of all sizes and alignments: each future, and each output, lies where its type asks to be, and
//! in memory that is nobody else's.

use pirn_executor::{LocalExecutor, PoolExecutor, PoolHandle, Task, Worker};
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// As many bytes, all the same, where `A` asks to be.
struct Filled<A, const N: usize> {
    place: [A; 0],
    bytes: [u8; N],
}

impl<A, const N: usize> Filled<A, N> {
    fn new(byte: u8) -> Self {
        let bytes = [byte; N];
        Filled { place: [], bytes }
    }

    fn check(&self, byte: u8) {
        assert!(std::ptr::from_ref(self).is_aligned());
        assert!(self.place.as_ptr().is_aligned());
        assert!(self.bytes.iter().all(|&is| is == byte));
    }
}

/// Is pending once, and then gives an output of another size. The task checks both.
struct Probe<A, B, const N: usize, const M: usize> {
    state: Filled<A, N>,
    byte: u8,
    polled: bool,
    output: PhantomData<fn() -> Filled<B, M>>,
}

impl<A: Unpin, B, const N: usize, const M: usize> Future for Probe<A, B, N, M> {
    type Output = Filled<B, M>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.state.check(self.byte);
        if !std::mem::replace(&mut self.polled, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Filled::new(!self.byte))
    }
}

impl<A, B, const N: usize, const M: usize> Drop for Probe<A, B, N, M> {
    fn drop(&mut self) {
        self.state.check(self.byte);
    }
}

trait Spawns {
    fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future<Output: Send> + Send + 'static;
    fn turn(&mut self) -> bool;
}

impl Spawns for LocalExecutor {
    fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        LocalExecutor::spawn(self, future)
    }

    fn turn(&mut self) -> bool {
        self.try_tick()
    }
}

struct OnPool(PoolHandle, Worker);

impl Spawns for OnPool {
    fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.0.spawn(future)
    }

    fn turn(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.1.poll_tick(&mut cx).is_ready()
    }
}

/// Runs some tasks of one type among each other: one is dropped before it ran, one after its first
/// poll, one after its end; the others are awaited.
fn try_type<A, B, const N: usize, const M: usize>(executor: &mut impl Spawns)
where
    A: Send + Sync + Unpin + 'static,
    B: Send + Sync + 'static,
{
    let mut tasks: Vec<_> = (0..7_u8)
        .map(|i| {
            let byte = (N as u8).wrapping_mul(31).wrapping_add(i);
            let probe = Probe::<A, B, N, M> {
                state: Filled::new(byte),
                byte,
                polled: false,
                output: PhantomData,
            };
            (byte, executor.spawn(probe))
        })
        .collect();
    drop(tasks.swap_remove(1));
    executor.turn();
    drop(tasks.swap_remove(2));
    while executor.turn() {}
    drop(tasks.swap_remove(3));
    for (byte, mut task) in tasks {
        let mut cx = Context::from_waker(Waker::noop());
        match Pin::new(&mut task).poll(&mut cx) {
            Poll::Ready(Ok(output)) => output.check(!byte),
            Poll::Ready(Err(error)) => panic!("{error}"),
            Poll::Pending => panic!("it has ended"),
        }
    }
    while executor.turn() {}
}

macro_rules! align {
    ($($name:ident = $to:literal),*) => { $(
        #[repr(align($to))]
        struct $name;
    )* };
}

align!(
    A1 = 1,
    A2 = 2,
    A4 = 4,
    A8 = 8,
    A16 = 16,
    A32 = 32,
    A64 = 64,
    A128 = 128,
    A256 = 256,
    A4096 = 4096
);

macro_rules! sizes {
    ($executor:expr, $future:ty, $output:ty: $($n:literal -> $m:literal),*) => { $(
        try_type::<$future, $output, $n, $m>($executor);
    )* };
}

/// Twice, so that in the second round the slots are used again.
fn twice<E: Spawns>(mut executor: E, types: impl Fn(&mut E)) {
    (0..2).for_each(|_| types(&mut executor));
}

#[test]
fn tasks_of_all_sizes_lie_in_memory_of_their_own() {
    twice(LocalExecutor::new(), |executor| {
        sizes!(executor, A1, A1: 0 -> 0, 0 -> 1, 1 -> 0, 2 -> 3, 5 -> 4, 7 -> 9, 8 -> 40, 10 -> 11,
            12 -> 15, 14 -> 17, 15 -> 31, 16 -> 33, 23 -> 0, 41 -> 200, 255 -> 1001, 2000 -> 1);
    });
}

#[test]
fn tasks_about_the_size_of_the_largest_slot_lie_in_memory_of_their_own() {
    twice(LocalExecutor::new(), |executor| {
        sizes!(executor, A1, A1: 952 -> 0, 960 -> 0, 966 -> 0, 967 -> 1, 968 -> 1, 974 -> 1, 975 -> 1,
            976 -> 1, 982 -> 1, 983 -> 1, 990 -> 1, 1000 -> 1000, 0 -> 968, 0 -> 976, 0 -> 983,
            0 -> 984, 0 -> 991, 0 -> 992, 1 -> 1016, 4000 -> 1, 0 -> 5000, 9000 -> 1);
    });
}

#[test]
fn tasks_of_all_alignments_lie_where_they_ask_to() {
    twice(LocalExecutor::new(), |executor| {
        sizes!(executor, A4, A8: 4 -> 12);
        sizes!(executor, A8, A16: 0 -> 0, 8 -> 1, 24 -> 16, 56 -> 80);
        sizes!(executor, A16, A1: 0 -> 0, 16 -> 1, 48 -> 49, 944 -> 0, 960 -> 0);
        sizes!(executor, A32, A2: 0 -> 0, 64 -> 3, 928 -> 0, 960 -> 0);
        sizes!(executor, A64, A32: 0 -> 0, 64 -> 1, 896 -> 0, 960 -> 0);
        sizes!(executor, A1, A64: 0 -> 0, 100 -> 200, 0 -> 896, 0 -> 960);
        sizes!(executor, A128, A1: 0 -> 0, 128 -> 1);
        sizes!(executor, A1, A128: 0 -> 0, 9 -> 3000);
        sizes!(executor, A256, A4096: 0 -> 0, 300 -> 5000);
        sizes!(executor, A4096, A256: 1 -> 1, 5000 -> 300);
    });
}

#[test]
fn a_pool_s_tasks_lie_where_they_ask_to_in_memory_of_their_own() {
    let (executor, mut workers) = PoolExecutor::new(1);
    let pool = OnPool(executor.handle(), workers.pop().unwrap());
    twice(pool, |executor| {
        sizes!(executor, A1, A1: 0 -> 0, 7 -> 9, 976 -> 1, 0 -> 5000);
        sizes!(executor, A64, A16: 64 -> 1);
        sizes!(executor, A1, A128: 9 -> 3000);
    });
}
