//! A deployment's verdict as E-ACT-04 and E-ACT-05 show it.

use serde::Deserialize;

use super::french;
use super::measure::Measure;
use super::page::{Fact, Page, Tone};
use super::value::{Instant, Prose, Text};

/// `deployment_verdicts.verdict`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Nothing to worry about.
    Ok,
    /// A signal crossed its threshold, or nothing could be measured.
    Warning,
    /// Going back is the safer choice.
    RollbackRecommended,
}

impl Verdict {
    /// The word of the application, for subjects.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::RollbackRecommended => "rollback recommandé",
        }
    }

    /// The word for prose.
    pub(crate) fn french(self) -> &'static str {
        match self {
            Self::Warning => "avertissement",
            other => other.word(),
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

/// Another warning that the same letter tells of.
#[derive(Debug, Deserialize)]
pub(crate) struct Other {
    env: Text,
    #[serde(deserialize_with = "super::value::count")]
    deployment_number: u64,
    #[serde(default)]
    occurred_at: Option<Instant>,
    #[serde(default)]
    measured: Option<bool>,
    #[serde(default)]
    metrics: Option<Vec<Measure>>,
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
    /// Fresh: the project's plan; `free` is told what Pro adds.
    #[serde(default, deserialize_with = "super::value::text")]
    plan: Option<Text>,
    /// Fresh: false when the engine found no fault because it could not measure.
    #[serde(default)]
    measured: Option<bool>,
    /// Fresh: when the verdict was reached.
    #[serde(default)]
    pub occurred_at: Option<Instant>,
    /// Fresh: failing ones first.
    #[serde(default)]
    metrics: Option<Vec<Measure>>,
    /// Fresh: why nothing, or not all, could be measured.
    #[serde(default)]
    reasons: Option<Vec<Prose>>,
    /// Fresh: the pipeline said so at its end; it plays no part in the verdict.
    #[serde(default)]
    pub pipeline_failed: Option<bool>,
    /// Fresh: a share, 0 to 1.
    #[serde(default, deserialize_with = "super::value::share")]
    pub confidence: Option<f64>,
    /// Fresh: what the verdict says, in French; shown where there are no figures.
    #[serde(default, deserialize_with = "super::value::text")]
    pub summary: Option<Prose>,
    /// Fresh: the likely cause, in French.
    #[serde(default, deserialize_with = "super::value::text")]
    pub diagnosis: Option<Prose>,
    /// Fresh: suggested actions, most severe first; the first three are shown.
    #[serde(default)]
    pub actions: Option<Vec<Prose>>,
    /// Fresh: earlier warnings that were collected for this letter.
    #[serde(default)]
    others: Option<Vec<Other>>,
}

/// The keys an analysis cannot do without.
pub(crate) const REQUIRED: &[&str] = &["project_name", "env", "deployment_number", "verdict"];

/// What a project on the Free plan does not have; nothing else differs in the application.
const PRO_ADDS: &str = "Le plan Pro ajoute : des déploiements sans quota, une fenêtre d'observation de 15 minutes, trois environnements, Slack et davantage de changements d'endpoint.";

/// What stands in a copy in its place: pages and plan are the owner's alone.
const OWNER_ONLY: &str = "Dans SEQPULSE, seul le propriétaire du projet voit la page de ce déploiement : demandez-lui le détail des mesures.";

/// What to do when nothing could be measured.
const UNMEASURED_STEPS: [&str; 2] = [
    "Vérifier vous-même cette version : trafic, erreurs, latence",
    "Tester l'endpoint de métriques : page du projet, onglet Integration, « Run Test & Activate »",
];

/// The same for somebody who cannot open the project.
const UNMEASURED_STEPS_OF_A_COPY: [&str; 2] = [
    UNMEASURED_STEPS[0],
    "Demander au propriétaire du projet de tester l'endpoint de métriques",
];

/// What to do when nothing could be measured, as far as the reader of this page can do it.
pub(crate) fn unmeasured_steps(page: &Page<'_>) -> &'static [&'static str; 2] {
    if page.is_copy {
        &UNMEASURED_STEPS_OF_A_COPY
    } else {
        &UNMEASURED_STEPS
    }
}

impl Analysis {
    /// Whether the verdict rests on measures.
    pub(crate) fn is_measured(&self) -> bool {
        self.measured != Some(false)
    }

    fn is_free(&self) -> bool {
        self.plan
            .as_ref()
            .is_some_and(|plan| plan.as_str() == "free")
    }

    /// The line below the actions: what Pro adds, for the owner of a Free project; what a copy's reader has to ask for.
    pub(crate) fn closing(&self, page: &Page<'_>) -> Option<&'static str> {
        if page.is_copy {
            Some(OWNER_ONLY)
        } else {
            self.is_free().then_some(PRO_ADDS)
        }
    }

    /// Its colour: the verdict's, and a calm one where nothing was found.
    pub(crate) fn tone(&self) -> Tone {
        if self.warnings() > 0 {
            self.verdict.tone()
        } else {
            Tone::Calm
        }
    }

    /// `Checkout API (prod), déploiement #48`.
    pub(crate) fn about(&self) -> String {
        format!(
            "{} ({}), déploiement #{}",
            self.project_name, self.env, self.deployment_number
        )
    }

    fn measures(&self) -> &[Measure] {
        self.metrics.as_deref().unwrap_or_default()
    }

    fn failing(&self) -> impl Iterator<Item = &Measure> {
        self.measures()
            .iter()
            .filter(|measure| measure.is_failing())
    }

    /// The one fact in large type; `None` without figures.
    pub(crate) fn headline(&self) -> Option<String> {
        self.failing().next().map(Measure::headline)
    }

    /// Whether all that fails was failing before: then the release did not do it.
    pub(crate) fn was_failing(&self) -> bool {
        let mut failing = self.failing().peekable();
        failing.peek().is_some() && failing.all(Measure::was_failing)
    }

    /// How many failing metrics there are.
    pub(crate) fn faults(&self) -> usize {
        self.failing().count()
    }

    /// What fails, what stayed calm, how sure, when. `told`: the first metric is the letter's headline.
    pub(crate) fn facts(&self, page: &Page<'_>, told: bool) -> Vec<Fact> {
        let mut facts: Vec<Fact> = self
            .failing()
            .enumerate()
            .map(|(index, measure)| {
                let (name, line) = (measure.metric.name(), measure.line(told && index == 0));
                if told {
                    Fact::new(name, &line)
                } else {
                    Fact::toned(name, &line, self.verdict.tone())
                }
            })
            .collect();
        let calm: Vec<String> = self.measures().iter().filter_map(Measure::calm).collect();
        if !calm.is_empty() {
            let label = if self.is_measured() {
                "Dans les limites"
            } else {
                "Mesuré, et dans les limites"
            };
            let calm = calm.join(", ");
            facts.push(if self.verdict == Verdict::Ok {
                Fact::toned(label, &calm, Tone::Good)
            } else {
                Fact::new(label, &calm)
            });
        }
        if self.pipeline_failed == Some(true) {
            facts.push(Fact::new("Pipeline", "terminé en échec"));
        }
        if let Some(confidence) = self.confidence.filter(|_| self.is_measured()) {
            facts.push(Fact::new(
                "Confiance",
                &format!("{:.0} %", confidence * 100.0),
            ));
        }
        if let Some(at) = self.occurred_at {
            facts.push(Fact::new(
                "Verdict rendu",
                &format!("{} ({})", page.zone.moment(at), page.zone.label()),
            ));
        }
        facts
    }

    /// What the inbox shows after the subject: every failing metric.
    pub(crate) fn in_short(&self) -> Option<String> {
        let parts: Vec<String> = self.failing().map(Measure::in_short).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// Why it was not, or not fully, measured.
    pub(crate) fn reasons(&self) -> &[Prose] {
        self.reasons.as_deref().unwrap_or_default()
    }

    /// How many verdicts this letter tells of.
    pub(crate) fn told(&self) -> usize {
        1 + self.others.as_ref().map_or(0, Vec::len)
    }

    /// `#49 et #50`: the deployments that this letter tells of, oldest first.
    pub(crate) fn numbers(&self) -> String {
        let mut numbers: Vec<String> = self
            .others
            .iter()
            .flatten()
            .map(|other| format!("#{}", other.deployment_number))
            .collect();
        numbers.push(format!("#{}", self.deployment_number));
        match numbers.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} et {last}", rest.join(", ")),
            _ => numbers.join(""),
        }
    }

    /// One line per warning of a letter that tells of several.
    pub(crate) fn lines(&self, page: &Page<'_>) -> Vec<String> {
        let line =
            |number: u64, env: &Text, at: Option<Instant>, measured: bool, metrics: &[Measure]| {
                let when = at.map_or_else(String::new, |at| format!(" à {}", page.zone.time(at)));
                let failing: Vec<String> = metrics
                    .iter()
                    .filter(|measure| measure.is_failing())
                    .map(Measure::in_short)
                    .collect();
                let what = if !measured {
                    "nous n'avons pas pu mesurer".to_owned()
                } else if failing.is_empty() {
                    "un seuil d'alerte est franchi".to_owned()
                } else {
                    failing.join(", ")
                };
                format!("#{number} ({env}){when} : {what}")
            };
        let others = self.others.iter().flatten().map(|other| {
            let metrics = other.metrics.as_deref().unwrap_or_default();
            line(
                other.deployment_number,
                &other.env,
                other.occurred_at,
                other.measured != Some(false),
                metrics,
            )
        });
        others
            .chain([line(
                self.deployment_number,
                &self.env,
                self.occurred_at,
                self.is_measured(),
                self.measures(),
            )])
            .collect()
    }

    /// Up to three suggested actions, the first on a Free project; the letter's own when there are none.
    pub(crate) fn actions(&self) -> Vec<&str> {
        let shown = if self.is_free() { 1 } else { 3 };
        match self.actions.as_deref() {
            Some(actions) if !actions.is_empty() => {
                actions.iter().take(shown).map(Text::as_str).collect()
            }
            _ => self.own_actions().iter().take(shown).copied().collect(),
        }
    }

    fn own_actions(&self) -> &'static [&'static str] {
        match self.verdict {
            Verdict::Ok => &[],
            Verdict::Warning => &[
                "Comparer les métriques d'avant et d'après la mise en production",
                "Relire les changements de ce déploiement : requêtes, dépendances, configuration",
                "Surveiller le trafic pendant 15 min avant de décider",
            ],
            Verdict::RollbackRecommended => &[
                "Revenir à la version précédente (rollback)",
                "Vérifier les changements de base de données",
                "Surveiller le trafic pendant 15 min",
            ],
        }
    }

    /// The word at the top of an alert.
    pub(crate) fn kind(&self) -> &'static str {
        match self.verdict {
            Verdict::RollbackRecommended => "Alerte",
            _ if self.warnings() > 0 => "Avertissement",
            _ => "Mesure manquante",
        }
    }

    /// How many verdicts of this letter rest on measures: the others are no warnings to a reader.
    pub(crate) fn warnings(&self) -> usize {
        let others = self.others.iter().flatten();
        others.filter(|other| other.measured != Some(false)).count()
            + usize::from(self.is_measured())
    }

    /// How many, in a sentence: `2 avertissements et 1 déploiement non mesuré`.
    pub(crate) fn told_in_words(&self) -> String {
        let warnings = french::count(self.warnings() as u64, "avertissement", "avertissements");
        match self.told() - self.warnings() {
            0 => warnings,
            blind => format!(
                "{warnings} et {}",
                french::count(
                    blind as u64,
                    "déploiement non mesuré",
                    "déploiements non mesurés"
                )
            ),
        }
    }
}
