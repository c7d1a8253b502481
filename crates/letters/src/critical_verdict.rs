//! E-ACT-05, a verdict that asks somebody to act; `warning` and `rollback_recommended` have their own words.

use serde::Deserialize;

use super::RenderError;
use super::letter::{Payload, templates};
use super::page::{Composer, Fact, Frame, Page};
use super::verdict::{self, Analysis, Verdict};

/// A critical verdict, for the owner and whoever is on call.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct CriticalVerdict(pub Analysis);

templates!(
    CriticalVerdict,
    "E-ACT-05/subject.stpl",
    "E-ACT-05/body.txt.stpl",
    "E-ACT-05/body.html.stpl"
);

impl CriticalVerdict {
    fn facts(&self, page: &Page<'_>) -> Vec<Fact> {
        self.0.facts(page)
    }

    fn is_rollback(&self) -> bool {
        self.0.verdict == Verdict::RollbackRecommended
    }
}

impl Payload for CriticalVerdict {
    const CODE: &'static str = "E-ACT-05";
    const REQUIRED: &'static [&'static str] = verdict::REQUIRED;
    const BUTTON: &'static str =
        "/dashboard/deployments/{project_slug}/{deployment_id} | {dashboard_path}";

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        if self.0.verdict == Verdict::Ok {
            let problem = "is `ok`, expected `warning` or `rollback_recommended`".to_owned();
            return Err(RenderError::Invalid {
                code: Self::CODE,
                field: "verdict".to_owned(),
                problem,
            });
        }
        let number = self.0.deployment_number;
        composer.page(Frame {
            kind: "Alerte",
            tone: self.0.verdict.tone(),
            preheader: match self.0.in_short() {
                Some(figures) => format!("Déploiement #{number} : {figures}."),
                None if self.is_rollback() => format!("Déploiement #{number} : risque élevé pour vos utilisateurs."),
                None => format!("Déploiement #{number} : des signaux à vérifier."),
            },
            cta: composer.cta("Ouvrir le runbook de remédiation"),
            why: "Vous recevez cette alerte parce que vous êtes propriétaire ou d'astreinte sur ce projet.",
        })
    }
}
