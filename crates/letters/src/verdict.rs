//! A deployment's verdict as E-ACT-04 and E-ACT-05 show it.

use serde::Deserialize;

use super::french;
use super::page::{Fact, Page, Tone};
use super::value::{Instant, Prose, Text};

/// `deployment_verdicts.verdict`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Nothing to worry about.
    Ok,
    /// A signal crossed its threshold.
    Warning,
    /// Going back is the safer choice.
    RollbackRecommended,
}

impl Verdict {
    /// The word people see in the application and in subjects.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::RollbackRecommended => "rollback recommandé",
        }
    }

    pub(crate) fn tone(self) -> Tone {
        match self {
            Self::Ok => Tone::Good,
            Self::Warning => Tone::Caution,
            Self::RollbackRecommended => Tone::Danger,
        }
    }
}

/// A verdict with its figures.
#[derive(Debug, Deserialize)]
pub(crate) struct Analysis {
    /// Fresh.
    pub project_name: Text,
    /// Fresh: where the release went.
    pub env: Text,
    /// Fresh: counts up inside its project.
    #[serde(deserialize_with = "super::value::count")]
    pub deployment_number: u64,
    /// Fresh.
    pub verdict: Verdict,
    /// Fresh: when the verdict was reached.
    #[serde(default)]
    pub occurred_at: Option<Instant>,
    /// Fresh: p95 latency after against before, in percent.
    #[serde(default, deserialize_with = "super::value::change")]
    pub latency_delta: Option<f64>,
    /// Fresh: error rate after minus before, in percentage points.
    #[serde(default, deserialize_with = "super::value::change")]
    pub error_rate_delta: Option<f64>,
    /// Fresh: a share, 0 to 1.
    #[serde(default, deserialize_with = "super::value::share")]
    pub confidence: Option<f64>,
    /// Fresh: `deployment_verdicts.summary`.
    #[serde(default, deserialize_with = "super::value::text")]
    pub summary: Option<Prose>,
    /// Fresh: suggested actions, most severe first; the first three are shown.
    #[serde(default)]
    pub actions: Option<Vec<Prose>>,
}

/// The keys an analysis cannot do without.
pub(crate) const REQUIRED: &[&str] = &["project_name", "env", "deployment_number", "verdict"];

impl Analysis {
    /// Where, which, how sure.
    pub(crate) fn facts(&self, page: &Page<'_>) -> Vec<Fact> {
        let mut facts = vec![
            Fact::toned("Verdict", self.verdict.word(), self.verdict.tone()),
            Fact::new("Déploiement", &format!("#{}", self.deployment_number)),
            Fact::new("Environnement", self.env.as_str()),
        ];
        facts.extend(self.signals());
        if let Some(confidence) = self.confidence {
            facts.push(Fact::new(
                "Confiance",
                &format!("{:.0} %", confidence * 100.0),
            ));
        }
        if let Some(at) = self.occurred_at {
            facts.push(Fact::new(
                "Date",
                &format!("{} ({})", page.zone.moment(at), page.zone.label()),
            ));
        }
        facts
    }

    /// The two deltas, as far as they are known.
    fn signals(&self) -> impl Iterator<Item = Fact> + '_ {
        let toned = |label, value: f64, unit, alarming: f64| {
            let tone = match value {
                value if value < 0.0 => Tone::Good,
                value if value >= alarming => Tone::Danger,
                _ => Tone::Caution,
            };
            if french::is_flat(value) {
                Fact::new(label, "stable")
            } else {
                Fact::toned(label, &french::signed(value, unit), tone)
            }
        };
        let latency = self
            .latency_delta
            .map(|value| toned("Latence p95", value, "%", 50.0));
        let errors = self
            .error_rate_delta
            .map(|value| toned("Taux d'erreur", value, "pts", 5.0));
        latency.into_iter().chain(errors)
    }

    /// `latence p95 +18 %, taux d'erreur +1,3 pts`; `None` without figures.
    pub(crate) fn in_short(&self) -> Option<String> {
        let parts: Vec<String> = [
            self.latency_delta
                .map(|value| format!("latence p95 {}", french::signed(value, "%"))),
            self.error_rate_delta
                .map(|value| format!("taux d'erreur {}", french::signed(value, "pts"))),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// Up to three suggested actions; the letter's own when there are none.
    pub(crate) fn actions(&self) -> Vec<&str> {
        match self.actions.as_deref() {
            Some(actions) if !actions.is_empty() => {
                actions.iter().take(3).map(Text::as_str).collect()
            }
            _ => match self.verdict {
                Verdict::Ok => vec![],
                Verdict::Warning => vec![
                    "Comparer les métriques d'avant et d'après la mise en production",
                    "Relire les changements de ce déploiement : requêtes, dépendances, configuration",
                    "Surveiller le trafic pendant 15 min avant de décider",
                ],
                Verdict::RollbackRecommended => vec![
                    "Revenir à la version précédente (rollback)",
                    "Vérifier les changements de base de données",
                    "Surveiller le trafic pendant 15 min",
                ],
            },
        }
    }
}
