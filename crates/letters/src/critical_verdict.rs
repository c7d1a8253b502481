//! E-ACT-05, a verdict that asks somebody to act. Urgent when going back is recommended; a warning has its own words, several
//! warnings of an hour have one letter, and a verdict that nothing could be measured is no alarm.

use serde::Deserialize;

use super::RenderError;
use super::letter::{Payload, templates};
use super::page::{Composer, Fact, Frame, Headline, Page};
use super::verdict::{self, Analysis, Verdict, unmeasured_steps};

/// A critical verdict, for the owner and the contacts on call.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct CriticalVerdict(pub Analysis);

templates!(
    CriticalVerdict,
    "E-ACT-05/subject.stpl",
    "E-ACT-05/body.txt.stpl",
    "E-ACT-05/body.html.stpl"
);

/// What the letter is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rollback,
    Warning,
    /// Nothing could be measured.
    Unmeasured,
    /// Several verdicts of one project, warnings among them.
    Several,
    /// Several, and none of them could be measured.
    SeveralUnmeasured,
}

impl CriticalVerdict {
    fn kind(&self) -> Kind {
        match (self.0.told(), self.0.is_measured(), self.0.verdict) {
            (2.., _, _) if self.0.warnings() == 0 => Kind::SeveralUnmeasured,
            (2.., _, _) => Kind::Several,
            (_, false, _) => Kind::Unmeasured,
            (_, _, Verdict::RollbackRecommended) => Kind::Rollback,
            _ => Kind::Warning,
        }
    }

    fn facts(&self, page: &Page<'_>) -> Vec<Fact> {
        self.0.facts(page, true)
    }

    fn tells_of_several(&self) -> bool {
        self.0.told() > 1
    }

    /// Whether anything was measured: what was not is no alarm.
    fn is_alarm(&self) -> bool {
        self.0.warnings() > 0
    }

    /// What to do, for the last deployment that the letter tells of.
    fn steps(&self, page: &Page<'_>) -> Vec<&str> {
        if self.0.is_measured() {
            self.0.actions()
        } else {
            unmeasured_steps(page).to_vec()
        }
    }

    fn steps_heading(&self) -> String {
        let number = self.0.deployment_number;
        match (self.kind(), self.0.is_measured()) {
            (Kind::Rollback, _) => "Actions suggérées :".to_owned(),
            (Kind::Several, true) => format!("Par où commencer, pour le #{number} :"),
            (Kind::Several, false) => format!("Que faire, pour le #{number} :"),
            (_, true) => "Par où commencer :".to_owned(),
            (_, false) => "Que faire :".to_owned(),
        }
    }

    fn headline(&self) -> Headline {
        let many = self.0.faults() > 1;
        let already = self.0.was_failing();
        let number = self.0.deployment_number;
        let (fact, about, note) = match self.kind() {
            Kind::Rollback => (
                self.0
                    .headline()
                    .unwrap_or_else(|| "Rollback recommandé".to_owned()),
                self.0.about(),
                format!("SEQPULSE a détecté un risque élevé sur le déploiement #{number} et recommande un rollback."),
            ),
            Kind::Warning => (
                self.0
                    .headline()
                    .unwrap_or_else(|| "Des signaux à vérifier".to_owned()),
                self.0.about(),
                match (already, many) {
                    (true, false) => "Ce seuil était déjà dépassé avant la mise en production : cette version n'en est pas forcément la cause.",
                    (true, true) => "Ces seuils étaient déjà dépassés avant la mise en production : cette version n'en est pas forcément la cause.",
                    (false, _) => "Rien n'impose un retour en arrière pour l'instant, mais mieux vaut vérifier avant que vos utilisateurs ne le remarquent.",
                }
                .to_owned(),
            ),
            Kind::Unmeasured => (
                "Nous n'avons pas pu mesurer".to_owned(),
                self.0.about(),
                "Ni alerte ni feu vert : faute de mesures suffisantes, SEQPULSE ne se prononce pas sur cette version.".to_owned(),
            ),
            Kind::SeveralUnmeasured => (
                "Nous n'avons pas pu mesurer".to_owned(),
                format!("{} : déploiements {}", self.0.project_name, self.0.numbers()),
                "Ces verdicts ont suivi celui que vous avez déjà reçu ; nous les avons réunis ici. Ni alerte ni feu vert : faute de mesures suffisantes, SEQPULSE ne se prononce pas sur ces versions.".to_owned(),
            ),
            Kind::Several => (
                self.0.told_in_words(),
                format!("{} : déploiements {}", self.0.project_name, self.0.numbers()),
                "Ils ont suivi celui que vous avez déjà reçu ; nous les avons réunis ici. Rien n'impose un retour en arrière pour l'instant.".to_owned(),
            ),
        };
        Headline::new(&fact).about(&about).note(&note)
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
        let label = match self.kind() {
            Kind::Rollback | Kind::Warning => "Voir le verdict complet",
            Kind::Unmeasured => "Voir le déploiement",
            Kind::Several | Kind::SeveralUnmeasured => "Voir le dernier déploiement",
        };
        let page = composer.page(Frame {
            kind: self.0.kind(),
            tone: self.0.tone(),
            preheader: match (self.kind(), self.0.in_short()) {
                (Kind::Unmeasured, _) => format!("Déploiement #{number} : pourquoi, et que faire."),
                (Kind::Several | Kind::SeveralUnmeasured, _) => {
                    format!("Le dernier : {}.", self.0.about())
                }
                (_, Some(figures)) => format!("Déploiement #{number} : {figures}."),
                (Kind::Rollback, None) => {
                    format!("Déploiement #{number} : risque élevé pour vos utilisateurs.")
                }
                (_, None) => format!("Déploiement #{number} : des signaux à vérifier."),
            },
            cta: composer.cta(label),
            why: if composer.links.is_copy() {
                "Vous recevez cette alerte parce que vous êtes d'astreinte sur ce projet."
            } else {
                "Vous recevez cette alerte parce que vous êtes propriétaire de ce projet."
            },
        })?;
        Ok(page.opening(self.headline()))
    }
}
