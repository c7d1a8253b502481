//! E-RET-04, thirty days without a sign: win back or let go, with one reminder.

use serde::Deserialize;

use super::RenderError;
use super::letter::{Payload, templates};
use super::page::{Composer, Frame, Page, Tone};
use super::value::{Instant, Text};

/// Which letter of the sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Step {
    /// After thirty days.
    J30,
    /// A week later, the last.
    J37,
}

/// A user who has not been seen for a month.
#[derive(Debug, Deserialize)]
pub(crate) struct Inactive30d {
    /// Payload.
    pub step: Step,
    /// Fresh: the last activity of any kind.
    #[serde(default)]
    pub last_active_at: Option<Instant>,
    /// Fresh: the project with the latest deployment, else the newest; null when there is none.
    #[serde(default, deserialize_with = "super::value::text")]
    pub project_name: Option<Text>,
}

templates!(
    Inactive30d,
    "E-RET-04/subject.stpl",
    "E-RET-04/body.txt.stpl",
    "E-RET-04/body.html.stpl"
);

impl Payload for Inactive30d {
    const CODE: &'static str = "E-RET-04";
    const REQUIRED: &'static [&'static str] = &["step"];
    const BUTTON: &'static str = "{answer} | {dashboard_path}";

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        composer.page(Frame {
            kind: "Vos alertes",
            tone: Tone::Calm,
            preheader: match self.step {
                Step::J30 => "Un clic suffit pour nous dire que vous êtes toujours là.".to_owned(),
                Step::J37 => "Sans réponse de votre part, nous ne vous relancerons plus.".to_owned(),
            },
            cta: composer.cta("Oui, je reste actif"),
            why: "Vous recevez ce message parce que votre compte SEQPULSE est sans activité depuis plus de 30 jours.",
        })
    }
}
