//! What the sidecar knows about itself: the worker writes it, `/readyz` and `/metrics` read it.
//!
//! Writing is a few atomics or a short, uncontended lock, so that being watched costs sending nothing. Only what this
//! process did is counted here; what the database knows (suppressed, queued, waiting) is in its views.

mod figures;
mod gauges;
mod spans;
mod state;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgconnect::pool::Pool;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::db::figures::Figure;
use crate::db::outbox::Pulse;
use crate::provider::Status;
pub(crate) use figures::EVERY as FIGURES_EVERY;
use figures::Figures;
pub(crate) use spans::SpanCounter;
pub use state::NotReady;
use state::State;

/// Seconds; providers answer in 0.1 to 1 s and are given up after `EMAIL_TIMEOUT_SECONDS`.
const REQUEST_BUCKETS: [f64; 10] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Seconds; a claim or a settlement takes a few milliseconds.
const STATEMENT_BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
/// The state and the counters of one sidecar.
#[derive(Debug)]
pub struct Vitals {
    state: Arc<State>,
    figures: Arc<Figures>,
    registry: Registry,
    letters: Family<LetterLabels, Counter>,
    claims: Family<ClaimLabels, Counter>,
    claimed: Counter,
    durations: Family<RequestLabels, Histogram, fn() -> Histogram>,
    requests: Family<StatusLabels, Counter>,
    answers: Family<AnswerLabels, Counter>,
    statements: Family<StatementLabels, Histogram, fn() -> Histogram>,
    heartbeats_failed: Counter,
    webhooks: Family<WebhookLabels, Counter>,
    spans: SpanCounter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LetterLabels {
    email_type: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClaimLabels {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WebhookLabels {
    provider: &'static str,
    outcome: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    provider: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabels {
    provider: &'static str,
    status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabels {
    provider: &'static str,
    answer: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatementLabels {
    statement: &'static str,
}

impl Default for Vitals {
    /// For the default `EMAIL_POLL_SECONDS`.
    fn default() -> Self {
        Self::new(Duration::from_secs(5))
    }
}

impl Vitals {
    /// `poll` is how often a heartbeat is expected.
    pub fn new(poll: Duration) -> Self {
        let state = Arc::new(State::new(poll));
        let figures = Arc::new(Figures::default());
        let mut registry = Registry::with_prefix("seqpulse_mailer");
        let letters = Family::default();
        let claims = Family::default();
        let claimed = Counter::default();
        let histogram: fn() -> Histogram = || Histogram::new(REQUEST_BUCKETS);
        let durations = Family::new_with_constructor(histogram);
        let requests = Family::default();
        let answers = Family::default();
        let histogram: fn() -> Histogram = || Histogram::new(STATEMENT_BUCKETS);
        let statements = Family::new_with_constructor(histogram);
        let heartbeats_failed = Counter::default();
        let webhooks = Family::default();
        let spans = SpanCounter::default();
        registry.register(
            "build",
            "Version of this binary",
            Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]),
        );
        registry.register(
            "letters",
            "Outcomes of letters this sidecar settled, by email type: sent, transient (will be tried again), permanent, …",
            letters.clone(),
        );
        registry.register(
            "claims",
            "Claims by this sidecar that found work, or found none",
            claims.clone(),
        );
        registry.register(
            "letters_claimed",
            "Letters this sidecar claimed",
            claimed.clone(),
        );
        registry.register_with_unit(
            "provider_request_duration",
            "Time from sending a request to its provider until the whole answer was there",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register(
            "provider_requests",
            "Requests by how they ended: the provider's HTTP status (a mail server's reply code), or timeout, connect, certificate, broken, unsent, printed",
            requests.clone(),
        );
        registry.register(
            "provider_answers",
            "Letters by what the provider answered: accepted, server_error, no_connection, too_fast, permanent, address, unknown, sender_wide, …",
            answers.clone(),
        );
        registry.register_with_unit(
            "statement_duration",
            "Time the database took for a statement of this sidecar, with waiting for a connection: claim or settle",
            Unit::Seconds,
            statements.clone(),
        );
        registry.register(
            "heartbeats_failed",
            "Heartbeats that the database did not answer",
            heartbeats_failed.clone(),
        );
        registry.register(
            "webhooks",
            "Reports of a provider: stored, duplicate, …, or why they were not taken",
            webhooks.clone(),
        );
        registry.register(
            "trace_spans",
            "Spans of traces: exported, failed (the collector did not take them), dropped (too many were waiting)",
            spans.0.clone(),
        );
        registry.register_collector(Box::new(Arc::clone(&state)));
        registry.register_collector(Box::new(Arc::clone(&figures)));
        Self {
            state,
            figures,
            registry,
            letters,
            claims,
            claimed,
            durations,
            requests,
            answers,
            statements,
            heartbeats_failed,
            webhooks,
            spans,
        }
    }

    /// A claim answered this many letters.
    pub fn claimed(&self, letters: usize) {
        let result = if letters == 0 { "empty" } else { "work" };
        self.claims.get_or_create(&ClaimLabels { result }).inc();
        self.claimed
            .inc_by(u64::try_from(letters).unwrap_or(u64::MAX));
    }

    /// A provider answered, or was given up, after `took`.
    pub fn request(&self, provider: &'static str, status: Status, took: Duration) {
        self.durations
            .get_or_create(&RequestLabels { provider })
            .observe(took.as_secs_f64());
        let status = status.to_string();
        self.requests
            .get_or_create(&StatusLabels { provider, status })
            .inc();
    }

    /// What the provider said to a letter: `accepted`, or a word of [`crate::provider::ErrorKind::word`].
    pub fn answered(&self, provider: &'static str, answer: &'static str) {
        self.answers
            .get_or_create(&AnswerLabels { provider, answer })
            .inc();
    }

    /// The database answered a claim or a settlement after `took`.
    pub fn statement(&self, statement: &'static str, took: Duration) {
        self.statements
            .get_or_create(&StatementLabels { statement })
            .observe(took.as_secs_f64());
    }

    /// Shows how this pool is used from now on.
    pub fn watch(&self, pool: Pool) {
        // There is one pool in a process; a second would not be this sidecar's.
        let _ = self.state.pool.set(pool);
    }

    /// Where spans are counted.
    pub(crate) fn spans(&self) -> SpanCounter {
        self.spans.clone()
    }

    /// What the database counts, as of now.
    pub fn set_figures(&self, figures: Vec<Figure>) {
        self.figures.set(figures);
    }

    /// A letter's outcome was recorded; `outcome` is a word of `public.email_settle`.
    pub fn settled(&self, email_type: &str, outcome: &'static str) {
        let labels = LetterLabels {
            email_type: email_type.to_owned(),
            outcome,
        };
        self.letters.get_or_create(&labels).inc();
    }

    /// A webhook was answered; `outcome` is a word of `public.email_record_event`, or why it was not taken.
    pub fn webhook(&self, provider: &'static str, outcome: &str) {
        let outcome = outcome.to_owned();
        self.webhooks
            .get_or_create(&WebhookLabels { provider, outcome })
            .inc();
    }

    /// A heartbeat was answered; `listening` says whether notifications arrive.
    pub fn seen(&self, pulse: &Pulse, listening: bool) {
        let mut now = self.state.now();
        now.seen = Some(Instant::now());
        now.lost = false;
        now.listening = listening;
        now.armed = pulse.armed;
        now.paused = pulse.paused.is_some();
        if now.clock_offset != pulse.clock_offset || now.clock_changes == 0 {
            now.clock_offset.clone_from(&pulse.clock_offset);
            now.clock_changes += 1;
        }
    }

    /// How often `email.clock_offset` was seen to change, the first look included: sessions opened before the last
    /// change have the wrong clock.
    pub fn clock_changes(&self) -> u64 {
        self.state.now().clock_changes
    }

    /// A heartbeat was not answered. Why belongs into the log, not here.
    pub fn database_lost(&self) {
        self.state.now().lost = true;
        self.heartbeats_failed.inc();
    }

    /// Age of the oldest letter that is due and not sent; `None` when none is due.
    pub fn set_lag(&self, lag: Option<Duration>) {
        self.state.now().lag = Some(lag.unwrap_or_default());
    }

    /// No new work is taken.
    pub fn set_draining(&self) {
        self.state.now().draining = true;
    }

    /// What keeps this sidecar from working as it should; empty when it is ready.
    pub fn not_ready(&self) -> Vec<NotReady> {
        self.state.not_ready()
    }

    /// Whether sending is paused (by a person, or because the provider refuses the account). A paused sidecar is ready:
    /// it would send if it were allowed to, and serves the links in letters meanwhile.
    pub fn is_paused(&self) -> bool {
        self.state.now().paused
    }

    /// All metrics in the `OpenMetrics` text format, which Prometheus scrapes.
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        match prometheus_client::encoding::text::encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(fmt::Error) => unreachable!("writing to a String does not fail"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulse(armed: bool, paused: Option<&str>) -> Pulse {
        Pulse {
            armed,
            paused: paused.map(str::to_owned),
            clock_offset: None,
            pooled: false,
            lag: None,
        }
    }

    #[test]
    fn ready_only_when_everything_is_there() {
        let vitals = Vitals::default();
        assert_eq!(vitals.not_ready(), [NotReady::Starting]);
        vitals.seen(&pulse(true, None), false);
        assert_eq!(vitals.not_ready(), [NotReady::Listen]);
        vitals.seen(&pulse(false, None), true);
        assert_eq!(vitals.not_ready(), [NotReady::NotArmed]);
        vitals.seen(&pulse(true, Some("a person")), true);
        assert_eq!(vitals.not_ready(), []);
        assert!(vitals.is_paused());
        vitals.database_lost();
        assert_eq!(vitals.not_ready(), [NotReady::Database]);
        vitals.seen(&pulse(true, None), true);
        assert_eq!(vitals.not_ready(), []);
        vitals.set_draining();
        assert_eq!(vitals.not_ready(), [NotReady::Draining]);
    }

    #[test]
    fn a_database_that_is_lost_before_it_was_reached_is_still_starting() {
        let vitals = Vitals::default();
        vitals.database_lost();
        assert_eq!(vitals.not_ready(), [NotReady::Starting]);
    }

    #[test]
    fn an_old_heartbeat_is_none() {
        let vitals = Vitals::default();
        vitals.seen(&pulse(true, None), true);
        let long_ago = Instant::now().checked_sub(vitals.state.patience + Duration::from_secs(1));
        vitals.state.now().seen = Some(long_ago.expect("the machine has been up for longer"));
        assert_eq!(vitals.not_ready(), [NotReady::Database]);
    }

    #[test]
    fn metrics_count_what_happened() {
        let vitals = Vitals::default();
        assert!(
            !vitals.metrics().contains("queue_lag_seconds"),
            "unknown is not zero"
        );
        vitals.claimed(0);
        vitals.claimed(3);
        vitals.settled("E-TRX-01", "sent");
        vitals.settled("E-TRX-01", "sent");
        vitals.settled("E-TRX-01", "permanent");
        vitals.request("resend", Status::Reply(200), Duration::from_millis(300));
        vitals.request("resend", Status::Timeout, Duration::from_secs(11));
        vitals.seen(&pulse(true, None), true);
        vitals.set_lag(Some(Duration::from_millis(1500)));
        let text = vitals.metrics();
        for line in [
            "seqpulse_mailer_letters_total{email_type=\"E-TRX-01\",outcome=\"sent\"} 2",
            "seqpulse_mailer_letters_total{email_type=\"E-TRX-01\",outcome=\"permanent\"} 1",
            "seqpulse_mailer_claims_total{result=\"empty\"} 1",
            "seqpulse_mailer_claims_total{result=\"work\"} 1",
            "seqpulse_mailer_letters_claimed_total 3",
            "seqpulse_mailer_provider_request_duration_seconds_bucket{le=\"0.25\",provider=\"resend\"} 0",
            "seqpulse_mailer_provider_request_duration_seconds_bucket{le=\"0.5\",provider=\"resend\"} 1",
            "seqpulse_mailer_provider_request_duration_seconds_count{provider=\"resend\"} 2",
            "seqpulse_mailer_provider_requests_total{provider=\"resend\",status=\"200\"} 1",
            "seqpulse_mailer_provider_requests_total{provider=\"resend\",status=\"timeout\"} 1",
            "seqpulse_mailer_ready 1.0",
            "seqpulse_mailer_queue_lag_seconds 1.5",
            "# EOF",
        ] {
            assert!(
                text.lines().any(|got| got == line),
                "no line {line:?} in\n{text}"
            );
        }
    }
}
