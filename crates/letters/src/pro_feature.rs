//! E-CONV-04, what a user of the Free plan tried of the Pro plan: one letter for all of it.
//!
//! Only what the plan truly adds is called ready in it or an advantage of it (docs/owner.md). What else was tried is named,
//! with what is true of it in every plan where that is known, and the subject then promises nothing of it.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::RenderError;
use super::letter::{self, Payload, templates};
use super::page::{Composer, Frame, Page, Tone};
use super::value::Text;

/// So many attempts have a line.
const SHOWN: usize = 10;

/// What was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Feature {
    /// Alerts in Slack; those by email come with every plan.
    Slack,
    /// A longer observation after each release.
    Window,
    /// Several environments in one project.
    MultiEnv,
    /// Another metrics endpoint, once more.
    Endpoint,
    /// What the Pro plan does not add today: only what to call it.
    Named(Named),
}

/// What a feature is called that the plan does not add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    /// Smart Deployment Hints.
    Sdh,
    /// Metrics kept for longer.
    Retention,
    /// Export of the data.
    Export,
    /// By the name the application gave it.
    Other(Text),
}

impl<'de> Deserialize<'de> for Feature {
    /// By the usual spellings; never fails on a name it does not know.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Text::deserialize(deserializer)?;
        let lower = name.as_str().to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        Ok(if has(&["sdh", "hint"]) {
            Self::Named(Named::Sdh)
        } else if has(&["retention", "rétention", "history"]) {
            Self::Named(Named::Retention)
        } else if has(&["export", "csv"]) {
            Self::Named(Named::Export)
        } else if has(&["window", "observation"]) {
            Self::Window
        } else if has(&["endpoint"]) {
            Self::Endpoint
        } else if has(&["multi_env", "multi-env", "environment", "environnement"])
            || lower == "env"
            || lower == "envs"
        {
            Self::MultiEnv
        } else if has(&["alert", "slack", "notif"]) {
            Self::Slack
        } else {
            Self::Named(Named::Other(name))
        })
    }
}

impl Feature {
    /// As a heading: what it is called.
    fn title(&self) -> String {
        match self {
            Self::Slack => "Les alertes dans Slack".to_owned(),
            Self::Window => "L'observation de 15 minutes".to_owned(),
            Self::MultiEnv => "Plusieurs environnements par projet".to_owned(),
            Self::Endpoint => "Changer encore d'endpoint de métriques".to_owned(),
            Self::Named(Named::Sdh) => "Les diagnostics SDH".to_owned(),
            Self::Named(Named::Retention) => "La rétention de 30 jours".to_owned(),
            Self::Named(Named::Export) => "L'export de vos données".to_owned(),
            Self::Named(Named::Other(name)) => format!("« {name} »"),
        }
    }

    /// `est réservé au plan Pro`, agreeing with the title; `None` for what the plan does not add.
    fn reserved(&self) -> Option<&'static str> {
        match self {
            Self::Slack => Some("sont réservées au plan Pro"),
            Self::Window => Some("est réservée au plan Pro"),
            Self::MultiEnv | Self::Endpoint => Some(": c'est possible en Pro"),
            Self::Named(_) => None,
        }
    }

    /// Whether the Pro plan adds it today.
    fn is_added(&self) -> bool {
        self.reserved().is_some()
    }

    /// What it would do for the reader, or what is true of it in every plan; `None` for a feature only its name is known of.
    fn benefit(&self) -> Option<&'static str> {
        match self {
            Self::Slack => Some(
                "Avec Pro, un verdict critique arrive aussi dans le canal Slack de votre équipe, sans attendre que quelqu'un ouvre sa messagerie.",
            ),
            Self::Window => Some(
                "Avec Pro, chaque mise en production est observée pendant 15 minutes au lieu de 5 : une dérive lente a le temps de se voir.",
            ),
            Self::MultiEnv => Some(
                "Avec Pro, un projet suit jusqu'à trois environnements, chacun avec ses propres verdicts : vous voyez une régression avant qu'elle n'atteigne la production.",
            ),
            Self::Endpoint => Some(
                "Avec Pro, l'endpoint de métriques d'un projet peut changer trois fois au lieu d'une, et déménager trois fois.",
            ),
            Self::Named(Named::Sdh) => Some("Aujourd'hui, ils sont les mêmes avec tous les plans."),
            Self::Named(Named::Retention) => {
                Some("Aujourd'hui, la durée de conservation est la même avec tous les plans.")
            }
            Self::Named(Named::Export) => Some("Aujourd'hui, aucun plan ne le propose encore."),
            Self::Named(Named::Other(_)) => None,
        }
    }
}

/// One thing tried on one project.
#[derive(Debug, Deserialize)]
pub(crate) struct Attempt {
    /// Payload.
    pub feature: Feature,
    /// Fresh; null when the signal has no project.
    #[serde(default, deserialize_with = "super::value::text")]
    pub project_name: Option<Text>,
    /// Payload, `multi_env` only: what was asked for.
    #[serde(default, deserialize_with = "super::value::text")]
    pub original_env: Option<Text>,
    /// Payload, `multi_env` only: what was used instead.
    #[serde(default, deserialize_with = "super::value::text")]
    pub forced_env: Option<Text>,
}

impl Attempt {
    /// Both environments, when the application replaced one by the other.
    fn replaced_env(&self) -> Option<(&Text, &Text)> {
        self.original_env.as_ref().zip(self.forced_env.as_ref())
    }
}

/// The attempts that a letter names, the first of them first.
#[derive(Debug)]
pub(crate) struct ProFeature {
    attempts: Vec<Attempt>,
}

/// As the context has them.
#[derive(Debug, Deserialize)]
struct Several {
    #[serde(default)]
    features: Option<Vec<Attempt>>,
}

templates!(
    ProFeature,
    "E-CONV-04/subject.stpl",
    "E-CONV-04/body.txt.stpl",
    "E-CONV-04/body.html.stpl"
);

impl<'de> Deserialize<'de> for ProFeature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let attempts = vec![Attempt::deserialize(deserializer)?];
        Ok(Self { attempts })
    }
}

impl ProFeature {
    /// The attempt, when it is one.
    fn only(&self) -> Option<&Attempt> {
        match self.attempts.as_slice() {
            [attempt] => Some(attempt),
            _ => None,
        }
    }

    fn shown(&self) -> &[Attempt] {
        &self.attempts[..self.attempts.len().min(SHOWN)]
    }

    /// Whether something was tried that the Pro plan does not add.
    fn misses(&self) -> bool {
        self.attempts
            .iter()
            .any(|attempt| !attempt.feature.is_added())
    }

    /// The letter's heading.
    fn heading(&self) -> String {
        match self.only() {
            Some(attempt) => match attempt.feature.reserved() {
                Some(reserved) => format!("{} {reserved}", attempt.feature.title()),
                None => format!(
                    "Vous avez essayé : {}",
                    lower_first(&attempt.feature.title())
                ),
            },
            None => "Ce que vous avez essayé sur SEQPULSE".to_owned(),
        }
    }
}

/// Inside a sentence.
fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}

impl Payload for ProFeature {
    const CODE: &'static str = "E-CONV-04";
    const REQUIRED: &'static [&'static str] = &["feature"];
    const BUTTON: &'static str = "{support}";

    fn read(context: &Value) -> Result<Self, RenderError> {
        let several: Several = letter::read(Self::CODE, context)?;
        match several.features {
            Some(attempts) if !attempts.is_empty() => Ok(Self { attempts }),
            _ => letter::read(Self::CODE, context),
        }
    }

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        composer.page(Frame {
            kind: "Plan Pro",
            tone: Tone::Calm,
            preheader: match self.only() {
                Some(_) => format!("{}.", self.heading()),
                None => "Ce que le plan Pro y change.".to_owned(),
            },
            cta: composer.cta("Activer Pro"),
            why: if self.misses() {
                "Vous recevez ce message parce que vous avez essayé une fonctionnalité avec le plan Free."
            } else {
                "Vous recevez ce message parce que vous avez essayé une fonctionnalité du plan Pro."
            },
        })
    }
}
