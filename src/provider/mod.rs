//! Email providers behind one trait, whose errors use the words a retry loop needs.
//!
//! A provider turns a [`Batch`] into one HTTP request ([`Provider::encode`], deterministic, so that what is sent again
//! after a crash is byte for byte the same) and transmits it ([`Provider::send`]), answering one [`SendResult`] per message.
//!
//! | module | job |
//! |---|---|
//! | [`resend`], [`postmark`] | the bytes of a request, and what each answer means |
//! | [`smtp`] | letters to a mail server, one at a time |
//! | [`console`] | prints letters, sends nothing |
//! | `http` | one transmission: time-outs, redirects, and how far a failed one got |
//! | `redact` | keeps keys and addresses out of what is recorded |
//! | `status` | how a request ended, for metrics and traces |

pub mod console;
mod http;
mod kind;
mod message;
pub mod postmark;
pub(crate) mod redact;
pub mod resend;
mod send_result;
pub mod smtp;
mod status;
mod transport;

use std::sync::Arc;

pub(crate) use http::{client, root_cause};
pub use kind::{ProviderConfig, ProviderKind, SetupError, UnknownProvider};
pub use message::{Batch, Message, Request};
pub use send_result::{Accepted, ErrorKind, SendError, SendResult};
pub use status::{Status, Transmission};
pub use transport::{Found, Provider, Recovery, Search, Searching, Sending};

/// The provider of a kind, ready to send.
///
/// # Errors
/// When the key or the base URL cannot be used, or TLS cannot be set up; never by calling the provider.
pub fn from_config(
    kind: ProviderKind,
    config: &ProviderConfig,
) -> Result<Arc<dyn Provider>, SetupError> {
    Ok(match kind {
        ProviderKind::Resend => Arc::new(resend::Resend::new(config)?),
        ProviderKind::Postmark => Arc::new(postmark::Postmark::new(config)?),
        ProviderKind::Smtp => Arc::new(smtp::Smtp::new(config)?),
        ProviderKind::Console => Arc::new(console::Console::new(config)),
    })
}

#[cfg(test)]
mod samples;
