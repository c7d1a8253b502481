//! E-RET-01, the week in one glance, on Monday morning.

use chrono::{Datelike, Days, NaiveDate};
use serde::Deserialize;
use serde_json::Value;

use super::RenderError;
use super::chart::{self, Column, Day, Project};
use super::french;
use super::letter::{self, Payload, templates};
use super::page::{Composer, Frame, Page, Tone};
use super::report::Figures;

/// A week over all projects of a user.
#[derive(Debug, Deserialize)]
pub(crate) struct WeeklyReport {
    /// The Monday of the week reported on, in the user's zone.
    pub week_start: NaiveDate,
    /// Fresh.
    #[serde(skip)]
    pub figures: Figures,
    /// Fresh: the seven days; one that is absent had no deployment.
    #[serde(default)]
    pub days: Option<Vec<Day>>,
    /// Fresh: the projects with a deployment in the week, those with alerts first.
    #[serde(default)]
    pub projects: Option<Vec<Project>>,
}

templates!(
    WeeklyReport,
    "E-RET-01/subject.stpl",
    "E-RET-01/body.txt.stpl",
    "E-RET-01/body.html.stpl"
);

impl WeeklyReport {
    /// `du 2 au 8 mars`, `du 30 mars au 5 avril`.
    fn span(&self) -> String {
        let sunday = self
            .week_start
            .checked_add_days(Days::new(6))
            .unwrap_or(self.week_start);
        let monday = if self.week_start.month() == sunday.month() {
            french::day(self.week_start)
        } else {
            french::day_month(self.week_start)
        };
        format!("du {monday} au {}", french::day_month(sunday))
    }

    /// What the figures mean.
    fn comment(&self) -> String {
        if self.figures.deployments == 0 {
            return "Aucun déploiement cette semaine-là : vos derniers verdicts restent à portée de main dans le dashboard.".to_owned();
        }
        self.figures.comment(match self.figures.alerts() {
            1 => "l'alerte de la semaine est détaillée dans le dashboard.",
            _ => "les alertes de la semaine sont détaillées dans le dashboard.",
        })
    }

    fn columns(&self) -> Vec<Column> {
        chart::week(self.week_start, self.days.as_deref())
    }

    fn rows(&self, page: &Page<'_>) -> Vec<chart::Row<'_>> {
        chart::projects(self.projects.as_deref(), page)
    }

    fn others(&self) -> Option<String> {
        chart::others(self.projects.as_deref())
    }

    /// The project, when the week was about one only.
    fn only_project(&self) -> Option<&Project> {
        match self.projects.as_deref() {
            Some([project]) => Some(project),
            _ => None,
        }
    }

    /// Where the alert of the only project is shown; several projects have links of their own.
    fn link(&self, page: &Page<'_>) -> Option<String> {
        let project = self.only_project().filter(|_| self.figures.alerts() > 0)?;
        project.href(page)
    }
}

impl Payload for WeeklyReport {
    const CODE: &'static str = "E-RET-01";
    const REQUIRED: &'static [&'static str] =
        &["week_start", "deployments", "warnings", "rollbacks"];
    const BUTTON: &'static str = "{dashboard_path}";

    fn read(context: &Value) -> Result<Self, RenderError> {
        let report: Self = letter::read(Self::CODE, context)?;
        Ok(Self {
            figures: letter::read(Self::CODE, context)?,
            ..report
        })
    }

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        composer.page(Frame {
            kind: "Rapport hebdo",
            tone: Tone::Calm,
            preheader: match self.figures.latency() {
                Some(latency) => format!("Semaine {} : {latency}.", self.span()),
                None => format!("Semaine {}, tous projets confondus.", self.span()),
            },
            cta: composer.cta("Ouvrir le dashboard"),
            why: "Vous recevez ce rapport chaque lundi quand vous avez utilisé SEQPULSE dans la semaine.",
        })
    }
}
