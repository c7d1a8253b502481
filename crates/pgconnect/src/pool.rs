//! The pool of connections for everything but LISTEN.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_postgres::{ManagerConfig, Object, QueueMode, RecyclingMethod, Runtime};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::connect;
use super::url::DbConfig;

/// What can go wrong between us and Postgres.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// No connection could be had.
    #[error("no database connection: {0}")]
    Pool(#[from] deadpool_postgres::PoolError),
    /// The pool could not be built.
    #[error("the connection pool could not be built")]
    Build(#[from] deadpool_postgres::BuildError),
    /// Postgres refused a statement, or the connection broke.
    #[error("{}", describe(.0))]
    Query(#[from] tokio_postgres::Error),
    /// No answer in time: the connection is given up.
    #[error("the database did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// A value is not what this binary expects.
    #[error("the database answered something this version does not understand: {0}")]
    Unexpected(String),
}

/// Postgres' own words where there are any: tokio-postgres says only "db error".
pub fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{} (SQLSTATE {})", db.message(), db.code().code()),
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}

/// A value and its type, which spares the server the round trip of a described statement.
pub type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// How a pool is used at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Connections it may open.
    pub limit: usize,
    /// Connections that are open.
    pub open: usize,
    /// Of these, not in use.
    pub idle: usize,
    /// Statements that wait for one.
    pub waiting: usize,
}

/// Connections whose sessions can all be renewed at once.
#[derive(Clone, Debug)]
pub struct Pool {
    inner: deadpool_postgres::Pool,
    generation: Arc<AtomicU64>,
    limit: Duration,
}

impl Pool {
    /// A pool of at most `size` connections; connects when first used. A statement that takes longer than `limit` is
    /// taken for a dead connection.
    pub fn new(config: &DbConfig, size: usize, limit: Duration) -> Result<Self, DbError> {
        let manager = connect::manager(
            config,
            ManagerConfig {
                recycling_method: RecyclingMethod::Fast,
            },
        );
        let inner = deadpool_postgres::Pool::builder(manager)
            .max_size(size)
            // The one used last, whose plans are made and whose pages are warm.
            .queue_mode(QueueMode::Lifo)
            .wait_timeout(Some(limit))
            // Connecting limits every attempt by itself; how many there are depends on the hosts.
            .create_timeout(None)
            .runtime(Runtime::Tokio1)
            .build()?;
        Ok(Self {
            inner,
            generation: Arc::default(),
            limit,
        })
    }

    /// Runs one statement, unnamed; a connection that does not answer in time is closed and not used again.
    pub async fn query(
        &self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, DbError> {
        self.query_within(self.limit, statement, parameters).await
    }

    /// As [`Pool::query`], for statements that may take longer than the others.
    pub async fn query_within(
        &self,
        limit: Duration,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, DbError> {
        let generation = self.generation.load(Ordering::Acquire);
        let session = self.inner.get().await?;
        match within(limit, session.query_typed(statement, parameters)).await {
            Ok(rows) => {
                if generation != self.generation.load(Ordering::Acquire) {
                    drop(Object::take(session));
                }
                Ok(rows)
            }
            Err(error) => {
                if matches!(error, DbError::TimedOut(_)) {
                    drop(Object::take(session));
                }
                Err(error)
            }
        }
    }

    /// As [`Pool::query`], for statements that answer exactly one row.
    pub async fn query_one(
        &self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Row, DbError> {
        let rows = self.query(statement, parameters).await?;
        rows.into_iter()
            .next()
            .ok_or_else(|| DbError::Unexpected("no row where one was expected".into()))
    }

    /// Closes every session, so that what `ALTER DATABASE … SET` changed is in force from the next statement on.
    pub fn renew(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        drop(self.inner.retain(|_, _| false));
    }

    /// How it is used at this moment.
    pub fn usage(&self) -> Usage {
        let status = self.inner.status();
        Usage {
            limit: status.max_size,
            open: status.size,
            idle: status.available,
            waiting: status.waiting,
        }
    }

    /// Closes the pool for good.
    pub fn close(&self) {
        self.inner.close();
    }
}

async fn within<T>(
    limit: Duration,
    statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, DbError> {
    match tokio::time::timeout(limit, statement).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(DbError::TimedOut(limit)),
    }
}
