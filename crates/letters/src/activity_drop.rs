//! E-RET-02, projects that deploy half as much as the week before: an offer to help.

use serde::Deserialize;

use super::RenderError;
use super::french;
use super::letter::{Payload, templates};
use super::page::{Composer, Frame, Page, Tone};
use super::value::Text;

/// So many projects have a line.
const SHOWN: usize = 10;

/// Two weeks of a user's projects, or of their only one.
#[derive(Debug, Deserialize)]
pub(crate) struct ActivityDrop {
    /// Fresh; null when it is about several projects.
    #[serde(default, deserialize_with = "super::value::text")]
    pub project_name: Option<Text>,
    /// Fresh: week N, of all of them.
    #[serde(deserialize_with = "super::value::count")]
    pub deployments: u64,
    /// Fresh: week N-1, of all of them.
    #[serde(deserialize_with = "super::value::count")]
    pub previous_deployments: u64,
    /// Fresh: the projects that dropped, the greatest loss first.
    #[serde(default)]
    pub projects: Option<Vec<Project>>,
}

/// Two weeks of a project.
#[derive(Debug, Deserialize)]
pub(crate) struct Project {
    /// Fresh.
    pub name: Text,
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

impl Project {
    fn before(&self) -> String {
        before(self.previous_deployments)
    }

    fn now(&self) -> String {
        now(self.deployments)
    }
}

impl ActivityDrop {
    fn before(&self) -> String {
        before(self.previous_deployments)
    }

    fn now(&self) -> String {
        now(self.deployments)
    }

    /// The lines, when it is about several projects.
    fn several(&self) -> Option<&[Project]> {
        self.projects.as_deref().filter(|list| list.len() > 1)
    }

    /// The only project.
    fn name(&self) -> Option<&Text> {
        match self.projects.as_deref() {
            Some([project]) => Some(&project.name),
            Some([_, _, ..]) => None,
            _ => self.project_name.as_ref(),
        }
    }

    fn shown(&self) -> &[Project] {
        let list = self.several().unwrap_or_default();
        &list[..list.len().min(SHOWN)]
    }

    /// `Et 3 autres projets.`
    fn others(&self) -> Option<String> {
        let rest = self.several()?.len().checked_sub(SHOWN)?;
        (rest > 0).then(|| {
            let count = french::count(rest as u64, "autre projet", "autres projets");
            format!("Et {count}.")
        })
    }

    /// `votre projet` or `vos projets`.
    fn whose(&self) -> &'static str {
        match self.several() {
            Some(_) => "vos projets",
            None => "votre projet",
        }
    }
}

/// `20 déploiements`.
fn before(deployments: u64) -> String {
    french::count(deployments, "déploiement", "déploiements")
}

/// `7`; none in words: `aucun`.
fn now(deployments: u64) -> String {
    if deployments == 0 {
        "aucun".to_owned()
    } else {
        french::number(deployments)
    }
}

impl Payload for ActivityDrop {
    const CODE: &'static str = "E-RET-02";
    const REQUIRED: &'static [&'static str] = &["deployments", "previous_deployments"];
    const BUTTON: &'static str = "{answer} | {support}";

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        let several = self.several().is_some();
        composer.page(Frame {
            kind: if several { "Vos projets" } else { "Votre projet" },
            tone: Tone::Calm,
            preheader: format!("De {} à {} en une semaine. Besoin d'un coup de main ?", self.before(), self.now()),
            cta: composer.cta("Demander un check intégration"),
            why: if several {
                "Vous recevez ce message parce que les déploiements de vos projets ont nettement diminué."
            } else {
                "Vous recevez ce message parce que les déploiements de votre projet ont nettement diminué."
            },
        })
    }
}
