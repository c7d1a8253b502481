//! E-TRX-01, the welcome: a first project in two minutes.

use serde::Deserialize;

use super::RenderError;
use super::letter::{Payload, templates};
use super::page::{Composer, Frame, Page, Tone};

/// Needs nothing but the recipient.
#[derive(Debug, Deserialize)]
pub(crate) struct Welcome {}

templates!(
    Welcome,
    "E-TRX-01/subject.stpl",
    "E-TRX-01/body.txt.stpl",
    "E-TRX-01/body.html.stpl"
);

impl Payload for Welcome {
    const CODE: &'static str = "E-TRX-01";
    const REQUIRED: &'static [&'static str] = &[];
    const BUTTON: &'static str = "{onboarding_path}";

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        composer.page(Frame {
            kind: "Bienvenue",
            tone: Tone::Calm,
            preheader: "Un nom, un environnement, une clé d'API : ton premier verdict est à trois étapes d'ici.".to_owned(),
            cta: composer.cta("Créer un projet"),
            why: "Tu reçois ce message parce que tu viens de créer un compte SEQPULSE.",
        })
    }
}
