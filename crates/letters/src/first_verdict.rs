//! E-ACT-04, the first verdict of a project: the moment the product shows what it is for.

use serde::Deserialize;

use super::RenderError;
use super::letter::{Payload, templates};
use super::page::{Composer, Fact, Frame, Page, Tone};
use super::verdict::{self, Analysis, Verdict};

/// The first row of `deployment_verdicts` for a project.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct FirstVerdict(pub Analysis);

templates!(
    FirstVerdict,
    "E-ACT-04/subject.stpl",
    "E-ACT-04/body.txt.stpl",
    "E-ACT-04/body.html.stpl"
);

impl FirstVerdict {
    fn facts(&self, page: &Page<'_>) -> Vec<Fact> {
        self.0.facts(page)
    }
}

impl Payload for FirstVerdict {
    const CODE: &'static str = "E-ACT-04";
    const REQUIRED: &'static [&'static str] = verdict::REQUIRED;
    const BUTTON: &'static str =
        "/dashboard/deployments/{project_slug}/{deployment_id} | {dashboard_path}";

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        let number = self.0.deployment_number;
        composer.page(Frame {
            kind: "Premier verdict",
            tone: match self.0.verdict {
                Verdict::Ok => Tone::Good,
                other => other.tone(),
            },
            preheader: match self.0.in_short() {
                Some(figures) => format!("Déploiement #{number} : {figures}."),
                None => format!("Le déploiement #{number} est analysé."),
            },
            cta: composer.cta("Voir le verdict complet"),
            why: "Vous recevez ce message parce que vous suivez ce projet sur SEQPULSE, en tant que propriétaire ou administrateur.",
        })
    }
}
