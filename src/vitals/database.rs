//! What the database counts (`public.email_metrics`), read once a minute and shown with this sidecar's own metrics.
//!
//! Every sidecar shows the same metrics, so dashboards take their maximum and not their sum. They are left out rather than
//! repeated once they are too old to be true.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::db::metrics::Metric;

/// How often they are asked for.
pub(crate) const EVERY: Duration = Duration::from_secs(60);
/// Two of them may be missed.
const TOO_OLD: Duration = Duration::from_secs(185);

#[derive(Debug, Default)]
pub(super) struct DatabaseMetrics {
    latest: Mutex<Option<(Instant, Vec<Metric>)>>,
}

impl DatabaseMetrics {
    pub(super) fn set(&self, metrics: Vec<Metric>) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Instant::now(), metrics));
    }
}

fn help(name: &str) -> &'static str {
    match name {
        "lag_seconds" => "How long the oldest due letter has been waiting, by the database",
        "due" => "Letters that could go out now",
        "in_flight" => "Letters that sidecars hold",
        "failed" => "Letters that were given up within the retention",
        "workers_alive" => "Sidecars seen in the last 30 seconds",
        "open_trigger_errors" => {
            "Facts that triggers could not enqueue and that are not made up for"
        }
        "paused_types" => "Types that are paused on their own",
        "retries_waiting" => "Letters whose backoff runs",
        "unresolved" => {
            "Letters claimed more than two minutes ago and not settled: their outcome is unknown"
        }
        "schedules_late" => "Schedules that have not run well for three of their intervals",
        "ended_last_hour" => {
            "Letters that ended in the last hour, by type, status and kind of reason"
        }
        _ => "See public.email_metrics",
    }
}

impl Collector for DatabaseMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((at, metrics)) = latest.as_ref() else {
            return Ok(());
        };
        if at.elapsed() > TOO_OLD {
            return Ok(());
        }
        let mut families: BTreeMap<&str, Vec<&Metric>> = BTreeMap::new();
        for metric in metrics {
            families.entry(&metric.name).or_default().push(metric);
        }
        for (name, metrics) in families {
            let full = format!("database_{name}");
            let mut family =
                encoder.encode_descriptor(&full, help(name), None, MetricType::Gauge)?;
            for metric in metrics {
                let labels: Vec<(&str, &str)> = [
                    ("email_type", metric.email_type.as_str()),
                    ("status", metric.status.as_str()),
                    ("reason", metric.reason_class.as_str()),
                ]
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .collect();
                let gauge = ConstGauge::new(metric.value);
                if labels.is_empty() {
                    // It has one row.
                    gauge.encode(family)?;
                    break;
                }
                gauge.encode(family.encode_family(&labels.as_slice())?)?;
            }
        }
        Ok(())
    }
}
