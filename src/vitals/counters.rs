//! The counters and histograms of one sidecar, and what `/metrics` says each of them is.

use std::borrow::Cow;

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

/// Names and values, in the order they are shown.
type Labels<const N: usize> = [(&'static str, Cow<'static, str>); N];
type Counts<const N: usize> = Family<Labels<N>, Counter>;
type Histograms = Family<Labels<1>, Histogram, fn() -> Histogram>;

#[derive(Debug)]
pub(super) struct Counters {
    pub(super) letters: Counts<2>,
    pub(super) claims: Counts<1>,
    pub(super) claimed: Counter,
    pub(super) durations: Histograms,
    pub(super) requests: Counts<2>,
    pub(super) answers: Counts<2>,
    pub(super) statements: Histograms,
    pub(super) heartbeats_failed: Counter,
    pub(super) webhooks: Counts<2>,
    pub(super) spans: SpanCounter,
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
fn histogram(
    registry: &mut Registry,
    name: &str,
    help: &str,
    make: fn() -> Histogram,
) -> Histograms {
    let family = Family::new_with_constructor(make);
    registry.register_with_unit(name, help, Unit::Seconds, family.clone());
    family
}
