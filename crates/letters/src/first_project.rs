//! E-ACT-01, signed up two hours ago and no project yet.

use serde::Deserialize;

use super::RenderError;
use super::letter::{Payload, templates};
use super::page::{Composer, Frame, Page, Tone};

/// Needs nothing but the recipient.
#[derive(Debug, Deserialize)]
pub(crate) struct FirstProject {}

templates!(
    FirstProject,
    "E-ACT-01/subject.stpl",
    "E-ACT-01/body.txt.stpl",
    "E-ACT-01/body.html.stpl"
);

impl Payload for FirstProject {
    const CODE: &'static str = "E-ACT-01";
    const REQUIRED: &'static [&'static str] = &[];
    const BUTTON: &'static str = "{onboarding_path}";

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        composer.page(Frame {
            kind: "Premiers pas",
            tone: Tone::Calm,
            preheader: "Créez votre premier projet : tout le reste en découle.".to_owned(),
            cta: composer.cta("Créer un projet"),
            why: "Vous recevez ce message parce que votre compte SEQPULSE n'a pas encore de projet.",
        })
    }
}
