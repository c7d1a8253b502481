//! The small table of a period against the one before, as E-CONV-05 and E-RET-01 show it.

use serde::Deserialize;

use super::french::{self, NBSP};
use super::page::Tone;

/// What happened in a period, and in the one before it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Figures {
    /// Fresh.
    #[serde(deserialize_with = "super::value::count")]
    pub deployments: u64,
    /// Fresh: verdicts `warning`.
    #[serde(deserialize_with = "super::value::count")]
    pub warnings: u64,
    /// Fresh: verdicts `rollback_recommended`.
    #[serde(deserialize_with = "super::value::count")]
    pub rollbacks: u64,
    /// Fresh: deployments that have a verdict; the others say nothing about alerts.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub analysed: Option<u64>,
    /// Fresh: deployments whose verdict says that nothing could be measured: no alert, and not analysed either.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub unmeasured: Option<u64>,
    /// Fresh: deployments whose pipeline failed.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub failed: Option<u64>,
    /// Fresh: median p95 after the releases, against that of the period before, in percent.
    #[serde(default, deserialize_with = "super::value::change")]
    pub latency_delta: Option<f64>,
    /// Fresh: the period before; null when there was none.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub previous_deployments: Option<u64>,
    /// Fresh: the period before.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub previous_warnings: Option<u64>,
    /// Fresh: the period before.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub previous_rollbacks: Option<u64>,
}

/// One line of the table.
pub(crate) struct Row {
    pub(crate) label: &'static str,
    pub(crate) value: String,
    /// Against the period before; `None` when that is not known.
    pub(crate) trend: Option<String>,
    pub(crate) tone: Tone,
}

impl Row {
    /// A trend that is neither good nor bad news is soft.
    pub(crate) fn class(&self) -> &'static str {
        match self.tone {
            Tone::Calm => "soft",
            Tone::Good => "t-good",
            Tone::Caution => "t-warn",
            Tone::Danger => "t-risk",
        }
    }

    pub(crate) fn colour(&self) -> &'static str {
        if self.tone == Tone::Calm {
            "#51626b"
        } else {
            self.tone.colour()
        }
    }
}

impl Figures {
    /// Warnings and recommended rollbacks together.
    pub(crate) fn alerts(&self) -> u64 {
        self.warnings + self.rollbacks
    }

    /// `8 déploiements, 1 alerte`; without an alert it says how many could have had one: `5 déploiements, 2 analysés, 0 alerte`.
    pub(crate) fn in_short(&self) -> String {
        let deployments = french::count(self.deployments, "déploiement", "déploiements");
        match self.partly_analysed() {
            Some(0) => format!("{deployments}, aucun analysé"),
            Some(analysed) if self.alerts() == 0 => {
                format!(
                    "{deployments}, {}, 0 alerte",
                    french::count(analysed, "analysé", "analysés")
                )
            }
            _ => format!(
                "{deployments}, {}",
                french::count(self.alerts(), "alerte", "alertes")
            ),
        }
    }

    /// How many were analysed, when it is known and not all of them.
    fn partly_analysed(&self) -> Option<u64> {
        self.analysed
            .filter(|&analysed| analysed < self.deployments)
    }

    /// What the alerts mean, of what was analysed; then what could not be measured and the pipelines that failed. `detailed` says
    /// where alerts are explained.
    pub(crate) fn comment(&self, detailed: &str) -> String {
        let verdicts = match (self.partly_analysed(), self.alerts()) {
            (Some(0), 0) => {
                "Aucun de ces déploiements n'a été analysé : rien ne permet de dire s'ils se sont bien passés.".to_owned()
            }
            (Some(analysed), alerts) => {
                let of = french::count(analysed, "déploiement", "déploiements");
                let word = french::plural(analysed, "analysé", "analysés");
                let result = if alerts == 0 { "aucune alerte." } else { detailed };
                format!("{of} sur {} {word} : {result}", french::number(self.deployments))
            }
            (None, 0) if self.analysed.is_some() && self.failed == Some(0) => {
                "Aucune alerte : vos mises en production se sont bien passées.".to_owned()
            }
            (None, 0) if self.analysed.is_some() => {
                "Tous les déploiements ont été analysés, sans aucune alerte.".to_owned()
            }
            (None, 0) => "Aucune alerte sur la période.".to_owned(),
            (None, _) => {
                let mut letters = detailed.chars();
                letters.next().map_or_else(String::new, |first| {
                    first.to_uppercase().chain(letters).collect()
                })
            }
        };
        let unmeasured = self.unmeasured.filter(|&count| count > 0).map(|count| {
            french::count(
                count,
                "déploiement n'a pas pu être mesuré.",
                "déploiements n'ont pas pu être mesurés.",
            )
        });
        let failed = self.failed.filter(|&count| count > 0).map(|count| {
            french::count(
                count,
                "pipeline s'est terminé en échec.",
                "pipelines se sont terminés en échec.",
            )
        });
        [Some(verdicts), unmeasured, failed]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// `latence p95 médiane en baisse de 12 %`; `None` when unknown.
    pub(crate) fn latency(&self) -> Option<String> {
        let delta = self.latency_delta?;
        Some(if french::is_flat(delta) {
            "latence p95 médiane stable".to_owned()
        } else {
            let direction = if delta < 0.0 { "baisse" } else { "hausse" };
            format!(
                "latence p95 médiane en {direction} de {}{NBSP}%",
                french::decimal(delta)
            )
        })
    }

    /// The table; more deployments are good news, more alerts bad news.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let mut rows = vec![
            row(
                "Déploiements",
                self.deployments,
                self.previous_deployments,
                Tone::Good,
                Tone::Calm,
            ),
            row(
                "Avertissements",
                self.warnings,
                self.previous_warnings,
                Tone::Caution,
                Tone::Good,
            ),
            row(
                "Rollbacks recommandés",
                self.rollbacks,
                self.previous_rollbacks,
                Tone::Danger,
                Tone::Good,
            ),
        ];
        if let Some(delta) = self.latency_delta {
            let (trend, tone) = match delta {
                delta if french::is_flat(delta) => ("stable", Tone::Calm),
                delta if delta < 0.0 => ("plus rapide", Tone::Good),
                _ => ("plus lente", Tone::Caution),
            };
            let value = french::signed(delta, "%");
            rows.push(Row {
                label: "Latence p95 médiane",
                value,
                trend: Some(trend.to_owned()),
                tone,
            });
        }
        rows
    }

    /// Whether the table has a trend to show.
    pub(crate) fn has_trend(&self) -> bool {
        self.latency_delta.is_some() || self.previous_deployments.is_some()
    }
}

fn row(label: &'static str, now: u64, before: Option<u64>, up: Tone, down: Tone) -> Row {
    let (trend, tone) = match before {
        None => (None, Tone::Calm),
        Some(before) if now > before => (Some(format!("+{}", french::number(now - before))), up),
        Some(before) if now < before => (Some(format!("−{}", french::number(before - now))), down),
        Some(_) => (Some("stable".to_owned()), Tone::Calm),
    };
    Row {
        label,
        value: french::number(now),
        trend,
        tone,
    }
}
