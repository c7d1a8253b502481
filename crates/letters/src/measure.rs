//! One metric around a release: what it was, what it is, how often it was beyond its threshold.

use serde::{Deserialize, Deserializer};

use super::french::{self, NBSP};
use super::value::Prose;

/// A column of `metric_samples`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Metric {
    ErrorRate,
    RequestsPerSec,
    LatencyP95,
    CpuUsage,
    MemoryUsage,
    /// One that the engine learned after this was written: it has no French name.
    #[serde(other)]
    Unknown,
}

impl Metric {
    /// As it begins a line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ErrorRate => "Taux d'erreur",
            Self::RequestsPerSec => "Trafic",
            Self::LatencyP95 => "Latence p95",
            Self::CpuUsage => "CPU",
            Self::MemoryUsage => "Mémoire",
            Self::Unknown => "Autre métrique",
        }
    }

    /// As it stands inside a sentence.
    fn word(self) -> &'static str {
        match self {
            Self::ErrorRate => "taux d'erreur",
            Self::RequestsPerSec => "trafic",
            Self::LatencyP95 => "latence p95",
            Self::CpuUsage => "CPU",
            Self::MemoryUsage => "mémoire",
            Self::Unknown => "autre métrique",
        }
    }

    /// Shares are shown in percent.
    fn is_share(self) -> bool {
        matches!(self, Self::ErrorRate | Self::CpuUsage | Self::MemoryUsage)
    }

    /// The value as a person would say it, without unit: two digits are enough.
    fn number(self, value: f64) -> String {
        let value = if self.is_share() {
            value * 100.0
        } else {
            value
        };
        match value.abs() {
            small if small >= 9.95 => french::decimal(value.round()),
            small if small >= 0.095 => french::decimal(value),
            small if small >= 0.005 => format!("{value:.2}").replace('.', ","),
            _ => "0".to_owned(),
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::RequestsPerSec => "req/s",
            Self::LatencyP95 => "ms",
            Self::Unknown => "",
            _ => "%",
        }
    }

    /// `79 %`, `163 ms`.
    fn value(self, value: f64) -> String {
        format!("{}{NBSP}{}", self.number(value), self.unit())
    }

    /// `61 % → 79 %`, `42 → 16 req/s`; one value where both read the same.
    fn change(self, before: f64, after: f64) -> String {
        let (from, to) = (self.value(before), self.value(after));
        if from == to {
            to
        } else if self.is_share() {
            format!("{from} → {to}")
        } else {
            format!("{} → {to}", self.number(before))
        }
    }
}

/// What SQL says of a metric.
#[derive(Debug, Deserialize)]
pub(crate) struct Measure {
    pub(crate) metric: Metric,
    /// The engine says that it fails.
    #[serde(default)]
    failing: Option<bool>,
    /// It was beyond its threshold before the release already.
    #[serde(default)]
    already: Option<bool>,
    /// Mean before the release.
    #[serde(default, deserialize_with = "amount")]
    before: Option<f64>,
    /// Mean after it.
    #[serde(default, deserialize_with = "amount")]
    after: Option<f64>,
    /// What a sample must not exceed; traffic must not fall below it.
    #[serde(default, deserialize_with = "amount")]
    threshold: Option<f64>,
    /// Samples after the release that are beyond it.
    #[serde(default)]
    beyond: Option<u64>,
    /// Samples after the release.
    #[serde(default)]
    samples: Option<u64>,
    /// What the engine said, in French: stands in for the counts where no samples are left.
    #[serde(default, deserialize_with = "super::value::text")]
    said: Option<Prose>,
}

/// The highest value that is taken for one, as in SQL.
const MAX: f64 = 1e12;

/// A value of a metric; one that none can have is left out.
fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let value = Option::<f64>::deserialize(deserializer)?;
    Ok(value.filter(|value| (0.0..=MAX).contains(value)))
}

impl Measure {
    pub(crate) fn is_failing(&self) -> bool {
        self.failing == Some(true) && self.metric != Metric::Unknown
    }

    /// Whether it was like that before: then the release did not do it.
    pub(crate) fn was_failing(&self) -> bool {
        self.already == Some(true)
    }

    /// `42 → 16 req/s`, or what is known of it.
    fn values(&self) -> Option<String> {
        match (self.before, self.after) {
            (Some(before), Some(after)) => Some(self.metric.change(before, after)),
            (None, Some(after)) => Some(self.metric.value(after)),
            _ => None,
        }
    }

    /// `−63 %` of what it was; shares are compared by eye.
    fn relative(&self) -> Option<String> {
        let (before, after) = (self.before?, self.after?);
        let percent = (100.0 * (after - before) / before).round();
        (!self.metric.is_share() && before > 0.0 && percent.abs() >= 1.0)
            .then(|| french::signed(percent, "%"))
    }

    /// Whether the mean is beyond the threshold too: a mean hides peaks.
    fn mean_is_beyond(&self) -> bool {
        match (self.after, self.threshold) {
            (Some(after), Some(limit)) if self.metric == Metric::RequestsPerSec => after < limit,
            (Some(after), Some(limit)) => after > limit,
            _ => true,
        }
    }

    /// `4 mesures sur 5`; `None` when no sample is beyond.
    fn count(&self) -> Option<String> {
        let (beyond, samples) = (self.beyond?, self.samples?);
        (beyond > 0).then(|| {
            format!(
                "{} sur {samples}",
                french::count(beyond, "mesure", "mesures")
            )
        })
    }

    /// `4 mesures sur 5 au-dessus de 72 %`.
    fn beyond(&self) -> Option<String> {
        let (count, limit) = (self.count()?, self.metric.value(self.threshold?));
        Some(if self.metric == Metric::RequestsPerSec {
            format!("{count} en baisse de plus de 20{NBSP}% (sous {limit})")
        } else {
            format!("{count} au-dessus du seuil de {limit}")
        })
    }

    /// How many samples are beyond, where the mean hides it.
    fn peak(&self) -> Option<String> {
        (!self.mean_is_beyond()).then(|| self.count()).flatten()
    }

    /// What is said of it after its name, when it is no peak.
    fn state(&self) -> String {
        self.values()
            .or_else(|| self.said.as_ref().map(ToString::to_string))
            .unwrap_or_else(|| "hors seuil".to_owned())
    }

    /// The one fact in large type: `Trafic 42 → 16 req/s`; a peak that the mean hides is said as a count.
    pub(crate) fn headline(&self) -> String {
        let name = self.metric.name();
        match self.peak() {
            Some(count) => format!("{name} : {count} hors seuil"),
            None => format!("{name} {}", self.state()),
        }
    }

    /// The same inside a sentence, with the one thing that changes how it reads.
    pub(crate) fn in_short(&self) -> String {
        let name = self.metric.word();
        let fact = match self.peak() {
            Some(count) => format!("{name} hors seuil dans {count}"),
            None => format!("{name} {}", self.state()),
        };
        if self.was_failing() {
            format!("{fact} (déjà hors seuil avant)")
        } else {
            fact
        }
    }

    /// All of it in one line; `told` when the headline has said its part.
    pub(crate) fn line(&self, told: bool) -> String {
        let values = self.values();
        let mean = match (&values, self.relative()) {
            (Some(values), _) if told && !self.mean_is_beyond() => {
                Some(format!("en moyenne {values}"))
            }
            (_, Some(relative)) if told => Some(format!("{relative} en moyenne")),
            (_, None) if told => None,
            (Some(values), Some(relative)) => Some(format!("{values} ({relative})")),
            (values, _) => values.clone(),
        };
        let counted = self
            .beyond()
            .or_else(|| self.said.as_ref().map(ToString::to_string));
        let already = self
            .was_failing()
            .then(|| "déjà au-dessus avant la mise en production".to_owned());
        let parts: Vec<String> = [mean, counted, already].into_iter().flatten().collect();
        if parts.is_empty() {
            "hors seuil".to_owned()
        } else {
            parts.join(" ; ")
        }
    }

    /// `latence p95 142 → 163 ms`, with the few samples that were beyond all the same.
    pub(crate) fn calm(&self) -> Option<String> {
        // Next to no traffic before the release is held against nothing: it has no limits.
        let unjudged = self.metric == Metric::RequestsPerSec && self.threshold.is_none();
        if self.is_failing() || self.metric == Metric::Unknown || unjudged {
            return None;
        }
        let values = self.after.and(self.values())?;
        let word = self.metric.word();
        Some(match self.beyond() {
            Some(beyond) => format!("{word} {values} ({beyond})"),
            None => format!("{word} {values}"),
        })
    }
}
