//! A program whose thread belongs to a user interface, with pirn as its guest.
//!
//! The interface is a toy, but its loop is as those of real ones: it owns the thread, hands out
//! events one by one, draws a frame when its clock ticks, and takes events from other threads by a
//! proxy. pirn posts it one kind of event, "take a step".
//!
//! ```sh
//! cargo run --example guest
//! ```

mod toy {
    //! The interface: a title, a line of text, a button.

    use std::cell::RefCell;
    use std::rc::Rc;
    use std::sync::mpsc::{self, RecvTimeoutError, Sender};
    use std::time::{Duration, Instant};

    pub(super) enum Event {
        /// The button was pressed.
        Click,
        /// It is time to draw.
        Frame,
        /// What a [`Proxy`] sent.
        Wake,
    }

    /// Sends the loop events, from any thread.
    #[derive(Clone)]
    pub(super) struct Proxy(Sender<Event>);

    impl Proxy {
        pub(super) fn wake(&self) {
            // The loop may have ended.
            let _ = self.0.send(Event::Wake);
        }

        pub(super) fn click(&self) {
            let _ = self.0.send(Event::Click);
        }
    }

    /// What is seen. It stays on the loop's thread, as windows do.
    #[derive(Clone, Default)]
    pub(super) struct Window(Rc<RefCell<(String, bool)>>);

    impl Window {
        pub(super) fn show(&self, text: impl Into<String>) {
            *self.0.borrow_mut() = (text.into(), true);
        }

        /// Draws what has changed.
        pub(super) fn draw(&self) {
            let (text, changed) = &mut *self.0.borrow_mut();
            if std::mem::take(changed) {
                println!("[ {text} ]");
            }
        }
    }

    /// Hands out events until `handle` says that it is enough.
    pub(super) fn run(make: impl FnOnce(Proxy) -> Box<dyn FnMut(Event) -> bool>) {
        const FRAME: Duration = Duration::from_millis(16);
        let (sender, events) = mpsc::channel();
        let mut handle = make(Proxy(sender));
        let mut next_frame = Instant::now() + FRAME;
        loop {
            let left = next_frame.saturating_duration_since(Instant::now());
            let event = match left.is_zero() {
                true => Err(RecvTimeoutError::Timeout),
                false => events.recv_timeout(left),
            };
            let event = match event {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => {
                    next_frame = Instant::now() + FRAME;
                    Event::Frame
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if !handle(event) {
                return;
            }
        }
    }
}

use pirn::sync::Event as Signal;
use pirn::{Guest, Runtime, TaskGroup, group, sleep, spawn, to_thread};
use std::io;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use toy::{Event, Proxy, Window};

/// The program: it touches the window, waits for the button, and starts work elsewhere.
async fn program(window: Window, clicked: Rc<Signal>, proxy: Proxy) -> u32 {
    window.show("press the button");
    // Somebody presses it in a while.
    spawn(async move {
        sleep(Duration::from_millis(40)).await;
        proxy.click();
    })
    .detach();
    clicked.wait().await;

    window.show("counting");
    let counted = group(async |g: TaskGroup<io::Error>| {
        let parts: Vec<_> = (0..3_u32)
            .map(|n| {
                g.spawn(async move {
                    sleep(Duration::from_millis(30)).await;
                    Ok(to_thread(move || n * 10).await.unwrap_or(0))
                })
            })
            .collect();
        let mut sum = 0;
        for (done, part) in parts.into_iter().enumerate() {
            sum += part.await.unwrap_or(0);
            window.show(format!("{} of 3: {sum}", done + 1));
        }
        Ok(sum)
    });
    let sum = counted.await.unwrap_or(0);
    window.show(format!("the sum is {sum}"));
    // One frame more, so that it is seen.
    sleep(Duration::from_millis(20)).await;
    sum
}

fn main() -> io::Result<()> {
    let runtime = Runtime::builder().current_thread().build()?;
    let mut failed = None;
    toy::run(|proxy| {
        let (window, clicked) = (Window::default(), Rc::new(Signal::new()));
        let waking = proxy.clone();
        let main = program(window.clone(), Rc::clone(&clicked), proxy);
        let guest = Guest::new(runtime, main, move || waking.wake());
        let mut guest = match guest {
            Ok(guest) => guest,
            Err(error) => {
                failed = Some(error);
                return Box::new(|_| false);
            }
        };
        Box::new(move |event| {
            match event {
                Event::Click => clicked.set(),
                Event::Frame => window.draw(),
                Event::Wake => {
                    if let Poll::Ready(ended) = guest.step() {
                        println!("ended: {ended:?}");
                        return false;
                    }
                }
            }
            true
        })
    });
    failed.map_or(Ok(()), Err)
}
