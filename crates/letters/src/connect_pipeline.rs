//! E-ACT-02, a project without a single deployment after a day: the snippet that connects a pipeline.

use serde::Deserialize;

use super::RenderError;
use super::letter::{Payload, templates};
use super::page::{Composer, Frame, Page, Tone};
use super::value::Text;

/// A project that has never been deployed.
#[derive(Debug, Deserialize)]
pub(crate) struct ConnectPipeline {
    /// Fresh.
    pub project_name: Text,
    /// Fresh: the project's first environment; null means `prod`.
    #[serde(default, deserialize_with = "super::value::text")]
    pub env: Option<Text>,
}

templates!(
    ConnectPipeline,
    "E-ACT-02/subject.stpl",
    "E-ACT-02/body.txt.stpl",
    "E-ACT-02/body.html.stpl"
);

impl ConnectPipeline {
    /// The environment as it may stand in a shell line that people copy: anything but a plain name becomes `prod`.
    fn snippet_env(&self) -> &str {
        let plain = |name: &&str| {
            name.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        };
        self.env
            .as_ref()
            .map(Text::as_str)
            .filter(plain)
            .unwrap_or("prod")
    }
}

impl Payload for ConnectPipeline {
    const CODE: &'static str = "E-ACT-02";
    const REQUIRED: &'static [&'static str] = &["project_name"];
    const BUTTON: &'static str =
        "/dashboard/projects/{unique_slug}?tab=integration | /dashboard/projects";

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        composer.page(Frame {
            kind: "Premiers pas",
            tone: Tone::Calm,
            preheader: "Deux étapes à ajouter à ton workflow GitHub Actions, prêtes à copier.".to_owned(),
            cta: composer.cta("Voir le guide CI/CD"),
            why: "Tu reçois ce message parce que ton projet SEQPULSE n'a pas encore reçu de déploiement.",
        })
    }
}
