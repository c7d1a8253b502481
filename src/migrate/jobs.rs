//! The jobs of the application's own scheduler that are pending at the switch: moved once, some hundred at a time, so that
//! nobody waits long for a row.

use std::collections::BTreeMap;
use std::fmt;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};
use uuid::Uuid;

const TO_MOVE: &str = include_str!("sql/jobs_to_move.sql");
const MOVE: &str = include_str!("sql/move_jobs.sql");
const MOVED: &str = include_str!("sql/jobs_moved.sql");
const PENDING: &str = include_str!("sql/pending_jobs.sql");
/// Jobs in one transaction.
const AT_ONCE: usize = 500;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MovedJobs {
    /// Jobs whose emails were taken out.
    jobs: usize,
    /// Letters enqueued, by code.
    letters: BTreeMap<String, usize>,
    /// Jobs taken that gave no letter: the key is known already, or the type is disabled.
    without_letter: usize,
    /// Jobs left exactly as they are, and noted.
    left: usize,
}

impl fmt::Display for MovedJobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "moved {} pending job{} of the application's scheduler",
            self.jobs,
            if self.jobs == 1 { "" } else { "s" }
        )?;
        let mut separator = ": ";
        for (code, letters) in &self.letters {
            write!(f, "{separator}{letters} {code}")?;
            separator = ", ";
        }
        if self.without_letter > 0 {
            write!(
                f,
                "; {} of them gave no letter (sent before, or the type is disabled)",
                self.without_letter
            )?;
        }
        if self.left > 0 {
            write!(
                f,
                "; {} left as they are: select error, row_data from public.email_trigger_errors where source = 'email_handover'",
                self.left
            )?;
        }
        Ok(())
    }
}

/// How many jobs are waiting, before anything is installed.
pub(super) async fn pending(client: &Client) -> Result<i64, Error> {
    client.query_typed_one(PENDING, &[]).await?.try_get(0)
}

/// Moves them unless that was done before; `None` when there was nothing to move.
pub(super) async fn move_once(client: &Client) -> Result<Option<MovedJobs>, Error> {
    let rows = client.query_typed(TO_MOVE, &[]).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let ids: Vec<Uuid> = row.try_get("ids")?;
    let mut moved = MovedJobs::default();
    for some in ids.chunks(AT_ONCE) {
        for row in client
            .query_typed(MOVE, &[(&some, Type::UUID_ARRAY)])
            .await?
        {
            if row.try_get::<_, Option<&str>>("fault")?.is_some() {
                moved.left += 1;
                continue;
            }
            let codes: Vec<String> = row.try_get("codes")?;
            moved.jobs += 1;
            moved.without_letter += usize::from(codes.is_empty());
            for code in codes {
                *moved.letters.entry(code).or_default() += 1;
            }
        }
    }
    client.query_typed(MOVED, &[]).await?;
    Ok((moved.jobs + moved.left > 0).then_some(moved))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_counts_letters_by_code() {
        let moved = MovedJobs {
            jobs: 12,
            letters: [("E-TRX-01".to_owned(), 8), ("E-ACT-01".to_owned(), 3)].into(),
            without_letter: 1,
            left: 2,
        };
        assert_eq!(
            moved.to_string(),
            "moved 12 pending jobs of the application's scheduler: 3 E-ACT-01, 8 E-TRX-01; 1 of them gave no letter (sent before, or the type is disabled); 2 left as they are: select error, row_data from public.email_trigger_errors where source = 'email_handover'"
        );
    }
}
