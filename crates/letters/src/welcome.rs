//! E-TRX-01, the welcome: a first project in two minutes, or the project that the user was invited to.

use serde::Deserialize;

use super::RenderError;
use super::letter::{Payload, templates};
use super::page::{Composer, Frame, Page, Tone};
use super::value::Text;

/// What became of the invitation to this address so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Invited {
    /// It waits to be accepted.
    Pending,
    /// The user is a member already.
    Accepted,
}

/// Needs nothing but the recipient; who was invited is welcomed to that project.
#[derive(Debug, Deserialize)]
pub(crate) struct Welcome {
    /// Fresh: whether they accepted an invitation; null for those whom nobody invited.
    #[serde(default)]
    pub invitation_accepted: Option<bool>,
    /// Fresh: what they were invited to.
    #[serde(default, deserialize_with = "super::value::text")]
    pub project_name: Option<Text>,
    /// Fresh: by whom.
    #[serde(default, deserialize_with = "super::value::text")]
    pub inviter_name: Option<Text>,
    /// Fresh: where accepting happens; null once it is done.
    #[serde(default, deserialize_with = "super::value::web_url")]
    pub accept_url: Option<String>,
}

templates!(
    Welcome,
    "E-TRX-01/subject.stpl",
    "E-TRX-01/body.txt.stpl",
    "E-TRX-01/body.html.stpl"
);

impl Welcome {
    fn invited(&self) -> Option<Invited> {
        Some(if self.invitation_accepted? {
            Invited::Accepted
        } else {
            Invited::Pending
        })
    }

    /// `le projet « API Gateway »`, `un projet`.
    fn project(&self) -> String {
        match &self.project_name {
            Some(name) => format!("le projet « {name} »"),
            None => "un projet".to_owned(),
        }
    }

    /// `Nadia`, `Ton équipe`.
    fn inviter(&self) -> &str {
        self.inviter_name
            .as_ref()
            .map_or("Ton équipe", Text::as_str)
    }
}

impl Payload for Welcome {
    const CODE: &'static str = "E-TRX-01";
    const REQUIRED: &'static [&'static str] = &[];
    const BUTTON: &'static str = "{onboarding_path}";

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        composer.page(Frame {
            kind: "Bienvenue",
            tone: Tone::Calm,
            preheader: match self.invited() {
                Some(Invited::Pending) => format!("{} t'attend sur {}.", self.inviter(), self.project()),
                Some(Invited::Accepted) => format!("Avec {}, tout est prêt : tu n'as rien à créer.", self.project()),
                None => "Un nom, une stack, une clé d'API : ton premier verdict est à trois étapes d'ici.".to_owned(),
            },
            cta: match self.invited() {
                Some(Invited::Pending) if self.accept_url.is_some() => composer.cta_at("Accepter l'invitation", "{accept_url} | {dashboard_path}"),
                Some(_) => composer.cta_at("Ouvrir le dashboard", "{dashboard_path}"),
                None => composer.cta("Créer un projet"),
            },
            why: "Tu reçois ce message parce que tu viens de créer un compte SEQPULSE.",
        })
    }
}
