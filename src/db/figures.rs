//! What the database counts for monitoring (`public.email_metrics`).

use pgconnect::pool::{DbError, Pool};

const FIGURES: &str = include_str!("sql/figures.sql");

/// One row of `public.email_metrics`; what does not apply is empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
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
pub async fn figures(pool: &Pool) -> Result<Vec<Figure>, DbError> {
    let rows = pool.query(FIGURES, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(Figure {
                name: row.try_get("name")?,
                email_type: row.try_get("email_type")?,
                status: row.try_get("status")?,
                reason_class: row.try_get("reason_class")?,
                value: row.try_get("value")?,
            })
        })
        .collect()
}
