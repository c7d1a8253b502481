//! E-CONV-02, a Free project has used 90 % of its monthly quota.

use serde::Deserialize;

use super::RenderError;
use super::french;
use super::letter::{Payload, templates};
use super::page::{Composer, Frame, Page, Tone};
use super::quota::{self, Quota};

/// The state of the quota when the letter is claimed.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Quota90(pub Quota);

templates!(
    Quota90,
    "E-CONV-02/subject.stpl",
    "E-CONV-02/body.txt.stpl",
    "E-CONV-02/body.html.stpl"
);

impl Payload for Quota90 {
    const CODE: &'static str = "E-CONV-02";
    const REQUIRED: &'static [&'static str] = quota::REQUIRED;
    const BUTTON: &'static str = "{support}";

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        let quota = &self.0;
        composer.page(Frame {
            kind: "Plan Free",
            tone: Tone::Caution,
            preheader: match quota.when() {
                Some(when) => format!("À ce rythme, les déploiements suivants seront refusés {when}."),
                None => format!("{}/{} utilisés ce mois-ci.", quota.deployments_used, quota.limit()),
            },
            cta: composer.cta("Débloquer les déploiements illimités"),
            why: "Vous recevez ce message parce que votre projet Free a presque épuisé son quota mensuel.",
        })
    }
}
