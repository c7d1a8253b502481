//! The dedicated connection that hears `NOTIFY email_outbox`, and keeps the watch that makes producers send it.
//!
//! LISTEN is registered before the rest of the sidecar is told that we listen, so that nothing inserted in between is missed; a silent
//! connection is asked every poll and given up when it does not answer within another; every (re)connection counts as a
//! wake-up. Producers send a NOTIFY only while a sidecar holds the advisory locks of `sql/core/12_wake.sql`: they belong to
//! this session, so that they end with it however it ends.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use pgconnect::connect::{self, ConnectError};
use pgconnect::pool::Parameter;
use pgconnect::url::DbConfig;
use tokio::sync::Notify;
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client};
use tokio_util::sync::CancellationToken;

/// The channel of the wake-up (docs/rules.md#wake-up).
const LISTEN: &str = include_str!("sql/listen.sql");
const ALIVE: &str = include_str!("sql/alive.sql");
const TAKE_LANES: &str = include_str!("sql/sleep.sql");
const RELEASE: &str = include_str!("sql/rise.sql");
/// The longest pause between two attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// The lanes: the advisory locks by whose mode a producer and the sidecars agree whether a NOTIFY is needed, a bit each. Their
/// number and their key (1936028016, `seqp` in ASCII) stand once on each side: here and in `sql/core/12_wake.sql`. The word is
/// ours, since "lock" alone would be a row's.
const ALL_LANES: i32 = (1 << 8) - 1;

/// Whether a NOTIFY would tell us about a row that is committed from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Every producer sends a NOTIFY, because we hold all lanes.
    Ours,
    /// Every producer sends a NOTIFY, because other sidecars hold the lanes we do not.
    Others,
    /// A producer is in the middle of a transaction: its row comes without a NOTIFY.
    Open,
    /// We would not hear it: there is no LISTEN connection, or it goes through a pooler, or NOTIFY is switched off.
    NotListening,
}

/// What the listener tells the others, and what they ask of it.
#[derive(Debug, Default)]
pub struct Wakes {
    notify: Notify,
    line: Mutex<Option<Arc<Line>>>,
    connected: Notify,
    pooled: Notify,
}

/// A connection that listens.
struct Line {
    client: Client,
    /// Its backend.
    pid: i32,
    /// Those it holds, a bit each.
    lanes: AtomicI32,
    /// For one answer.
    limit: Duration,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line")
            .field("pid", &self.pid)
            .finish_non_exhaustive()
    }
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
        self.line().map(|line| line.pid)
    }

    /// Resolves once a session listens that did not before, or one is lost.
    pub async fn reconnected(&self) {
        self.connected.notified().await;
    }

    /// Whether this sidecar holds all lanes. False once the session that held them is gone.
    pub fn holds_all(&self) -> bool {
        self.line()
            .is_some_and(|line| line.lanes.load(Ordering::Relaxed) == ALL_LANES)
    }

    /// Takes what lanes are free. When the answer is [`Watch::Ours`] or [`Watch::Others`] for the first time, a claim must
    /// follow before the loop sleeps: what was committed before came without a NOTIFY.
    pub async fn watch(&self) -> Watch {
        let Some(line) = self.line() else {
            return Watch::NotListening;
        };
        let held = line.lanes.load(Ordering::Relaxed);
        let parameters: [Parameter<'_>; 1] = [(&held, Type::INT4)];
        let asked = line.client.query_typed_opt(TAKE_LANES, &parameters);
        let Ok(Ok(Some(row))) = tokio::time::timeout(line.limit, asked).await else {
            // What is wrong with the connection is found out, and logged, by the task that listens.
            return Watch::NotListening;
        };
        let (lanes, watched) = (row.get(0), row.get(1));
        line.lanes.store(lanes, Ordering::Relaxed);
        match (lanes, watched) {
            (ALL_LANES, _) => Watch::Ours,
            (_, true) => Watch::Others,
            (_, false) => Watch::Open,
        }
    }

    /// Gives the lanes back: we are busy, and look by ourselves.
    pub async fn release(&self) {
        let Some(line) = self.line() else { return };
        if line.lanes.swap(0, Ordering::Relaxed) == 0 {
            return;
        }
        // When it fails, the lanes stay with a session that is given up soon: until then producers send needless NOTIFYs.
        let _released =
            tokio::time::timeout(line.limit, line.client.query_typed(RELEASE, &[])).await;
    }

    /// The connection turned out to be one that a pooler shares out: nothing would be heard on it.
    pub fn is_pooled(&self) {
        self.pooled.notify_one();
    }

    fn line(&self) -> Option<Arc<Line>> {
        self.line
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Answers whether there was another one before.
    fn set_line(&self, line: Option<Arc<Line>>) -> bool {
        let mut place = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *place, line);
        self.connected.notify_one();
        before.is_some()
    }
}

enum Lost {
    Connect(ConnectError),
    Query(tokio_postgres::Error),
    Silent,
    Closed,
    Pooled,
}

/// Listens until `stop`, reconnecting with a capped, growing pause.
pub async fn listen(config: DbConfig, wakes: Arc<Wakes>, every: Duration, stop: CancellationToken) {
    let mut pause = Duration::ZERO;
    loop {
        let lost = tokio::select! {
            () = stop.cancelled() => break,
            lost = session(&config, &wakes, every) => lost,
        };
        if wakes.set_line(None) {
            pause = Duration::ZERO;
        }
        let why = match lost {
            Lost::Connect(error) => error.to_string(),
            Lost::Query(error) => pgconnect::pool::describe(&error),
            Lost::Silent => format!("it did not answer within {} s", every.as_secs()),
            Lost::Closed => "the server closed it".into(),
            Lost::Pooled => {
                pause = LONGEST_PAUSE;
                "it goes through a pooler that shares out sessions: set EMAIL_LISTEN_URL to an address of the server itself".into()
            }
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
    wakes.set_line(None);
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
        let pid = match open(&client, every).await {
            Ok(pid) => pid,
            Err(lost) => return lost,
        };
        // The lanes come with the next claim that finds nothing.
        let line = Arc::new(Line {
            client,
            pid,
            lanes: AtomicI32::new(0),
            limit: every,
        });
        wakes.set_line(Some(Arc::clone(&line)));
        tracing::info!("listening");
        wakes.wake();
        loop {
            tokio::time::sleep(every).await;
            if let Err(lost) = alive(&line.client, every).await {
                return lost;
            }
        }
    };
    tokio::select! {
        lost = hear => lost,
        lost = ask => lost,
        () = wakes.pooled.notified() => Lost::Pooled,
    }
}

async fn open(client: &Client, limit: Duration) -> Result<i32, Lost> {
    client.batch_execute(LISTEN).await.map_err(Lost::Query)?;
    alive(client, limit).await
}

async fn alive(client: &Client, limit: Duration) -> Result<i32, Lost> {
    match tokio::time::timeout(limit, client.query_typed_one(ALIVE, &[])).await {
        Ok(Ok(row)) => Ok(row.get(0)),
        Ok(Err(error)) => Err(Lost::Query(error)),
        Err(_) => Err(Lost::Silent),
    }
}
