//! What became of the spans of traces.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

/// Counts spans for `/metrics`; empty as long as nothing is traced.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpanCounter(pub(super) Family<SpanLabels, Counter>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SpanLabels {
    outcome: &'static str,
}

impl SpanCounter {
    /// The collector took them.
    pub(crate) fn exported(&self, spans: usize) {
        self.count("exported", spans);
    }

    /// The collector did not take them.
    pub(crate) fn failed(&self, spans: usize) {
        self.count("failed", spans);
    }

    /// Too many were waiting for the collector.
    pub(crate) fn dropped(&self, spans: usize) {
        self.count("dropped", spans);
    }

    fn count(&self, outcome: &'static str, spans: usize) {
        self.0
            .get_or_create(&SpanLabels { outcome })
            .inc_by(u64::try_from(spans).unwrap_or(u64::MAX));
    }

    #[cfg(test)]
    pub(crate) fn get(&self, outcome: &'static str) -> u64 {
        self.0.get_or_create(&SpanLabels { outcome }).get()
    }
}
