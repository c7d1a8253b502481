//! E-RET-02, a project that deploys half as much as the week before: an offer to help.

use serde::Deserialize;

use super::RenderError;
use super::french;
use super::letter::{Payload, templates};
use super::page::{Composer, Frame, Page, Tone};
use super::value::Text;

/// Two weeks of a project.
#[derive(Debug, Deserialize)]
pub(crate) struct ActivityDrop {
    /// Fresh.
    pub project_name: Text,
    /// Fresh: week N.
    #[serde(deserialize_with = "super::value::count")]
    pub deployments: u64,
    /// Fresh: week N-1.
    #[serde(deserialize_with = "super::value::count")]
    pub previous_deployments: u64,
}

templates!(
    ActivityDrop,
    "E-RET-02/subject.stpl",
    "E-RET-02/body.txt.stpl",
    "E-RET-02/body.html.stpl"
);

impl ActivityDrop {
    fn before(&self) -> String {
        french::count(self.previous_deployments, "déploiement", "déploiements")
    }

    /// `à 7`, `à 0`; as words: `à aucun`.
    fn now(&self) -> String {
        if self.deployments == 0 {
            "aucun".to_owned()
        } else {
            french::number(self.deployments)
        }
    }
}

impl Payload for ActivityDrop {
    const CODE: &'static str = "E-RET-02";
    const REQUIRED: &'static [&'static str] =
        &["project_name", "deployments", "previous_deployments"];
    const BUTTON: &'static str = "{answer} | {support}";

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        composer.page(Frame {
            kind: "Votre projet",
            tone: Tone::Calm,
            preheader: format!("De {} à {} en une semaine. Besoin d'un coup de main ?", self.before(), self.now()),
            cta: composer.cta("Demander un check intégration"),
            why: "Vous recevez ce message parce que les déploiements de votre projet ont nettement diminué.",
        })
    }
}
