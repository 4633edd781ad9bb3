//! How well hosts reach each other.

use std::ops::RangeInclusive;
use std::time::Duration;

/// How what is sent from one host to another gets there.
///
/// To begin with everything arrives, after one millisecond.
///
/// | | of a stream | of datagrams |
/// | --- | --- | --- |
/// | [`latency`](Self::latency) | each segment takes as long; order is kept | each takes as long by itself, so one may overtake another |
/// | [`loss`](Self::loss) | a segment that is lost is sent again, and holds up what comes after it; the connection times out if it is lost 16 times | it is gone |
/// | [`bandwidth`](Self::bandwidth) | they share the line in one direction | they share it too |
/// | [`buffer`](Self::buffer) | a writer waits while so much was not read | what would be too much is gone |
///
/// # Examples
///
/// A bad radio link:
///
/// ```
/// use pirn_sim::net::Conditions;
/// use std::time::Duration;
///
/// let ms = Duration::from_millis;
/// let radio = Conditions::new().latency(ms(20)..=ms(300)).loss(0.05).bandwidth(100_000);
/// assert_ne!(radio, Conditions::new());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Conditions {
    pub(super) latency: RangeInclusive<Duration>,
    pub(super) loss: f64,
    pub(super) retransmission: Duration,
    pub(super) bandwidth: Option<u64>,
    pub(super) buffer: usize,
    pub(super) segment: usize,
    pub(super) patience: Duration,
}

impl Default for Conditions {
    fn default() -> Self {
        Conditions::new()
    }
}

impl Conditions {
    /// A millisecond from host to host, and nothing lost.
    pub fn new() -> Self {
        let latency = Duration::from_millis(1);
        Conditions {
            latency: latency..=latency,
            loss: 0.0,
            retransmission: Duration::from_millis(200),
            bandwidth: None,
            buffer: 64 * 1024,
            segment: 1460,
            patience: Duration::from_secs(30),
        }
    }

    /// How long it takes, in one direction: any duration of the range, by the network's seed.
    ///
    /// # Panics
    ///
    /// If the range is empty.
    #[must_use]
    #[track_caller]
    pub fn latency(self, latency: RangeInclusive<Duration>) -> Self {
        assert!(!latency.is_empty(), "the range {latency:?} has no latency");
        Conditions { latency, ..self }
    }

    /// What part is lost, from 0 to 1.
    ///
    /// A segment of a stream is sent again up to 15 times, as under Linux (`net.ipv4.tcp_retries2`). If
    /// that was in vain, the connection is given up: 924.6 s after the first try, with the
    /// [retransmission](Self::retransmission) that there is at first. Who sent it finds
    /// [`TimedOut`](std::io::ErrorKind::TimedOut) then, as it writes, and as it reads what had not arrived
    /// by then. The other side is not told: it learns of it by a reset, when it sends something itself,
    /// and one that only reads waits for ever. At a loss of a half that happens to one segment in 65,536,
    /// at nine tenths to nearly one in five.
    ///
    /// # Panics
    ///
    /// If it is not from 0 to 1, or 1: to lose everything, part the hosts.
    #[must_use]
    #[track_caller]
    pub fn loss(self, loss: f64) -> Self {
        assert!(
            (0.0..1.0).contains(&loss),
            "a loss of {loss} is not from 0 up to 1"
        );
        Conditions { loss, ..self }
    }

    /// After what time a segment of a stream that was lost is sent again; after twice as long if it is
    /// lost again, and so on, up to two minutes (Linux's `TCP_RTO_MAX`). At first 200 ms.
    #[must_use]
    pub fn retransmission(self, retransmission: Duration) -> Self {
        Conditions {
            retransmission,
            ..self
        }
    }

    /// How many bytes a second go over the line in one direction.
    ///
    /// # Panics
    ///
    /// If it is 0: to let nothing through, part the hosts.
    #[must_use]
    #[track_caller]
    pub fn bandwidth(self, bytes_per_second: u64) -> Self {
        assert!(bytes_per_second > 0, "a line for 0 bytes a second is none");
        Conditions {
            bandwidth: Some(bytes_per_second),
            ..self
        }
    }

    /// How many bytes of a stream, or for a socket of datagrams, may have been sent and not read. At
    /// first 64 KiB.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn buffer(self, bytes: usize) -> Self {
        assert!(bytes > 0, "nothing goes through a buffer of 0 bytes");
        Conditions {
            buffer: bytes,
            ..self
        }
    }

    /// How many bytes of a stream travel together, at most. At first 1460.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn segment(self, bytes: usize) -> Self {
        assert!(bytes > 0, "nothing travels in segments of 0 bytes");
        Conditions {
            segment: bytes,
            ..self
        }
    }

    /// How long one who connects waits for an answer. At first 30 s.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Conditions { patience, ..self }
    }
}
