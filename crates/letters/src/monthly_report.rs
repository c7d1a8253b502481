//! E-CONV-05, the month of a user's Free projects, and what the Pro plan adds.

use serde::Deserialize;
use serde_json::Value;

use super::RenderError;
use super::chart::{self, Project};
use super::french;
use super::letter::{self, Payload, templates};
use super::page::{Composer, Frame, Page, Tone};
use super::report::Figures;
use super::value::{Month, Text};

/// A month of one Free project or of several.
#[derive(Debug, Deserialize)]
pub(crate) struct MonthlyReport {
    /// Fresh; null when the report is about several.
    #[serde(default, deserialize_with = "super::value::text")]
    pub project_name: Option<Text>,
    /// Fresh: the Free projects with a deployment in the month.
    #[serde(default)]
    pub projects: Option<Vec<Project>>,
    /// Payload: the UTC month reported on.
    pub month: Month,
    /// Fresh.
    #[serde(skip)]
    pub figures: Figures,
}

templates!(
    MonthlyReport,
    "E-CONV-05/subject.stpl",
    "E-CONV-05/body.txt.stpl",
    "E-CONV-05/body.html.stpl"
);

impl MonthlyReport {
    /// `de février`, `d'avril`.
    fn of_month(&self) -> String {
        french::of_month(self.month.0)
    }

    /// `Février`, as a column's heading.
    fn month_name(&self) -> String {
        let name = french::month(self.month.0);
        let mut letters = name.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().chain(letters).collect()
        })
    }

    /// `« API Gateway »`, `Vos 7 projets Free`.
    fn whose(&self) -> String {
        let projects = self.projects.as_deref().unwrap_or_default();
        match (projects, &self.project_name) {
            ([project], _) => format!("« {} »", project.name),
            ([], Some(name)) => format!("« {name} »"),
            ([], None) => "Vos projets Free".to_owned(),
            (several, _) => format!("Vos {} projets Free", several.len()),
        }
    }

    /// What the figures mean.
    fn comment(&self) -> String {
        self.figures.comment(match self.figures.alerts() {
            1 => "l'alerte du mois est détaillée dans le dashboard.",
            _ => "les alertes du mois sont détaillées dans le dashboard.",
        })
    }

    /// Where the latest alert of the only project is shown; several projects have links of their own.
    fn link(&self, page: &Page<'_>) -> Option<String> {
        match self.projects.as_deref() {
            Some([project]) if self.figures.alerts() > 0 => project.href(page),
            _ => None,
        }
    }

    fn rows(&self, page: &Page<'_>) -> Vec<chart::Row<'_>> {
        chart::projects(self.projects.as_deref(), page)
    }

    fn others(&self) -> Option<String> {
        chart::others(self.projects.as_deref())
    }
}

impl Payload for MonthlyReport {
    const CODE: &'static str = "E-CONV-05";
    const REQUIRED: &'static [&'static str] = &["month", "deployments", "warnings", "rollbacks"];
    const BUTTON: &'static str = "{support}";

    fn read(context: &Value) -> Result<Self, RenderError> {
        let report: Self = letter::read(Self::CODE, context)?;
        Ok(Self {
            figures: letter::read(Self::CODE, context)?,
            ..report
        })
    }

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        composer.page(Frame {
            kind: "Bilan du mois",
            tone: Tone::Calm,
            preheader: format!("{} : {}.", self.whose(), self.figures.in_short()),
            cta: composer.cta("Voir le plan Pro"),
            why: "Vous recevez ce bilan une fois par mois pour vos projets Free actifs.",
        })
    }
}
