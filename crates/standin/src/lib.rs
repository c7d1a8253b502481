//! A stand-in for the Resend and Postmark APIs, with an inbox page where a person reads what arrived.
//!
//! Both providers answer on one loopback listener and are told apart by path; state is in memory, the clock is virtual,
//! and faults strike on demand. What the real providers do is written down in docs/sandbox.md, with the control API.
//!
//! | module | job |
//! |---|---|
//! | `server` | from the socket to the stand-ins and back, with the faults in between |
//! | `resend`, `resend_send`, `resend_email`, `resend_read`, `idempotency` | the Resend side |
//! | `postmark`, `postmark_email`, `postmark_search` | the Postmark side |
//! | [`ledger`] | what was accepted: the truth that tests of "exactly once" ask |
//! | [`fault`], [`settings`] | what tests can change |
//! | `webhook`, `webhook_queue`, `webhook_send`, `webhook_control` | what happens to messages afterwards, told as the providers tell it |
//! | `control` | the same over HTTP, under `/_sandbox` |
//! | `inbox`, `letter` | the pages a person reads |
//! | `wire` | the listener, whose connections can be cut in mid-answer |

mod address;
mod control;
mod exchange;
pub mod fault;
mod idempotency;
mod inbox;
pub mod ledger;
mod letter;
mod postmark;
mod postmark_email;
mod postmark_search;
mod resend;
mod resend_email;
mod resend_read;
mod resend_send;
mod server;
pub mod settings;
mod state;
mod webhook;
mod webhook_control;
mod webhook_queue;
mod webhook_send;
mod wire;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use uuid::Uuid;

use fault::FaultRule;
use ledger::{Api, Entry};
use settings::Settings;
use state::Shared;
pub use state::{Logged, Suppression};
pub use webhook::{Happening, Reader};
pub use webhook_queue::Attempt;

/// How long open requests may take to end when the sandbox stops.
const GRACE: Duration = Duration::from_millis(500);

/// How a sandbox starts.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Of how many messages the bodies are kept, for the inbox page and for reading back.
    pub keep_bodies: usize,
    /// What the stand-ins are at first.
    pub settings: Settings,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            keep_bodies: 5000,
            settings: Settings::default(),
        }
    }
}

/// A running sandbox; stops when dropped.
#[derive(Debug)]
pub struct Sandbox {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<io::Result<()>>,
    /// Sends webhooks; ends when dropped.
    _webhooks: JoinSet<()>,
}

/// Runs a sandbox until `shutdown` completes: the command `seqpulse-mailer sandbox`.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn run(options: SandboxOptions, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let sandbox = Sandbox::start(options).await?;
    tracing::info!(
        url = sandbox.url(),
        "the sandbox stands in for Resend and Postmark; the inbox is at the same address"
    );
    shutdown.await;
    sandbox.shutdown().await;
    Ok(())
}

/// Whether webhooks may be sent to this address: nothing the sandbox does leaves this machine.
pub fn is_on_this_machine(url: &str) -> bool {
    settings::loopback_url(url).is_some()
}

impl Sandbox {
    /// Listens and serves in the background.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(options: SandboxOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let addr = listener.local_addr()?;
        let (outgoing, waiting) = webhook_queue::Outgoing::new();
        let shared = Arc::new(Shared::new(options.settings, options.keep_bodies, outgoing));
        let mut webhooks = JoinSet::new();
        webhooks.spawn(webhook_send::run(Arc::clone(&shared), waiting));
        let (stop, stopped) = oneshot::channel::<()>();
        let app = server::router(Arc::clone(&shared))
            .into_make_service_with_connect_info::<wire::Connection>();
        let serve = axum::serve(wire::Wire(listener), app).with_graceful_shutdown(async {
            // An error means that the handle is gone, which is as good a reason to stop.
            let _ = stopped.await;
        });
        let task = tokio::spawn(serve.into_future());
        Ok(Self {
            addr,
            shared,
            stop: Some(stop),
            task,
            _webhooks: webhooks,
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// For `EMAIL_PROVIDER_URL`, and for a browser.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Stops listening, lets open requests end for a moment, then gives them up.
    pub async fn shutdown(mut self) {
        drop(self.stop.take());
        if tokio::time::timeout(GRACE, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }

    /// All accepted messages, oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        self.shared.account().ledger.entries().to_vec()
    }

    /// How many messages were accepted.
    pub fn count(&self) -> usize {
        self.shared.account().ledger.entries().len()
    }

    /// How many different delivery ids were accepted.
    pub fn distinct_deliveries(&self) -> usize {
        self.shared.account().ledger.distinct_deliveries()
    }

    /// Delivery ids that were accepted more than once, and how often.
    pub fn duplicates(&self) -> Vec<(Arc<str>, usize)> {
        self.shared.account().ledger.duplicates()
    }

    /// The JSON object a message came as, in its provider's form; `None` when it is unknown or no longer kept.
    pub fn source(&self, id: Uuid) -> Option<Value> {
        let account = self.shared.account();
        let entry = account.ledger.by_id(id)?;
        serde_json::from_slice(account.ledger.source(entry.seq)?).ok()
    }

    /// The latest requests, oldest first, whatever became of them.
    pub fn requests(&self) -> Vec<Logged> {
        self.shared.account().log.rows().cloned().collect()
    }

    /// Completes once so many messages were accepted; wrap it in a time-out.
    pub async fn arrived(&self, count: usize) {
        // The sender lives as long as `self`.
        let _ = self
            .shared
            .watch()
            .wait_for(|arrived| *arrived >= count)
            .await;
    }

    /// Makes something go wrong; answers the id by which the rule is removed.
    pub fn add_fault(&self, rule: FaultRule) -> u64 {
        self.shared.faults().add(rule)
    }

    /// Removes all fault rules.
    pub fn clear_faults(&self) {
        self.shared.faults().clear(None);
    }

    /// The settings in force.
    pub fn settings(&self) -> Settings {
        Settings::clone(&self.shared.settings())
    }

    /// Changes the settings for all requests that begin from now on.
    pub fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        self.shared.change_settings(change);
    }

    /// Puts an address on a provider's list; `stream` matters at Postmark only.
    pub fn suppress(&self, api: Api, stream: &str, email: &str) {
        let stream = if api == Api::Resend {
            String::new()
        } else {
            stream.to_owned()
        };
        self.shared.account().suppressions.insert(Suppression {
            api,
            stream,
            email: email.to_lowercase(),
        });
    }

    /// Makes something happen to an accepted message and reports it; answers the event's id, `None` when the message is
    /// unknown or its provider has no such event.
    pub fn report(&self, message: Uuid, happening: Happening, reader: &Reader) -> Option<String> {
        self.shared.report(message, happening, reader)
    }

    /// Sends an event again, under its id; `false` when it is not kept.
    pub fn replay(&self, event: &str) -> bool {
        self.shared.outgoing.replay(event)
    }

    /// Every attempt to hand over an event, oldest first.
    pub fn webhooks(&self) -> Vec<Attempt> {
        self.shared.outgoing.attempts()
    }

    /// Forgets messages, keys, requests, suppressions and faults; settings stay.
    pub fn reset(&self) {
        self.shared.reset();
    }
}
