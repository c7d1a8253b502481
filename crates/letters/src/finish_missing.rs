//! E-ACT-03, deployments that start and never finish.

use serde::Deserialize;

use super::RenderError;
use super::french;
use super::letter::{Payload, templates};
use super::page::{Composer, Fact, Frame, Page, Tone};
use super::value::{Instant, Text};

/// A project that sends `trigger` and has never sent `finish`.
#[derive(Debug, Deserialize)]
pub(crate) struct FinishMissing {
    /// Fresh.
    pub project_name: Text,
    /// Fresh: of the deployment that caused the letter.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub deployment_number: Option<u64>,
    /// Fresh: its environment.
    #[serde(default, deserialize_with = "super::value::text")]
    pub env: Option<Text>,
    /// Fresh: its start.
    #[serde(default)]
    pub started_at: Option<Instant>,
    /// Fresh: deployments of the project that still run.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub unfinished: Option<u64>,
}

templates!(
    FinishMissing,
    "E-ACT-03/subject.stpl",
    "E-ACT-03/body.txt.stpl",
    "E-ACT-03/body.html.stpl"
);

impl FinishMissing {
    fn facts(&self, page: &Page<'_>) -> Vec<Fact> {
        let mut facts = Vec::with_capacity(4);
        if let Some(number) = self.deployment_number {
            facts.push(Fact::new("Déploiement", &format!("#{number}")));
        }
        facts.extend(Fact::known("Environnement", self.env.as_ref()));
        if let Some(at) = self.started_at {
            facts.push(Fact::new("Trigger reçu", &page.zone.moment(at)));
        }
        facts.push(Fact::new("Finish reçu", "aucun"));
        if let Some(unfinished) = self.unfinished.filter(|&count| count > 1) {
            facts.push(Fact::new(
                "En attente",
                &french::count(unfinished, "déploiement", "déploiements"),
            ));
        }
        facts
    }
}

impl Payload for FinishMissing {
    const CODE: &'static str = "E-ACT-03";
    const REQUIRED: &'static [&'static str] = &["project_name"];
    const BUTTON: &'static str =
        "/dashboard/projects/{unique_slug}?tab=integration | /dashboard/projects";

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        composer.page(Frame {
            kind: "Intégration",
            tone: Tone::Calm,
            preheader: "Le début du déploiement nous parvient, pas sa fin : l'analyse ne peut pas commencer.".to_owned(),
            cta: composer.cta("Corriger mon intégration"),
            why: "Vous recevez ce message parce qu'un déploiement de votre projet attend son signal de fin.",
        })
    }
}
