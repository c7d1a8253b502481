//! E-CONV-01, a Free project has used 80 % of its monthly quota.

use serde::Deserialize;

use super::RenderError;
use super::french;
use super::letter::{Payload, templates};
use super::page::{Composer, Frame, Page, Tone};
use super::quota::{self, Quota};

/// The state of the quota when the letter is claimed.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Quota80(pub Quota);

templates!(
    Quota80,
    "E-CONV-01/subject.stpl",
    "E-CONV-01/body.txt.stpl",
    "E-CONV-01/body.html.stpl"
);

impl Payload for Quota80 {
    const CODE: &'static str = "E-CONV-01";
    const REQUIRED: &'static [&'static str] = quota::REQUIRED;
    const BUTTON: &'static str = "{support}";

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        let quota = &self.0;
        composer.page(Frame {
            kind: "Plan Free",
            tone: Tone::Calm,
            preheader: match quota.when() {
                Some(when) => format!("Au rythme actuel, la limite tombe {when}."),
                None => format!("{} encore disponibles ce mois-ci.", french::count(quota.left(), "déploiement", "déploiements")),
            },
            cta: composer.cta("Passer au plan Pro"),
            why: "Vous recevez ce message parce que votre projet Free a utilisé une grande part de son quota mensuel.",
        })
    }
}
