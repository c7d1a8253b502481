//! `kill -9` at random instants and at every named point between claim and settle, again and again, while several
//! sidecars drain. At the end the provider's ledger and the journal agree: nothing lost, nothing twice, nothing stuck.
//!
//! `make test` does some cycles, `make crash` many: `CRASH_CYCLES`, `CRASH_LETTERS`, `CRASH_SIDECARS`. `CRASH_SEED` repeats the
//! choices of a run (the machine's timing is not repeated).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use seqpulse_mailer::sandbox::fault::{Fault, FaultRule};
use seqpulse_mailer::sandbox::{Sandbox, SandboxOptions};

use crate::support::{Sidecar, TestDb, connect_to};

/// Where `src/worker` passes (`src/failpoint.rs`).
const POINTS: [&str; 8] = [
    "claimed",
    "unrecorded",
    "recorded",
    "in flight",
    "answered",
    "settled",
    "taken over",
    "searched",
];

/// A run in which nothing changes for this long is stuck.
const PATIENCE: Duration = Duration::from_secs(90);

struct Run {
    provider: &'static str,
    cycles: usize,
    letters: usize,
    sidecars: usize,
    seed: u64,
}

impl Run {
    fn of(provider: &'static str) -> Self {
        let number = |name: &str, default: usize| {
            let value = std::env::var(name).ok();
            value.map_or(default, |value| value.parse().expect("a number"))
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let nanos = usize::try_from(now.expect("after 1970").subsec_nanos()).expect("small");
        let run = Self {
            provider,
            cycles: number("CRASH_CYCLES", 20),
            letters: number("CRASH_LETTERS", 1000),
            sidecars: number("CRASH_SIDECARS", 3),
            seed: u64::try_from(number("CRASH_SEED", nanos)).expect("64 bits"),
        };
        println!("crash {provider}: CRASH_SEED={}", run.seed);
        run
    }
}

/// `SplitMix64`: choices that a seed repeats.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let limit = u64::try_from(limit).expect("64 bits");
        usize::try_from((mixed ^ (mixed >> 31)) % limit).expect("below a usize")
    }
}

/// How long what a killed sidecar held stayed with it.
type Waits = Arc<Mutex<Vec<Duration>>>;

struct Fleet<'a> {
    db: &'a TestDb,
    sandbox: &'a Sandbox,
    run: &'a Run,
    dice: Dice,
    sidecars: Vec<Sidecar>,
    /// How often it was killed, and where.
    kills: BTreeMap<String, usize>,
    waits: Waits,
    watchers: Vec<tokio::task::JoinHandle<()>>,
}

impl Fleet<'_> {
    fn start(&mut self, deadly: bool) -> Sidecar {
        let mut builder = Sidecar::builder(self.db, self.run.provider, &self.sandbox.url())
            .env("EMAIL_BATCH_SIZE", "20")
            .env("EMAIL_RECONCILE_SECONDS", "4")
            .env("EMAIL_TIMEOUT_SECONDS", "2")
            .env("RUST_LOG", "warn");
        // Every second one dies by itself.
        if deadly && self.dice.below(2) == 0 {
            let point = POINTS[self.dice.below(POINTS.len())];
            let nth = 1 + self.dice.below(6);
            builder = builder.env("EMAIL_FAILPOINTS", &format!("{point}:{nth}"));
        }
        builder.spawn()
    }

    /// Kills one of them, buries all who died, and starts others in their places.
    async fn cycle(&mut self) -> usize {
        let pause = 50 + self.dice.below(450);
        tokio::time::sleep(Duration::from_millis(u64::try_from(pause).expect("small"))).await;
        let victim = self.dice.below(self.sidecars.len());
        let mut killed = 0;
        for at in 0..self.sidecars.len() {
            let dead = self.sidecars[at].has_ended();
            if !dead && at != victim {
                continue;
            }
            let pid = self.sidecars[at].pid().as_raw();
            self.sidecars[at].kill9().await;
            self.watch(pid).await;
            let log = self.sidecars[at].log();
            let point = log
                .lines()
                .find_map(|line| line.strip_prefix("killed at the failpoint "));
            let place = point.unwrap_or("a random instant").trim_matches('"');
            *self.kills.entry(place.to_owned()).or_default() += 1;
            killed += 1;
            self.sidecars[at] = self.start(true);
        }
        killed
    }

    /// Measures how long rows stay with a sidecar that is gone.
    async fn watch(&mut self, pid: i32) {
        let client = connect_to(self.db.url()).await;
        let waits = Arc::clone(&self.waits);
        self.watchers.push(tokio::spawn(async move {
            let held = "select count(*) from public.email_outbox o join public.email_workers w on w.id = o.locked_by
                 left join public.email_batches b on b.batch_id = o.batch_id
                 where w.pid = $1 and o.status = 'sending' and b.state is distinct from 'unknown'";
            let started = Instant::now();
            let mut holding = false;
            while let Ok(row) = client.query_one(held, &[&pid]).await {
                if row.get::<_, i64>(0) == 0 || started.elapsed() > PATIENCE {
                    break;
                }
                holding = true;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            if holding && let Ok(mut waits) = waits.lock() {
                waits.push(started.elapsed());
            }
        }));
    }
}

async fn sign_up(db: &TestDb, from: usize, letters: usize) {
    db.exec(&format!(
        "insert into public.users (name, email, hashed_password)
         select 'Nadia', 'nadia' || n || '@seqpulse.test', 'x' from generate_series({from}, {}) n",
        from + letters - 1
    ))
    .await;
}

/// Waits for every row to end, for as long as something still changes.
async fn drained(db: &TestDb, sandbox: &Sandbox) -> i64 {
    let mut before = (0, 0);
    let mut changed = Instant::now();
    loop {
        let open: i64 = db
            .value(
                "select count(*) from public.email_outbox where status in ('queued', 'sending')",
                &[],
            )
            .await;
        let now = (open, sandbox.count());
        if now != before {
            before = now;
            changed = Instant::now();
        }
        if open == 0 || changed.elapsed() > PATIENCE {
            return open;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn survives(provider: &'static str) {
    let run = Run::of(provider);
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = Sandbox::start(SandboxOptions::default())
        .await
        .expect("a free port");
    // Slow enough to be killed in the middle of a request.
    sandbox.add_fault(FaultRule::always(Fault::Latency { ms: 10 }));
    sandbox.change_settings(|settings| settings.index_delay_ms = 500);
    let began = Instant::now();
    let mut fleet = Fleet {
        db: &db,
        sandbox: &sandbox,
        run: &run,
        dice: Dice(run.seed),
        sidecars: Vec::new(),
        kills: BTreeMap::new(),
        waits: Waits::default(),
        watchers: Vec::new(),
    };
    for _ in 0..run.sidecars {
        let sidecar = fleet.start(true);
        fleet.sidecars.push(sidecar);
    }
    let (mut killed, mut signed_up) = (0, 0);
    while killed < run.cycles {
        let due = (run.letters * (killed + 1))
            .div_ceil(run.cycles)
            .min(run.letters);
        if due > signed_up {
            sign_up(&db, signed_up + 1, due - signed_up).await;
            signed_up = due;
        }
        killed += fleet.cycle().await;
    }
    if run.letters > signed_up {
        sign_up(&db, signed_up + 1, run.letters - signed_up).await;
    }
    // The rest is for sidecars that live.
    for at in 0..fleet.sidecars.len() {
        fleet.sidecars[at].kill9().await;
        fleet.sidecars[at] = fleet.start(false);
    }
    let stuck = drained(&db, &sandbox).await;
    for watcher in fleet.watchers.drain(..) {
        watcher.await.expect("a watcher does not panic");
    }

    let found = Balance::of(&db, &sandbox, run.letters).await;
    let mut waits = fleet.waits.lock().expect("no watcher panicked").clone();
    waits.sort_unstable();
    let at = |share: usize| {
        waits
            .get((waits.len().saturating_sub(1)) * share / 100)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "crash {provider}: {killed} kills, {} sidecars, {} letters in {} requests: {found}, stuck {stuck}; \
         taken over after {:.1} s (median), {:.1} s (95 %), {:.1} s (longest of {}); {:.0} s in all",
        run.sidecars,
        run.letters,
        sandbox.requests().len(),
        at(50).as_secs_f64(),
        at(95).as_secs_f64(),
        at(100).as_secs_f64(),
        waits.len(),
        began.elapsed().as_secs_f64(),
    );
    println!("crash {provider}: killed at {:?}", fleet.kills);
    tell_what_was_not_sent(&db).await;
    // A letter whose sidecar is killed five times in a row is given up, visibly: a poison row looks just like that.
    let expected = Balance {
        given_up: found.given_up,
        ..Balance::default()
    };
    assert_eq!((found, stuck), (expected, 0));
}

/// The provider's ledger against the journal, letter by letter.
#[derive(Debug, Default, PartialEq, Eq)]
struct Balance {
    /// Letters the provider never accepted, and that were not given up.
    lost: usize,
    /// Letters that ended `failed` because five sidecars in a row died with them before anything was sent.
    given_up: usize,
    /// Copies beyond the first.
    twice: usize,
    /// Letters the provider has, of which the journal says something else, or another id.
    unlike: usize,
}

impl std::fmt::Display for Balance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            lost,
            given_up,
            twice,
            unlike,
        } = self;
        write!(
            f,
            "lost {lost}, given up {given_up}, twice {twice}, journal unlike ledger {unlike}"
        )
    }
}

impl Balance {
    async fn of(db: &TestDb, sandbox: &Sandbox, letters: usize) -> Self {
        let ledger = sandbox.entries();
        let mut copies: HashMap<String, Vec<String>> = HashMap::new();
        for entry in &ledger {
            let delivery = entry.delivery.as_deref().expect("every letter has one");
            let ids = copies.entry(delivery.to_owned()).or_default();
            ids.push(entry.id.to_string());
        }
        let journal = db
            .query(
                "select id::text, status, coalesce(provider_message_id, ''), coalesce(error_message, '') from public.email_deliveries",
                &[],
            )
            .await;
        let mut balance = Self {
            lost: letters - journal.len(),
            given_up: 0,
            twice: ledger.len() - copies.len(),
            unlike: 0,
        };
        for row in &journal {
            let (status, id) = (row.get::<_, &str>(1), row.get::<_, String>(2));
            match copies.get(row.get::<_, &str>(0)) {
                None if status == "failed" && row.get::<_, &str>(3).starts_with("given up: ") => {
                    balance.given_up += 1;
                }
                None => balance.lost += 1,
                Some(ids) if status != "sent" || !ids.contains(&id) => balance.unlike += 1,
                Some(_) => {}
            }
        }
        balance
    }
}

async fn tell_what_was_not_sent(db: &TestDb) {
    let rows = db
        .query(
            "select status || ': ' || coalesce(reason, '') || ' ' || coalesce(last_error, '') || ' ×' || count(*)
             from public.email_outbox where status <> 'sent' group by status, reason, last_error",
            &[],
        )
        .await;
    for row in rows {
        println!("  {}", row.get::<_, &str>(0));
    }
}

#[tokio::test]
async fn killed_again_and_again_resend_gets_every_letter_once() {
    survives("resend").await;
}

#[tokio::test]
async fn killed_again_and_again_postmark_gets_every_letter_once() {
    survives("postmark").await;
}

#[tokio::test]
async fn every_named_point_is_deadly_and_costs_no_letter() {
    for (provider, points) in [("resend", &POINTS[..7]), ("postmark", &POINTS[..])] {
        for point in points {
            let db = TestDb::only(&["E-TRX-01"]).await;
            let sandbox = Sandbox::start(SandboxOptions::default())
                .await
                .expect("a free port");
            sandbox.add_fault(FaultRule::always(Fault::Latency { ms: 10 }));
            let settings = |deadly: &str| {
                Sidecar::builder(&db, provider, &sandbox.url())
                    .env("EMAIL_RECONCILE_SECONDS", "2")
                    .env("EMAIL_TIMEOUT_SECONDS", "1")
                    .env("EMAIL_FAILPOINTS", deadly)
            };
            sign_up(&db, 1, 5).await;
            // A request that is left behind is what these two pass.
            if matches!(*point, "taken over" | "searched") {
                let mut first = settings("in flight:1").spawn();
                first.wait_exit().await;
                expire(&db).await;
            }
            let mut second = settings(&format!("{point}:1")).spawn();
            second.wait_exit().await;
            assert!(
                second
                    .log()
                    .contains(&format!("killed at the failpoint {point:?}")),
                "{}",
                second.log()
            );
            expire(&db).await;
            let _third = settings("").spawn();
            let stuck = drained(&db, &sandbox).await;
            assert_eq!(
                (stuck, sandbox.count(), sandbox.distinct_deliveries()),
                (0, 5, 5),
                "{provider}, killed when {point}"
            );
        }
    }
}

/// Time passes: the lease of whoever was killed is over.
async fn expire(db: &TestDb) {
    db.exec(
        "update public.email_outbox set locked_until = clock_timestamp() where status = 'sending'",
    )
    .await;
}
