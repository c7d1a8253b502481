//! How a request ended, for metrics and traces; what that means for its letters is [`super::ErrorKind`]'s business.

use std::fmt;

use super::{SendError, SendResult};

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmission {
    /// How it ended.
    pub status: Status,
    /// One per message, in the order of the batch.
    pub results: Vec<SendResult>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// The provider's HTTP status, or the mail server's reply code.
    Reply(u16),
    /// No answer in time.
    Timeout,
    /// No connection was made: DNS, TCP or TLS.
    Connect,
    /// The provider's certificate is not trusted.
    Certificate,
    /// The connection broke before the answer came.
    Broken,
    /// It could not be written, so nothing left.
    Unsent,
    /// The console showed it.
    Printed,
}

impl Status {
    /// The code, where there is one.
    pub fn code(self) -> Option<u16> {
        match self {
            Self::Reply(code) => Some(code),
            _ => None,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reply(code) => return code.fmt(f),
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Certificate => "certificate",
            Self::Broken => "broken",
            Self::Unsent => "unsent",
            Self::Printed => "printed",
        })
    }
}

/// A request, or a letter, that was not accepted: what it means and how it ended.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) status: Status,
    pub(super) error: SendError,
}

impl Failed {
    /// Nothing was transmitted.
    pub(super) fn unsent(error: SendError) -> Self {
        Self {
            status: Status::Unsent,
            error,
        }
    }

    /// The same for every message of a request.
    pub(super) fn of_all(self, messages: usize) -> Transmission {
        Transmission {
            status: self.status,
            results: vec![Err(self.error); messages],
        }
    }
}
