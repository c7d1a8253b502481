//! E-CONV-04, somebody tried a feature of the Pro plan.

use serde::{Deserialize, Deserializer};

use super::RenderError;
use super::letter::{Payload, templates};
use super::page::{Composer, Frame, Page, Tone};
use super::value::Text;

/// A feature of the Pro plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feature {
    /// Smart Deployment Hints in full.
    Sdh,
    /// Metrics kept for 30 days.
    Retention,
    /// Export of the data.
    Export,
    /// Alerts by email and Slack.
    Alerts,
    /// Several environments in one project.
    MultiEnv,
    /// One that this version does not know: described in general words.
    Other,
}

impl<'de> Deserialize<'de> for Feature {
    /// By the usual spellings; never fails on a name it does not know.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        Ok(if has(&["sdh", "hint"]) {
            Self::Sdh
        } else if has(&["retention", "rétention", "history"]) {
            Self::Retention
        } else if has(&["export", "csv"]) {
            Self::Export
        } else if has(&["env"]) {
            Self::MultiEnv
        } else if has(&["alert", "slack", "notif"]) {
            Self::Alerts
        } else {
            Self::Other
        })
    }
}

impl Feature {
    /// As a heading: what it is called.
    fn title(self) -> &'static str {
        match self {
            Self::Sdh => "Le SDH complet",
            Self::Retention => "La rétention de 30 jours",
            Self::Export => "L'export de vos données",
            Self::Alerts => "Les alertes email et Slack",
            Self::MultiEnv => "Plusieurs environnements par projet",
            Self::Other => "Cette fonctionnalité",
        }
    }

    /// `est réservé au plan Pro`, agreeing with the title.
    fn reserved(self) -> &'static str {
        match self {
            Self::Sdh | Self::Export => "est réservé au plan Pro",
            Self::Retention | Self::Other => "est réservée au plan Pro",
            Self::Alerts => "sont réservées au plan Pro",
            Self::MultiEnv => ": c'est possible en Pro",
        }
    }

    /// What it would do for the reader.
    fn benefit(self) -> &'static str {
        match self {
            Self::Sdh => {
                "Avec Pro, chaque verdict vient avec un diagnostic par métrique et les actions à mener en premier, au lieu d'un simple feu orange."
            }
            Self::Retention => {
                "Avec Pro, vos métriques restent consultables un mois : de quoi comparer une version à celle d'il y a trois semaines, et retrouver quand une dérive a commencé."
            }
            Self::Export => {
                "Avec Pro, vos données sortent de SEQPULSE en un fichier, prêtes pour votre tableur, votre post-mortem ou votre outil interne."
            }
            Self::Alerts => {
                "Avec Pro, un verdict critique vient à vous, par email ou dans Slack, sans attendre que quelqu'un ouvre le dashboard."
            }
            Self::MultiEnv => {
                "Avec Pro, staging et production vivent dans le même projet, chacun avec ses propres verdicts : vous voyez une régression avant qu'elle n'atteigne la production."
            }
            Self::Other => {
                "Elle s'active pour ce projet dès le passage au plan Pro, sans rien changer à votre intégration."
            }
        }
    }
}

/// An attempt to use a Pro feature on a Free project.
#[derive(Debug, Deserialize)]
pub(crate) struct ProFeature {
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

templates!(
    ProFeature,
    "E-CONV-04/subject.stpl",
    "E-CONV-04/body.txt.stpl",
    "E-CONV-04/body.html.stpl"
);

impl ProFeature {
    /// Both environments, when the application replaced one by the other.
    fn replaced_env(&self) -> Option<(&Text, &Text)> {
        self.original_env.as_ref().zip(self.forced_env.as_ref())
    }
}

impl Payload for ProFeature {
    const CODE: &'static str = "E-CONV-04";
    const REQUIRED: &'static [&'static str] = &["feature"];
    const BUTTON: &'static str = "{support}";

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        composer.page(Frame {
            kind: "Plan Pro",
            tone: Tone::Calm,
            preheader: format!("{} {}.", self.feature.title(), self.feature.reserved()),
            cta: composer.cta("Activer Pro"),
            why: "Vous recevez ce message parce que vous avez essayé une fonctionnalité du plan Pro.",
        })
    }
}
