//! Signals. One test for each: a signal goes to the whole process.
#![cfg(all(not(loom), unix))]

mod util;

use futures::StreamExt;
use pirn_io::signal::{Signal, signal};
use pirn_io::{Handle, ctrl_c};
use signal_hook::consts::SIGINT;
use signal_hook::low_level::raise;
use std::pin::pin;
use std::task::Context;
use util::{Count, everywhere, on_own_reactor};

#[test]
fn each_listener_sees_each_ctrl_c_and_may_wait_again() {
    everywhere(|| async {
        let (mut one, mut two) = (ctrl_c(), ctrl_c());
        for _ in 0..3 {
            let (_, waker) = Count::new();
            let mut cx = Context::from_waker(&waker);
            assert!(pin!(&mut one).poll(&mut cx).is_pending());
            raise(SIGINT).unwrap();
            raise(SIGINT).unwrap(); // the same interruption
            (&mut one).await.unwrap();
            (&mut two).await.unwrap();
        }
    });
    on_own_reactor(async {
        let reactor = Handle::current().unwrap();
        let dropped = ctrl_c();
        assert_eq!(reactor.sources(), 1);
        drop(dropped);
        assert_eq!(reactor.sources(), 0);
        raise(SIGINT).unwrap(); // does nothing any more, and does not end the program
        let mut late = ctrl_c();
        let (_, waker) = Count::new();
        assert!(
            pin!(&mut late)
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        raise(SIGINT).unwrap();
        late.await.unwrap();
    });
}

#[test]
fn other_signals_are_told_apart() {
    everywhere(|| async {
        let (mut one, mut two) = (signal(Signal::USER1), signal(Signal::USER2));
        raise(Signal::USER2.number()).unwrap();
        assert!(two.next().await.unwrap().is_ok());
        let (_, waker) = Count::new();
        let mut cx = Context::from_waker(&waker);
        assert!(pin!(&mut one).poll(&mut cx).is_pending());
        raise(Signal::USER1.number()).unwrap();
        one.await.unwrap();
    });
}

#[test]
fn what_cannot_be_waited_for_is_said_so() {
    everywhere(|| async {
        let error = signal(Signal::KILL).await.unwrap_err();
        assert_eq!(error.to_string(), "SIGKILL cannot be waited for");
        assert!(signal(Signal::new(-3)).await.is_err());
    });
}

#[test]
fn in_a_simulation_there_are_none() {
    let mut handles = pirn_core::context::Handles::default();
    handles.no_system = Some("use a stand-in");
    let _entered = std::rc::Rc::new(handles).enter();
    let error = pirn_core::shim::block_on(signal(Signal::USER1)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
    assert_eq!(error.to_string(), "there is no signal here: use a stand-in");
}
