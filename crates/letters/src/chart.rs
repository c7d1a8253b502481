//! Bars made of table cells, for the reports: a day a column, a project a row. Mail clients show them without images, and
//! every bar is also said in words: in the label that screen readers read, and as a list in the text part.

use chrono::{Datelike, Days, NaiveDate};
use serde::Deserialize;

use super::french;
use super::links;
use super::page::Page;
use super::value::Text;

/// How tall the tallest column is, in pixels.
const HEIGHT: u64 = 88;
/// A part that exists is at least this tall, in pixels, or that wide, in percent.
const LEAST: u64 = 4;
/// So many projects have a bar; the others are counted together.
const SHOWN: usize = 7;

/// What happened on a day, as the context has it.
#[derive(Debug, Deserialize)]
pub(crate) struct Day {
    date: NaiveDate,
    #[serde(default, deserialize_with = "super::value::count_opt")]
    deployments: Option<u64>,
    #[serde(default, deserialize_with = "super::value::count_opt")]
    alerts: Option<u64>,
}

/// What happened in a project, as the context has it.
#[derive(Debug, Deserialize)]
pub(crate) struct Project {
    pub(crate) name: Text,
    #[serde(default, deserialize_with = "super::value::count_opt")]
    deployments: Option<u64>,
    #[serde(default, deserialize_with = "super::value::count_opt")]
    alerts: Option<u64>,
    /// Below the frontend: where its alert is shown, else the project.
    #[serde(default)]
    path: Option<String>,
}

impl Project {
    /// Where it leads; `None` without a usable path.
    pub(crate) fn href(&self, page: &Page<'_>) -> Option<String> {
        links::below(page.frontend_url, self.path.as_deref()?)
    }
}

/// One bar: deployments with an alert on top of (or after) those without.
#[derive(Debug)]
struct Bar {
    deployments: u64,
    alerts: u64,
}

impl Bar {
    fn new(deployments: Option<u64>, alerts: Option<u64>) -> Self {
        Self {
            deployments: deployments.unwrap_or(0),
            alerts: alerts.unwrap_or(0),
        }
    }

    /// `3 déploiements`, `1 déploiement, 1 alerte`.
    fn in_words(&self) -> String {
        let mut words = french::count(self.deployments, "déploiement", "déploiements");
        if self.alerts > 0 {
            words += ", ";
            words += &french::count(self.alerts, "alerte", "alertes");
        }
        words
    }

    /// How long the parts are where `most` deployments are `full` long: without alert, with alert.
    fn parts(&self, most: u64, full: u64) -> (u64, u64) {
        let alerts = self.alerts.min(self.deployments);
        let part = |count: u64| match count {
            0 => 0,
            count => ((count * full + most / 2) / most).max(LEAST),
        };
        (part(self.deployments - alerts), part(alerts))
    }
}

/// A day's bar.
#[derive(Debug)]
pub(crate) struct Column {
    date: NaiveDate,
    bar: Bar,
    /// Pixels of the deployments without alert, and with.
    pub(crate) calm: u64,
    pub(crate) alarming: u64,
}

impl Column {
    /// `lun.`.
    pub(crate) fn label(&self) -> &'static str {
        const SHORT: [&str; 7] = ["lun.", "mar.", "mer.", "jeu.", "ven.", "sam.", "dim."];
        SHORT[self.date.weekday().num_days_from_monday() as usize]
    }

    /// `3`.
    pub(crate) fn number(&self) -> String {
        french::number(self.bar.deployments)
    }

    /// Nothing happened that day.
    pub(crate) fn is_empty(&self) -> bool {
        self.bar.deployments == 0
    }

    pub(crate) fn alerts(&self) -> u64 {
        self.bar.alerts
    }

    /// `lundi : 3 déploiements, 1 alerte`.
    pub(crate) fn in_words(&self) -> String {
        format!("{} : {}", french::weekday(self.date), self.bar.in_words())
    }
}

/// The seven columns of the week that begins on `monday`; none when its days are not known or nothing happened in them.
pub(crate) fn week(monday: NaiveDate, days: Option<&[Day]>) -> Vec<Column> {
    let bars: Vec<(NaiveDate, Bar)> = (0..7)
        .filter_map(|ahead| monday.checked_add_days(Days::new(ahead)))
        .map(|date| {
            let day = days.unwrap_or_default().iter().find(|day| day.date == date);
            let bar = Bar::new(
                day.and_then(|day| day.deployments),
                day.and_then(|day| day.alerts),
            );
            (date, bar)
        })
        .collect();
    let most = bars.iter().map(|(_, bar)| bar.deployments).max();
    let Some(most) = most.filter(|&most| most > 0) else {
        return Vec::new();
    };
    bars.into_iter()
        .map(|(date, bar)| {
            let (calm, alarming) = bar.parts(most, HEIGHT);
            Column {
                date,
                bar,
                calm,
                alarming,
            }
        })
        .collect()
}

/// The days on which something happened, in one sentence, for those who do not see the columns.
pub(crate) fn in_words(columns: &[Column]) -> String {
    columns
        .iter()
        .filter(|column| !column.is_empty())
        .map(Column::in_words)
        .collect::<Vec<_>>()
        .join(" ; ")
}

/// A project's bar.
pub(crate) struct Row<'a> {
    pub(crate) name: &'a Text,
    pub(crate) href: Option<String>,
    bar: Bar,
    /// Percent of the width: without alert, with.
    pub(crate) calm: u64,
    pub(crate) alarming: u64,
}

impl Row<'_> {
    /// `12 déploiements`.
    pub(crate) fn deployments(&self) -> String {
        french::count(self.bar.deployments, "déploiement", "déploiements")
    }

    /// `1 alerte`; `None` without.
    pub(crate) fn alerts(&self) -> Option<String> {
        Some(self.bar.alerts)
            .filter(|&count| count > 0)
            .map(|count| french::count(count, "alerte", "alertes"))
    }

    /// `12 déploiements, 1 alerte`.
    pub(crate) fn in_words(&self) -> String {
        self.bar.in_words()
    }

    /// What is left of the width.
    pub(crate) fn rest(&self) -> u64 {
        100_u64.saturating_sub(self.calm + self.alarming)
    }
}

/// The bars of several projects in the order given, at most seven; a single project needs none.
pub(crate) fn projects<'a>(projects: Option<&'a [Project]>, page: &Page<'_>) -> Vec<Row<'a>> {
    let projects = projects.unwrap_or_default();
    if projects.len() < 2 {
        return Vec::new();
    }
    let most = projects
        .iter()
        .filter_map(|project| project.deployments)
        .max()
        .unwrap_or(0)
        .max(1);
    projects
        .iter()
        .take(SHOWN)
        .map(|project| {
            let bar = Bar::new(project.deployments, project.alerts);
            let (calm, alarming) = bar.parts(most, 100);
            Row {
                name: &project.name,
                href: project.href(page),
                bar,
                calm: calm.min(100 - alarming.min(100)),
                alarming,
            }
        })
        .collect()
}

/// `Et 3 autres projets : 5 déploiements, 1 alerte.`, of those without a bar.
pub(crate) fn others(projects: Option<&[Project]>) -> Option<String> {
    let rest = projects?.get(SHOWN..).filter(|rest| !rest.is_empty())?;
    let sum = |count: fn(&Project) -> Option<u64>| rest.iter().filter_map(count).sum::<u64>();
    let bar = Bar {
        deployments: sum(|project| project.deployments),
        alerts: sum(|project| project.alerts),
    };
    let count = french::count(rest.len() as u64, "autre projet", "autres projets");
    Some(format!("Et {count} : {}.", bar.in_words()))
}
