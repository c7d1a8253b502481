//! The demo's clock: `email.clock_offset`, which every rule goes through, set for the database and for open sessions.

use chrono::{DateTime, Utc};
use tokio_postgres::Client;

const FIRST_DAY: &str = include_str!("sql/first_day.sql");
const CLOCK: &str = include_str!("sql/clock.sql");

/// The calendar of the story.
#[derive(Debug)]
pub(super) struct Clock {
    /// Its first day, as Postgres writes a date.
    first_day: String,
}

/// Where the clock stands.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    /// For people, such as `Wed 19 May 10:04`.
    pub(super) label: String,
    /// Since when, by the real clock.
    pub(super) since: DateTime<Utc>,
}

impl Moment {
    /// Without the weekday.
    pub(super) fn short(&self) -> &str {
        self.label
            .split_once(' ')
            .map_or(&self.label, |(_, rest)| rest)
    }
}

impl Clock {
    /// Chooses the first day; nothing is moved yet.
    pub(super) async fn new(operator: &Client) -> Result<Self, tokio_postgres::Error> {
        let first_day = operator.query_one(FIRST_DAY, &[]).await?.try_get(0)?;
        Ok(Self { first_day })
    }

    /// Sets it to `time` in Paris, so many days after the first one. The operator must own the database.
    pub(super) async fn set(
        &self,
        day: i32,
        time: &str,
        operator: &Client,
        application: &Client,
    ) -> Result<Moment, tokio_postgres::Error> {
        let row = operator
            .query_one(CLOCK, &[&self.first_day, &day, &time])
            .await?;
        operator.batch_execute(row.try_get(0)?).await?;
        for session in [operator, application] {
            session.batch_execute(row.try_get(1)?).await?;
        }
        let day: &str = row.try_get(2)?;
        Ok(Moment {
            label: format!("{day} {time}"),
            since: Utc::now(),
        })
    }
}
