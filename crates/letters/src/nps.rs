//! E-ADV-01, one question, eleven answers.

use serde::Deserialize;

use super::RenderError;
use super::french;
use super::letter::{Payload, templates};
use super::links::survey_url;
use super::page::{Composer, Frame, Page, Tone};

/// A user who has been around long enough to have an opinion.
#[derive(Debug, Deserialize)]
pub(crate) struct Nps {
    /// Fresh: finished deployments of the user's projects.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub deployments: Option<u64>,
    /// Fresh: days since the first activity.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub active_days: Option<u64>,
}

templates!(
    Nps,
    "E-ADV-01/subject.stpl",
    "E-ADV-01/body.txt.stpl",
    "E-ADV-01/body.html.stpl"
);

impl Nps {
    /// `64 déploiements en 45 jours`; `None` when either is unknown.
    fn milestone(&self) -> Option<String> {
        let deployments = self.deployments.filter(|&count| count > 1)?;
        let days = self.active_days.filter(|&days| days > 1)?;
        Some(format!(
            "{} en {}",
            french::count(deployments, "déploiement", "déploiements"),
            french::days(days)
        ))
    }
}

impl Payload for Nps {
    const CODE: &'static str = "E-ADV-01";
    const REQUIRED: &'static [&'static str] = &[];
    const BUTTON: &'static str = "{survey}";

    /// The score links are [`Page::links`], 0 to 10.
    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        let survey = survey_url(composer.public_url()?, composer.token()?);
        let mut page = composer.page(Frame {
            kind: "Votre avis",
            tone: Tone::Calm,
            preheader: "Une seule question, une note de 0 à 10.".to_owned(),
            cta: composer.cta("Donner ma note"),
            why: "Vous recevez ce message parce que vous utilisez SEQPULSE régulièrement depuis au moins un mois.",
        })?;
        page.links
            .extend((0..=10).map(|score| format!("{survey}?score={score}")));
        Ok(page)
    }
}
