//! How long rows stay with a sidecar that is gone, and whether anybody lived who could have taken them over meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Row};

use crate::support::{TestDb, connect_to};

/// Between two looks at who holds what.
const EVERY: Duration = Duration::from_millis(25);

/// Every sidecar: whether it is on record as running (its LISTEN session is known, so that it claims and takes over), whether
/// it is missed, since when in seconds, and whether it holds rows whose outcome nobody has begun to find out.
const LOOK: &str = "
    select w.pid, w.session_pid is not null, extract(epoch from clock_timestamp() - w.lost_at)::double precision, h.locked_by is not null
    from public.email_workers w
    left join (
        select distinct o.locked_by from public.email_outbox o
        left join public.email_batches b on b.batch_id = o.batch_id
        where o.status = 'sending' and b.state is distinct from 'unknown'
    ) h on h.locked_by = w.id";

/// What was seen of one sidecar.
#[derive(Debug, Clone, Copy, Default)]
struct Life {
    running_since: Option<Instant>,
    died: Option<Instant>,
    missed: Option<Instant>,
    /// When it was last seen to hold rows.
    held: Option<Instant>,
}

type Lives = Arc<Mutex<HashMap<i32, Life>>>;

/// Watches the fleet from beside.
pub(super) struct Observer {
    lives: Lives,
    looking: JoinHandle<()>,
}

impl Observer {
    pub(super) async fn start(db: &TestDb) -> Self {
        let lives = Lives::default();
        let looking = tokio::spawn(look(connect_to(db.url()).await, Arc::clone(&lives)));
        Self { lives, looking }
    }

    /// It was killed at this moment, or found dead.
    pub(super) fn died(&self, pid: i32, at: Instant) {
        let mut lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        lives.entry(pid).or_default().died.get_or_insert(at);
    }

    pub(super) fn takeovers(self) -> Takeovers {
        self.looking.abort();
        let lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        Takeovers::of(&lives.values().copied().collect::<Vec<_>>())
    }
}

async fn look(client: Client, lives: Lives) {
    loop {
        let asked = Instant::now();
        let rows = client.query(LOOK, &[]).await.expect("the fleet's state");
        note(&lives, &rows, asked);
        tokio::time::sleep(EVERY).await;
    }
}

fn note(lives: &Lives, rows: &[Row], asked: Instant) {
    let mut lives = lives.lock().unwrap_or_else(PoisonError::into_inner);
    for row in rows {
        let life = lives.entry(row.get(0)).or_default();
        if row.get(1) {
            life.running_since.get_or_insert(asked);
        }
        if let Some(ago) = row.get::<_, Option<f64>>(2)
            && life.missed.is_none()
        {
            life.missed = asked.checked_sub(Duration::from_secs_f64(ago.max(0.0)));
        }
        if row.get(3) {
            life.held = Some(asked);
        }
    }
}

/// Of every sidecar that left rows behind.
#[derive(Debug, Default)]
pub(super) struct Takeovers {
    /// From the kill until it was noticed.
    noticed: Vec<Duration>,
    /// From the kill until nothing was left with it.
    pub(super) all: Vec<Duration>,
    /// The part of that in which at least one other sidecar was running.
    pub(super) attended: Vec<Duration>,
    /// Those during all of which the same other sidecar was running.
    pub(super) survived: Vec<Duration>,
}

impl Takeovers {
    fn of(lives: &[Life]) -> Self {
        let mut takeovers = Self::default();
        for (at, life) in lives.iter().enumerate() {
            let (Some(died), Some(held)) = (life.died, life.held) else {
                continue;
            };
            if held <= died {
                continue;
            }
            let running: Vec<(Instant, Option<Instant>)> = lives
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != at)
                .filter_map(|(_, other)| Some((other.running_since?, other.died)))
                .collect();
            takeovers.all.push(held - died);
            takeovers.attended.push(covered(&running, died, held));
            if running
                .iter()
                .any(|(from, to)| *from <= died && to.is_none_or(|to| to >= held))
            {
                takeovers.survived.push(held - died);
            }
            if let Some(missed) = life.missed {
                takeovers
                    .noticed
                    .push(missed.saturating_duration_since(died));
            }
        }
        for waits in [
            &mut takeovers.noticed,
            &mut takeovers.all,
            &mut takeovers.attended,
            &mut takeovers.survived,
        ] {
            waits.sort_unstable();
        }
        takeovers
    }
}

/// How much of the time from one instant to another at least one of these spans covers.
fn covered(spans: &[(Instant, Option<Instant>)], from: Instant, to: Instant) -> Duration {
    let mut spans: Vec<(Instant, Instant)> = spans
        .iter()
        .map(|(begin, end)| ((*begin).max(from), end.unwrap_or(to).min(to)))
        .filter(|(begin, end)| begin < end)
        .collect();
    spans.sort_unstable();
    let mut sum = Duration::ZERO;
    let mut reached = from;
    for (begin, end) in spans {
        sum += end.saturating_duration_since(begin.max(reached));
        reached = reached.max(end);
    }
    sum
}

/// Median, 95 % and longest.
struct Spread<'a>(&'a [Duration]);

impl std::fmt::Display for Spread<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = |share: usize| {
            let place = self.0.len().saturating_sub(1) * share / 100;
            self.0.get(place).copied().unwrap_or_default().as_secs_f64()
        };
        let (median, most, longest) = (at(50), at(95), at(100));
        write!(
            f,
            "{median:.1} / {most:.1} / {longest:.1} s ({})",
            self.0.len()
        )
    }
}

impl std::fmt::Display for Takeovers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "median / 95 % / longest (of): noticed {}, taken over {}, of which attended {}; with a survivor {}",
            Spread(&self.noticed),
            Spread(&self.all),
            Spread(&self.attended),
            Spread(&self.survived)
        )
    }
}

#[test]
fn time_is_counted_once_and_only_where_somebody_lived() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let spans = [
        (at(0), Some(at(2))),
        (at(1), Some(at(3))),
        (at(5), Some(at(6))),
        (at(8), None),
    ];
    assert_eq!(covered(&spans, at(1), at(10)), Duration::from_secs(5));
    assert_eq!(covered(&spans, at(3), at(5)), Duration::ZERO);
}

#[test]
fn only_one_that_ran_before_and_after_is_a_survivor() {
    let start = Instant::now();
    let at = |seconds| Some(start + Duration::from_secs(seconds));
    let life = |running_since, died, held| Life {
        running_since,
        died,
        missed: None,
        held,
    };
    let dead = life(at(0), at(10), at(14));
    let seconds = |waits: &[Duration]| waits.iter().map(Duration::as_secs).collect::<Vec<_>>();
    for (other, attended, survived) in [
        (life(at(9), None, None), 4, vec![4]),
        (life(at(9), at(13), None), 3, vec![]),
        (life(at(11), None, None), 3, vec![]),
        (life(None, None, None), 0, vec![]),
    ] {
        let takeovers = Takeovers::of(&[dead, other]);
        assert_eq!(seconds(&takeovers.all), [4]);
        assert_eq!(seconds(&takeovers.attended), [attended]);
        assert_eq!(seconds(&takeovers.survived), survived);
    }
    let released = life(at(0), at(10), at(9));
    assert!(Takeovers::of(&[released]).all.is_empty());
}
