//! E-ACT-02, a new user's project without a single deployment after a day: the metrics endpoint that the application wants first,
//! then the two steps that connect a pipeline.

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
    /// Fresh: part of the key by which the application tells a run of the pipeline from another; keys are common to all projects.
    #[serde(default, deserialize_with = "super::value::text")]
    pub project_id: Option<Text>,
    /// Fresh: `projects.tech_stack`, which says whether there is a library for the endpoint.
    #[serde(default, deserialize_with = "super::value::text")]
    pub tech_stack: Option<Text>,
    /// Fresh: whether a metrics endpoint was activated; null where the application does not tell.
    #[serde(default)]
    pub endpoint_active: Option<bool>,
    /// Fresh: whether its last test failed.
    #[serde(default)]
    pub endpoint_failed: Option<bool>,
}

/// The two steps as they stand in a workflow of GitHub Actions; `tests/it/letters/workflow.rs` runs their lines.
const WORKFLOW: &str = include_str!("../../../templates/E-ACT-02/workflow.yml");

templates!(
    ConnectPipeline,
    "E-ACT-02/subject.stpl",
    "E-ACT-02/body.txt.stpl",
    "E-ACT-02/body.html.stpl"
);

impl ConnectPipeline {
    /// The environment as it may stand in a shell line that people copy: anything but a plain name becomes `prod`.
    fn snippet_env(&self) -> &str {
        self.env
            .as_ref()
            .map(Text::as_str)
            .filter(|name| is_plain(name))
            .unwrap_or("prod")
    }

    /// The steps, for this project and environment.
    fn workflow(&self) -> String {
        let project = self.project_id.as_ref().map(Text::as_str);
        WORKFLOW
            .trim_end()
            .replace("{env}", self.snippet_env())
            .replace(
                "{project}",
                project
                    .filter(|id| is_plain(id))
                    .unwrap_or("$GITHUB_REPOSITORY"),
            )
    }

    /// Whether the letter begins with the endpoint: it is the cause, or may be.
    fn wants_endpoint(&self) -> bool {
        self.endpoint_active != Some(true)
    }

    /// What exposes the metrics in this project's stack.
    fn endpoint_how(&self) -> String {
        let stack = self
            .tech_stack
            .as_ref()
            .map(|name| name.as_str().to_lowercase());
        let library = match stack.as_deref() {
            Some("node" | "nodejs" | "node.js") => Some("Node.js"),
            Some("python") => Some("Python"),
            Some("go" | "golang") => Some("Go"),
            _ => None,
        };
        match library {
            Some(language) => format!(
                "Le SDK SEQPULSE pour {language} l'expose à l'adresse /seqpulse-metrics ; l'onglet Integration montre comment l'installer."
            ),
            None => "C'est une adresse de ton service, /seqpulse-metrics, qui répond en JSON avec cinq nombres sous « metrics » : requests_per_sec, latency_p95, error_rate, cpu_usage, memory_usage.".to_owned(),
        }
    }
}

/// A name that no shell takes for anything else.
fn is_plain(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
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
            preheader: match self.endpoint_active {
                Some(false) => "D'abord l'endpoint de métriques, puis deux étapes prêtes à copier.".to_owned(),
                _ => "Deux étapes à ajouter à ton workflow GitHub Actions, prêtes à copier.".to_owned(),
            },
            cta: composer.cta("Voir le guide CI/CD"),
            why: "Tu reçois ce message parce que ton projet SEQPULSE n'a pas encore reçu de déploiement.",
        })
    }
}
