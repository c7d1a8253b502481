//! The dedicated connection that hears `NOTIFY email_outbox`.
//!
//! LISTEN is registered before anybody is told that we listen, so that nothing inserted in between is missed; a silent
//! connection is asked every poll and given up when it does not answer within another; every (re)connection counts as a wake-up.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::Notify;
use tokio_postgres::AsyncMessage;
use tokio_util::sync::CancellationToken;

use super::connect::{self, ConnectError};
use super::url::DbConfig;

/// The channel of contract §6, rule 6.
const LISTEN: &str = include_str!("sql/listen.sql");
const ALIVE: &str = include_str!("sql/alive.sql");
/// The longest pause between two attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// What the listener tells the others.
#[derive(Debug, Default)]
pub struct Wakes {
    notify: Notify,
    session: AtomicI32,
}

impl Wakes {
    /// Work may be waiting.
    pub fn wake(&self) {
        self.notify.notify_one();
    }

    /// Resolves once for any number of wake-ups since the last time.
    pub async fn woken(&self) {
        self.notify.notified().await;
    }

    /// Backend pid of the listening session; `None` while it is not connected.
    pub fn session(&self) -> Option<i32> {
        match self.session.load(Ordering::Relaxed) {
            0 => None,
            pid => Some(pid),
        }
    }
}

enum Lost {
    Connect(ConnectError),
    Query(tokio_postgres::Error),
    Silent,
    Closed,
}

/// Listens until `stop`, reconnecting with a capped, growing pause.
pub async fn listen(config: DbConfig, wakes: Arc<Wakes>, every: Duration, stop: CancellationToken) {
    let mut pause = Duration::ZERO;
    loop {
        let lost = tokio::select! {
            () = stop.cancelled() => break,
            lost = session(&config, &wakes, every) => lost,
        };
        if wakes.session.swap(0, Ordering::Relaxed) != 0 {
            pause = Duration::ZERO;
        }
        let why = match lost {
            Lost::Connect(error) => error.to_string(),
            Lost::Query(error) => super::pool::describe(&error),
            Lost::Silent => format!("it did not answer within {} s", every.as_secs()),
            Lost::Closed => "the server closed it".into(),
        };
        tracing::warn!(
            retry_in_ms = pause.as_millis(),
            "the LISTEN connection is lost ({why}); the poll serves meanwhile"
        );
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).clamp(Duration::from_millis(250), LONGEST_PAUSE);
    }
    wakes.session.store(0, Ordering::Relaxed);
}

async fn session(config: &DbConfig, wakes: &Wakes, every: Duration) -> Lost {
    let (client, mut connection) = match connect::connect(config).await {
        Ok(connected) => connected,
        Err(error) => return Lost::Connect(error),
    };
    let messages = futures_util::stream::poll_fn(move |context| connection.poll_message(context));
    let hear = async {
        tokio::pin!(messages);
        while let Some(message) = messages.next().await {
            match message {
                Ok(AsyncMessage::Notification(_)) => wakes.wake(),
                Ok(_) => {}
                Err(error) => return Lost::Query(error),
            }
        }
        Lost::Closed
    };
    let ask = async {
        if let Err(error) = client.batch_execute(LISTEN).await {
            return Lost::Query(error);
        }
        loop {
            match tokio::time::timeout(every, client.query_typed_one(ALIVE, &[])).await {
                Ok(Ok(row)) => {
                    if wakes.session.swap(row.get(0), Ordering::Relaxed) == 0 {
                        tracing::info!("listening");
                        wakes.wake();
                    }
                }
                Ok(Err(error)) => return Lost::Query(error),
                Err(_) => return Lost::Silent,
            }
            tokio::time::sleep(every).await;
        }
    };
    tokio::select! {
        lost = hear => lost,
        lost = ask => lost,
    }
}
