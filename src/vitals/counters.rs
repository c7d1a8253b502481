//! The counters and histograms of one sidecar, and what `/metrics` says each of them is.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry, Unit};

use super::spans::SpanCounter;

/// Seconds; providers answer in 0.1 to 1 s and are given up after `EMAIL_TIMEOUT_SECONDS`.
const REQUEST_BUCKETS: [f64; 10] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Seconds; a claim or a settlement takes a few milliseconds.
const STATEMENT_BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

#[derive(Debug)]
pub(super) struct Counters {
    pub(super) letters: Family<LetterLabels, Counter>,
    pub(super) claims: Family<ClaimLabels, Counter>,
    pub(super) claimed: Counter,
    pub(super) durations: Histograms<RequestLabels>,
    pub(super) requests: Family<StatusLabels, Counter>,
    pub(super) answers: Family<AnswerLabels, Counter>,
    pub(super) statements: Histograms<StatementLabels>,
    pub(super) heartbeats_failed: Counter,
    pub(super) webhooks: Family<WebhookLabels, Counter>,
    pub(super) spans: SpanCounter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct LetterLabels {
    pub(super) email_type: String,
    pub(super) outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ClaimLabels {
    pub(super) result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct WebhookLabels {
    pub(super) provider: &'static str,
    pub(super) outcome: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub(super) provider: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StatusLabels {
    pub(super) provider: &'static str,
    pub(super) status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct AnswerLabels {
    pub(super) provider: &'static str,
    pub(super) outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StatementLabels {
    pub(super) statement: &'static str,
}

impl Counters {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Version of this binary", version);
        let spans = SpanCounter::default();
        registry.register(
            "trace_spans",
            "Spans of traces: exported, failed (the collector did not take them), dropped (too many were waiting)",
            spans.0.clone(),
        );
        Self {
            letters: counter(
                registry,
                "letters",
                "Letters this sidecar settled: sent; transient, refused or released (nothing was sent, another attempt follows); permanent or address (given up); unknown or server_error (perhaps sent, the provider is asked); missing (not accepted, sent anew); conflict or lost (perhaps sent, nothing can tell); untouched or mismatch (not tried)",
            ),
            claims: counter(
                registry,
                "claims",
                "Claims by this sidecar that found work, or found none",
            ),
            claimed: counter(registry, "letters_claimed", "Letters this sidecar claimed"),
            durations: histogram(
                registry,
                "provider_request_duration",
                "Time from sending a request to its provider until the whole answer was there",
                || Histogram::new(REQUEST_BUCKETS),
            ),
            requests: counter(
                registry,
                "provider_requests",
                "Requests by how they ended: the provider's HTTP status (a mail server's reply code), or timeout, connect, certificate, broken, unsent, printed",
            ),
            answers: counter(
                registry,
                "provider_answers",
                "Letters by what the provider's answer means: an outcome as in letters, or batch_refused (refused for another letter of the request or its size, sent again in halves)",
            ),
            statements: histogram(
                registry,
                "statement_duration",
                "Time the database took for a statement of this sidecar, with waiting for a connection: claim or settle",
                || Histogram::new(STATEMENT_BUCKETS),
            ),
            heartbeats_failed: counter(
                registry,
                "heartbeats_failed",
                "Heartbeats that the database did not answer",
            ),
            webhooks: counter(
                registry,
                "webhooks",
                "Reports of a provider: stored, duplicate, …, or why they were not taken",
            ),
            spans,
        }
    }
}

/// A counter, or a family of them, that starts at 0.
fn counter<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

/// A family of histograms of seconds.
fn histogram<L>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    make: fn() -> Histogram,
) -> Histograms<L>
where
    L: Clone + std::hash::Hash + Eq + EncodeLabelSet + std::fmt::Debug + Send + Sync + 'static,
{
    let family = Family::new_with_constructor(make);
    registry.register_with_unit(name, help, Unit::Seconds, family.clone());
    family
}
