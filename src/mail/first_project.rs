//! E-ACT-01, signed up two hours ago and no project yet.

use serde::Deserialize;

use super::RenderError;
use super::letter::{Payload, templates};
use super::page::{Desk, Frame, Page, Place, Tone};

/// Needs nothing but the recipient.
#[derive(Debug, Deserialize)]
pub struct FirstProject {}

templates!(
    FirstProject,
    "E-ACT-01/subject.stpl",
    "E-ACT-01/body.txt.stpl",
    "E-ACT-01/body.html.stpl"
);

impl Payload for FirstProject {
    const CODE: &'static str = "E-ACT-01";
    const REQUIRED: &'static [&'static str] = &[];

    fn page<'a>(&self, desk: &Desk<'a>) -> Result<Page<'a>, RenderError> {
        desk.page(Frame {
            kind: "Premiers pas",
            tone: Tone::Calm,
            preheader: "Créez votre premier projet : tout le reste en découle.".to_owned(),
            cta: desk.cta("Créer un projet", Place::Onboarding),
            why: "Vous recevez ce message parce que votre compte SEQPULSE n'a pas encore de projet.",
        })
    }
}
