//! What the sidecar knows about itself: the worker writes it, `/readyz` and `/metrics` read it.
//!
//! Writing is a few atomics or a short, uncontended lock, so that being watched costs sending nothing. Only what this
//! process did is counted here; what the database knows (suppressed, queued, waiting) is in its views.

mod counters;
mod database;
mod gauges;
mod spans;
mod state;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgconnect::pool::Pool;
use prometheus_client::registry::Registry;

use crate::db::metrics::Metric;
use crate::db::settlement::Outcome;
use crate::db::workers::HeartbeatReply;
use crate::provider::Status;
use counters::Counters;
use database::DatabaseMetrics;
pub(crate) use database::EVERY as DATABASE_METRICS_EVERY;
pub(crate) use spans::SpanCounter;
pub use state::NotReady;
use state::State;

/// The state and the counters of one sidecar.
#[derive(Debug)]
pub struct Vitals {
    state: Arc<State>,
    database: Arc<DatabaseMetrics>,
    registry: Registry,
    counters: Counters,
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
        let database = Arc::new(DatabaseMetrics::default());
        let mut registry = Registry::with_prefix("seqpulse_mailer");
        let counters = Counters::register(&mut registry);
        registry.register_collector(Box::new(Arc::clone(&state)));
        registry.register_collector(Box::new(Arc::clone(&database)));
        Self {
            state,
            database,
            registry,
            counters,
        }
    }

    /// A claim answered this many letters.
    pub fn claimed(&self, letters: usize) {
        let result = if letters == 0 { "empty" } else { "work" };
        let labels = [("result", result.into())];
        self.counters.claims.get_or_create(&labels).inc();
        let letters = u64::try_from(letters).unwrap_or(u64::MAX);
        self.counters.claimed.inc_by(letters);
    }

    /// A provider answered, or was given up, after `took`.
    pub fn request(&self, provider: &'static str, status: Status, took: Duration) {
        let labels = [("provider", provider.into())];
        let durations = &self.counters.durations;
        durations.get_or_create(&labels).observe(took.as_secs_f64());
        let [provider] = labels;
        let labels = [provider, ("status", status.to_string().into())];
        self.counters.requests.get_or_create(&labels).inc();
    }

    /// What the provider's answer to a letter means: a word of [`Outcome`], or `batch_refused`.
    pub fn answered(&self, provider: &'static str, outcome: &'static str) {
        let labels = [("provider", provider.into()), ("outcome", outcome.into())];
        self.counters.answers.get_or_create(&labels).inc();
    }

    /// The database answered a claim or a settlement after `took`.
    pub fn statement(&self, statement: &'static str, took: Duration) {
        let labels = [("statement", statement.into())];
        let statements = &self.counters.statements;
        statements
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    /// Shows how this pool is used from now on, under its name.
    pub fn watch_pool(&self, name: &'static str, pool: Pool) {
        self.state.pools().push((name, pool));
    }

    /// Where spans are counted.
    pub(crate) fn spans(&self) -> SpanCounter {
        self.counters.spans.clone()
    }

    /// What the database counts, as of now.
    pub fn set_database_metrics(&self, metrics: Vec<Metric>) {
        self.database.set(metrics);
    }

    /// A letter's outcome was recorded.
    pub fn settled(&self, email_type: &str, outcome: Outcome) {
        let email_type = email_type.to_owned().into();
        let labels = [
            ("email_type", email_type),
            ("outcome", outcome.as_sql().into()),
        ];
        self.counters.letters.get_or_create(&labels).inc();
    }

    /// A webhook was answered; `outcome` is a word of `public.email_record_event`, or why it was not taken.
    pub fn webhook(&self, provider: &'static str, outcome: &str) {
        let outcome = outcome.to_owned().into();
        let labels = [("provider", provider.into()), ("outcome", outcome)];
        self.counters.webhooks.get_or_create(&labels).inc();
    }

    /// A heartbeat was answered; `listening` says whether notifications arrive.
    pub fn seen(&self, reply: &HeartbeatReply, listening: bool) {
        let mut now = self.state.now();
        now.seen = Some(Instant::now());
        now.lost = false;
        now.listening = listening;
        now.armed = reply.armed;
        now.paused = reply.paused.is_some();
        if now.clock_offset != reply.clock_offset || now.clock_changes == 0 {
            now.clock_offset.clone_from(&reply.clock_offset);
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
        self.counters.heartbeats_failed.inc();
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

    fn reply(armed: bool, paused: Option<&str>) -> HeartbeatReply {
        HeartbeatReply {
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
        vitals.seen(&reply(true, None), false);
        assert_eq!(vitals.not_ready(), [NotReady::Listen]);
        vitals.seen(&reply(false, None), true);
        assert_eq!(vitals.not_ready(), [NotReady::NotArmed]);
        vitals.seen(&reply(true, Some("a person")), true);
        assert_eq!(vitals.not_ready(), []);
        assert!(vitals.is_paused());
        vitals.database_lost();
        assert_eq!(vitals.not_ready(), [NotReady::Database]);
        vitals.seen(&reply(true, None), true);
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
        vitals.seen(&reply(true, None), true);
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
        vitals.settled("E-TRX-01", Outcome::Sent);
        vitals.settled("E-TRX-01", Outcome::Sent);
        vitals.settled("E-TRX-01", Outcome::Permanent);
        vitals.request("resend", Status::Reply(200), Duration::from_millis(300));
        vitals.request("resend", Status::Timeout, Duration::from_secs(11));
        vitals.seen(&reply(true, None), true);
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
