//! A Free project's monthly quota, as E-CONV-01 and E-CONV-02 show it.

use chrono::NaiveDate;
use serde::Deserialize;

use super::french;
use super::value::Text;

/// The Free plan's deployments a month, where the context does not say (docs/rules.md#letters).
pub(crate) const FREE_LIMIT: u64 = 50;

/// How much of the quota is used.
#[derive(Debug, Deserialize)]
pub(crate) struct Quota {
    /// Fresh.
    pub project_name: Text,
    /// Fresh: this UTC month.
    #[serde(deserialize_with = "super::value::count")]
    pub deployments_used: u64,
    /// Fresh: the Free quota; null means 50.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub deployments_limit: Option<u64>,
    /// Fresh: days until the limit at the present rate; null when the month ends first.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub estimated_days_left: Option<u64>,
    /// Fresh: of the last seven days or of the month so far, whichever is faster.
    #[serde(default, deserialize_with = "super::value::rate")]
    pub deployments_per_day: Option<f64>,
    /// Fresh: warnings and recommended rollbacks of this month.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub alerts: Option<u64>,
    /// Fresh: first day of the next UTC month.
    #[serde(default)]
    pub resets_on: Option<NaiveDate>,
}

/// The keys a quota cannot do without.
pub(crate) const REQUIRED: &[&str] = &["project_name", "deployments_used"];

impl Quota {
    pub(crate) fn limit(&self) -> u64 {
        self.deployments_limit
            .filter(|&limit| limit > 0)
            .unwrap_or(FREE_LIMIT)
    }

    /// Deployments left this month.
    pub(crate) fn left(&self) -> u64 {
        self.limit().saturating_sub(self.deployments_used)
    }

    /// The bar's length in percent, 0 to 100.
    pub(crate) fn percent(&self) -> u64 {
        (self.deployments_used * 100 / self.limit()).min(100)
    }

    /// `dans 5 jours`, `dès aujourd'hui`; `None` when the month ends first.
    pub(crate) fn when(&self) -> Option<String> {
        match self.estimated_days_left? {
            0 => Some("dès aujourd'hui".to_owned()),
            1 => Some("d'ici demain".to_owned()),
            days if days <= 31 => Some(format!("dans {}", french::days(days))),
            _ => None,
        }
    }

    /// `2,3 déploiements par jour`; `None` when unknown or next to nothing.
    pub(crate) fn pace(&self) -> Option<String> {
        let rate = self.deployments_per_day.filter(|&rate| rate >= 0.1)?;
        let word = if rate < 2.0 {
            "déploiement"
        } else {
            "déploiements"
        };
        Some(format!("{} {word} par jour", french::decimal(rate)))
    }

    /// `6 alertes`; `None` when unknown or none.
    pub(crate) fn alerts(&self) -> Option<String> {
        let count = self.alerts.filter(|&count| count > 0)?;
        Some(french::count(count, "alerte", "alertes"))
    }

    /// `1er avril`.
    pub(crate) fn reset(&self) -> Option<String> {
        self.resets_on.map(french::day_month)
    }
}
