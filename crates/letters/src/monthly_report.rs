//! E-CONV-05, a Free project's month, and what the plan did not show.

use serde::Deserialize;
use serde_json::Value;

use super::RenderError;
use super::french;
use super::letter::{self, Payload, templates};
use super::page::{Composer, Frame, Page, Place, Tone};
use super::report::Figures;
use super::value::{Month, Text};

/// A month of a Free project.
#[derive(Debug, Deserialize)]
pub(crate) struct MonthlyReport {
    /// Fresh.
    pub project_name: Text,
    /// Payload: the UTC month reported on.
    pub month: Month,
    /// Fresh.
    #[serde(skip)]
    pub figures: Figures,
    /// Fresh: SDH hints of the month that the Free plan does not show.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub hidden_anomalies: Option<u64>,
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

    /// `9 anomalies`; `None` when unknown or none.
    fn anomalies(&self) -> Option<String> {
        let count = self.hidden_anomalies.filter(|&count| count > 0)?;
        Some(french::count(count, "anomalie", "anomalies"))
    }
}

impl Payload for MonthlyReport {
    const CODE: &'static str = "E-CONV-05";
    const REQUIRED: &'static [&'static str] = &[
        "project_name",
        "month",
        "deployments",
        "warnings",
        "rollbacks",
    ];

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
            preheader: format!("{} : {}.", self.project_name, self.figures.in_short()),
            cta: composer.cta("Voir le plan Pro", Place::Pricing),
            why: "Vous recevez ce bilan une fois par mois pour chaque projet Free actif.",
        })
    }
}
