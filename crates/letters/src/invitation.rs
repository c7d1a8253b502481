//! E-TRX-02, an invitation to a project, with two reminders.

use serde::Deserialize;

use super::RenderError;
use super::letter::{Payload, templates};
use super::page::{Composer, Frame, Page, Tone};
use super::value::Text;

/// Which letter of the sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Step {
    /// At once.
    J0,
    /// Two days later, not accepted yet.
    J2,
    /// Five days later, the last.
    J5,
}

/// An invitation that is neither accepted nor revoked.
#[derive(Debug, Deserialize)]
pub(crate) struct Invitation {
    /// Payload.
    pub step: Step,
    /// Fresh.
    pub project_name: Text,
    /// Payload, else the inviter's name fresh from the table.
    #[serde(default, deserialize_with = "super::value::text")]
    pub inviter_name: Option<Text>,
    /// Fresh: the inviter's address, by which an invited person knows them.
    #[serde(default, deserialize_with = "super::value::text")]
    pub inviter_email: Option<Text<254>>,
    /// Payload; only `http` and `https`. SEQPULSE has no page of its own where an invitation is accepted.
    #[serde(default, deserialize_with = "super::value::web_url")]
    pub accept_url: Option<String>,
}

templates!(
    Invitation,
    "E-TRX-02/subject.stpl",
    "E-TRX-02/body.txt.stpl",
    "E-TRX-02/body.html.stpl"
);

impl Invitation {
    /// `Nadia (nadia@example.com)`, or the one of them that is known.
    fn inviter(&self) -> Option<Text<320>> {
        match (&self.inviter_name, &self.inviter_email) {
            (Some(name), Some(email)) => Text::new(&format!("{name} ({email})")),
            (Some(name), None) => Text::new(name.as_str()),
            (None, Some(email)) => Text::new(email.as_str()),
            (None, None) => None,
        }
    }
}

impl Payload for Invitation {
    const CODE: &'static str = "E-TRX-02";
    const REQUIRED: &'static [&'static str] = &["step", "project_name", "accept_url"];
    const BUTTON: &'static str = "{accept_url}";

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        if self.accept_url.is_none() {
            return Err(RenderError::Invalid {
                code: Self::CODE,
                field: "accept_url".to_owned(),
                problem: "is no http or https address".to_owned(),
            });
        }
        composer.page(Frame {
            kind: "Invitation",
            tone: Tone::Calm,
            preheader: match self.step {
                Step::J0 => "Suivez les déploiements et les verdicts du projet avec votre équipe.".to_owned(),
                Step::J2 => "Votre invitation est toujours ouverte : il suffit de l'accepter.".to_owned(),
                Step::J5 => "Nous ne vous relancerons plus après ce message.".to_owned(),
            },
            cta: composer.cta("Accepter l'invitation"),
            why: "Vous recevez ce message parce qu'un membre du projet a indiqué votre adresse. Si cette invitation ne vous dit rien, \
                  ignorez-la.",
        })
    }
}
