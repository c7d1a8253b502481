//! E-CONV-03, a deployment was refused because the Free quota is used up.

use chrono::NaiveDate;
use serde::Deserialize;

use super::RenderError;
use super::french;
use super::letter::{Payload, templates};
use super::page::{Composer, Fact, Frame, Headline, Page, Tone};
use super::quota::FREE_LIMIT;
use super::value::{Instant, Text};

/// A refused deployment.
#[derive(Debug, Deserialize)]
pub(crate) struct QuotaReached {
    /// Fresh.
    pub project_name: Text,
    /// Fresh; null means the limit.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub deployments_used: Option<u64>,
    /// Fresh; null means 50.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub deployments_limit: Option<u64>,
    /// Payload: when the deployment was refused.
    #[serde(default)]
    pub occurred_at: Option<Instant>,
    /// Fresh: first day of the next UTC month.
    #[serde(default)]
    pub resets_on: Option<NaiveDate>,
}

templates!(
    QuotaReached,
    "E-CONV-03/subject.stpl",
    "E-CONV-03/body.txt.stpl",
    "E-CONV-03/body.html.stpl"
);

impl QuotaReached {
    fn limit(&self) -> u64 {
        self.deployments_limit
            .filter(|&limit| limit > 0)
            .unwrap_or(FREE_LIMIT)
    }

    /// How much of the quota is used, and what that stopped.
    fn headline(&self) -> Headline {
        let used = self.deployments_used.unwrap_or(self.limit());
        Headline::new(&format!(
            "{} déploiements sur {}",
            french::number(used),
            french::number(self.limit())
        ))
        .about(&format!("{}, plan Free", self.project_name))
        .note(
            "Le quota du mois est épuisé : SEQPULSE vient de refuser un déploiement de ce projet.",
        )
    }

    /// When deployments go through again.
    fn resumption(&self) -> String {
        let when = self.resets_on.map_or_else(
            || "au début du mois prochain".to_owned(),
            |day| format!("le {}", french::date(day)),
        );
        format!("Les déploiements reprennent {when}, ou dès que le projet passe en Pro.")
    }

    fn facts(&self, page: &Page<'_>) -> Vec<Fact> {
        let mut facts = Vec::new();
        if let Some(at) = self.occurred_at {
            facts.push(Fact::new(
                "Déploiement refusé",
                &format!("{} ({})", page.zone.moment(at), page.zone.label()),
            ));
        }
        facts
    }
}

impl Payload for QuotaReached {
    const CODE: &'static str = "E-CONV-03";
    const REQUIRED: &'static [&'static str] = &["project_name"];
    const BUTTON: &'static str = "{support}";

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        let page = composer.page(Frame {
            kind: "Plan Free",
            tone: Tone::Danger,
            preheader: "Votre dernier déploiement a été refusé : le quota du mois est épuisé.".to_owned(),
            cta: composer.cta("Reprendre les déploiements"),
            why: "Vous recevez ce message parce qu'un déploiement de votre projet Free a été refusé.",
        })?;
        Ok(page.opening(self.headline()))
    }
}
