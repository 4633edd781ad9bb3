//! A network in memory, whose hosts follow a script.

use futures::{AsyncRead, AsyncWrite};
use pirn_http::{Connect, Connecting, Transport};
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// What a host does when it has got the head of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Reply(&'static str),
    /// Hangs up, without a word.
    Close,
    /// Says nothing, and stays.
    Stall,
}

/// Connections, each with what it does request after request; the last act is repeated.
#[derive(Clone, Default)]
pub(crate) struct Script(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    connections: VecDeque<Vec<Act>>,
    log: Log,
    /// What is said beside the script, to whoever reads next.
    said: VecDeque<u8>,
    listener: Option<Waker>,
}

/// What happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    /// `host:port` of each connection that was opened.
    pub(crate) opened: Vec<String>,
    pub(crate) closed: usize,
    /// The heads of the requests.
    pub(crate) requests: Vec<String>,
}

impl Script {
    pub(crate) fn new(connections: impl IntoIterator<Item = Vec<Act>>) -> Script {
        let script = Script::default();
        script.0.lock().unwrap().connections = connections.into_iter().collect();
        script
    }

    /// Says something to whoever listens.
    pub(crate) fn say(&self, text: &str) {
        let mut state = self.0.lock().unwrap();
        state.said.extend(text.as_bytes());
        if let Some(listener) = state.listener.take() {
            listener.wake();
        }
    }

    /// What was opened since the last call.
    pub(crate) fn take_opened(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().log.opened)
    }

    pub(crate) fn log(&self) -> Log {
        self.0.lock().unwrap().log.clone()
    }
}

impl Connect for Script {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> Connecting<'a> {
        Box::pin(async move {
            let mut state = self.0.lock().unwrap();
            state.log.opened.push(format!("{host}:{port}"));
            let acts = state.connections.pop_front();
            let acts = acts.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            drop(state);
            Ok(Box::new(Line {
                script: self.clone(),
                acts: acts.into(),
                heard: Vec::new(),
                to_say: VecDeque::new(),
                hung_up: false,
                reader: None,
            }) as Box<dyn Transport>)
        })
    }
}

struct Line {
    script: Script,
    acts: VecDeque<Act>,
    heard: Vec<u8>,
    to_say: VecDeque<u8>,
    hung_up: bool,
    reader: Option<Waker>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.script.0.lock().unwrap().log.closed += 1;
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.to_say.is_empty() && !self.hung_up {
            self.reader = Some(cx.waker().clone());
            let mut state = self.script.0.lock().unwrap();
            if !state.said.is_empty() {
                return Poll::Ready(io::Read::read(&mut state.said, buf));
            }
            state.listener = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(io::Read::read(&mut self.to_say, buf))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.hung_up {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.heard.extend_from_slice(buf);
        let end = self.heard.windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = end else {
            return Poll::Ready(Ok(buf.len()));
        };
        let head = String::from_utf8_lossy(&self.heard[..end]).into_owned();
        self.heard.clear();
        self.script.0.lock().unwrap().log.requests.push(head);
        let act = match self.acts.len() {
            1 => self.acts[0],
            _ => self.acts.pop_front().unwrap(),
        };
        match act {
            Act::Reply(text) => self.to_say.extend(text.as_bytes()),
            Act::Close => self.hung_up = true,
            Act::Stall => {}
        }
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
