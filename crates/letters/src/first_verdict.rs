//! E-ACT-04, the first verdict of a project: the moment the product shows what it is for.

use serde::Deserialize;

use super::RenderError;
use super::letter::{Payload, templates};
use super::page::{Composer, Fact, Frame, Page};
use super::verdict::{self, Analysis, Verdict, unmeasured_steps};

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
        self.0.facts(page, false)
    }

    fn is(&self, verdict: Verdict) -> bool {
        self.0.verdict == verdict && self.0.is_measured()
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
            tone: self.0.tone(),
            preheader: match self.0.in_short() {
                Some(figures) => format!("Déploiement #{number} : {figures}."),
                None if self.is(Verdict::Ok) => {
                    format!("Déploiement #{number} : toutes les métriques sont dans leurs limites.")
                }
                None if self.0.is_measured() => format!("Le déploiement #{number} est analysé."),
                None => format!("Déploiement #{number} : pourquoi, et que faire."),
            },
            cta: composer.cta(if self.0.is_measured() {
                "Voir le verdict complet"
            } else {
                "Voir le déploiement"
            }),
            why: if composer.links.is_copy() {
                "Vous recevez ce message parce que vous êtes administrateur de ce projet."
            } else {
                "Vous recevez ce message parce que vous êtes propriétaire de ce projet."
            },
        })
    }
}
