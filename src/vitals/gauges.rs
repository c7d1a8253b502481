//! The gauges: the state at the moment `/metrics` is read.

use std::fmt;

use pgconnect::pool::Usage;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use super::state::State;

impl Collector for State {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let reasons = self.not_ready();
        let now = self.now();
        let mut gauges = vec![
            (
                "ready",
                "1 when /readyz answers 200",
                truth(reasons.is_empty()),
            ),
            (
                "listening",
                "1 when notifications arrive",
                truth(now.listening),
            ),
            (
                "armed",
                "1 when this database may be sent from",
                truth(now.armed),
            ),
            (
                "paused",
                "1 when sending is paused for all sidecars",
                truth(now.paused),
            ),
        ];
        if let Some(seen) = now.seen {
            let age = seen.elapsed().as_secs_f64();
            gauges.push((
                "heartbeat_age_seconds",
                "Since the database last answered a heartbeat",
                age,
            ));
        }
        if let Some(lag) = now.lag {
            gauges.push((
                "queue_lag_seconds",
                "Age of the oldest letter that is due and not sent",
                lag.as_secs_f64(),
            ));
        }
        drop(now);
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        self.encode_pools(&mut encoder)
    }
}

type ReadUsage = fn(&Usage) -> usize;

impl State {
    /// The pools of database connections, each with its name as label `pool`.
    fn encode_pools(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let pools: Vec<(&str, Usage)> = self
            .pools()
            .iter()
            .map(|(name, pool)| (*name, pool.usage()))
            .collect();
        let gauges: [(&str, &str, ReadUsage); 4] = [
            (
                "pool_connections",
                "Open database connections of the pool",
                |usage| usage.open,
            ),
            (
                "pool_connections_idle",
                "Database connections of the pool that are open and not in use",
                |usage| usage.idle,
            ),
            (
                "pool_connections_limit",
                "Database connections the pool may open",
                |usage| usage.limit,
            ),
            (
                "pool_waiting",
                "Statements that wait for a database connection of the pool",
                |usage| usage.waiting,
            ),
        ];
        for (name, help, read) in gauges {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (pool, usage) in &pools {
                let gauge = ConstGauge::new(whole(read(usage)));
                gauge.encode(family.encode_family(&[("pool", *pool)])?)?;
            }
        }
        Ok(())
    }
}

fn truth(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}

fn whole(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
