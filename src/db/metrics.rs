//! What the database counts for monitoring (`public.email_metrics`).

use pgconnect::pool::{DbError, Pool};

const METRICS: &str = include_str!("sql/metrics.sql");

/// One row of `public.email_metrics`; what does not apply is empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Such as `due`.
    pub name: String,
    /// A catalogue code.
    pub email_type: String,
    /// How the letters ended.
    pub status: String,
    /// The kind of reason.
    pub reason_class: String,
    /// How many, or seconds.
    pub value: f64,
}

/// All of them, as of now.
pub async fn metrics(pool: &Pool) -> Result<Vec<Metric>, DbError> {
    let rows = pool.query(METRICS, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(Metric {
                name: row.try_get("name")?,
                email_type: row.try_get("email_type")?,
                status: row.try_get("status")?,
                reason_class: row.try_get("reason_class")?,
                value: row.try_get("value")?,
            })
        })
        .collect()
}
