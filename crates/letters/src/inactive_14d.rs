//! E-RET-03, fourteen days without a sign: a soft reminder.

use serde::Deserialize;

use super::RenderError;
use super::letter::{Payload, templates};
use super::page::{Composer, Frame, Page, Tone};
use super::value::{Instant, Text};

/// A user who has not been seen for two weeks.
#[derive(Debug, Deserialize)]
pub(crate) struct Inactive14d {
    /// Fresh: the last activity of any kind.
    #[serde(default)]
    pub last_active_at: Option<Instant>,
    /// Fresh: the project with the latest deployment, else the newest; null when there is none.
    #[serde(default, deserialize_with = "super::value::text")]
    pub project_name: Option<Text>,
}

templates!(
    Inactive14d,
    "E-RET-03/subject.stpl",
    "E-RET-03/body.txt.stpl",
    "E-RET-03/body.html.stpl"
);

impl Payload for Inactive14d {
    const CODE: &'static str = "E-RET-03";
    const REQUIRED: &'static [&'static str] = &[];
    const BUTTON: &'static str = "{dashboard_path}";

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        composer.page(Frame {
            kind: "Reprendre",
            tone: Tone::Calm,
            preheader: "Trois gestes et deux minutes pour relancer la surveillance.".to_owned(),
            cta: composer.cta("Reprendre SEQPULSE"),
            why: "Vous recevez ce message parce que votre compte SEQPULSE n'a pas eu d'activité récente.",
        })
    }
}
