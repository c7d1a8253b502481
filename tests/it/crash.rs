//! `kill -9` at random instants and at every named point between claim and settle, again and again, while several
//! sidecars drain. At the end the provider's ledger and the journal agree: nothing lost, nothing twice, nothing stuck.
//!
//! `make test` does some cycles, `make crash` many: `CRASH_CYCLES`, `CRASH_LETTERS`, `CRASH_SIDECARS`. `CRASH_SEED` repeats the
//! choices of a run (the machine's timing is not repeated).
//!
//! Long because the storm, its settings and its verdict are one test.

mod takeovers;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use standin::Sandbox;
use standin::fault::{Fault, FaultRule};

use crate::support::{Sidecar, TestDb, sandbox};
use takeovers::Observer;

/// Where `src/worker` passes (`src/failpoint.rs`).
const POINTS: [&str; 9] = [
    "claimed",
    "unrecorded",
    "recorded",
    "in flight",
    "answered",
    "settled",
    "taken over",
    // Only where one member has the whole request refused (Resend).
    "split",
    // Only where the provider can be searched (Postmark).
    "searched",
];

/// After a kill the rest is taken over within this, for as long as anybody lives who can.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(5);

/// One in so many has an address that the provider refuses.
const REFUSED_ONE_IN: usize = 100;

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

struct Fleet<'a> {
    db: &'a TestDb,
    sandbox: &'a Sandbox,
    run: &'a Run,
    dice: Dice,
    sidecars: Vec<Sidecar>,
    /// How often it was killed, and where.
    kills: BTreeMap<String, usize>,
    observer: Observer,
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
        let until = Instant::now() + Duration::from_millis(u64::try_from(pause).expect("small"));
        while Instant::now() < until {
            self.note_deaths();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let victim = self.dice.below(self.sidecars.len());
        let mut killed = 0;
        for at in 0..self.sidecars.len() {
            let dead = self.sidecars[at].has_ended();
            if !dead && at != victim {
                continue;
            }
            self.bury(at).await;
            killed += 1;
            self.sidecars[at] = self.start(true);
        }
        killed
    }

    fn note_deaths(&mut self) {
        for sidecar in &mut self.sidecars {
            if sidecar.has_ended() {
                self.observer.died(sidecar.pid().as_raw(), Instant::now());
            }
        }
    }

    async fn bury(&mut self, at: usize) {
        let sidecar = &mut self.sidecars[at];
        self.observer.died(sidecar.pid().as_raw(), Instant::now());
        sidecar.kill9().await;
        let log = sidecar.log();
        let point = log
            .lines()
            .find_map(|line| line.strip_prefix("killed at the failpoint "));
        let place = point.unwrap_or("a random instant").trim_matches('"');
        *self.kills.entry(place.to_owned()).or_default() += 1;
    }
}

async fn sign_up(db: &TestDb, from: usize, letters: usize) {
    db.exec(&format!(
        "insert into public.users (name, email, hashed_password)
         select 'Nadia', case when n % {REFUSED_ONE_IN} = 0 then 'no address ' || n else 'nadia' || n || '@seqpulse.test' end, 'x'
         from generate_series({from}, {}) n",
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
        let now = (open, sandbox.requests().len());
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
    let sandbox = sandbox().await;
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
        observer: Observer::start(&db).await,
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
        fleet.bury(at).await;
        fleet.sidecars[at] = fleet.start(false);
    }
    let stuck = drained(&db, &sandbox).await;

    let found = Balance::of(&db, &sandbox, run.letters).await;
    println!(
        "crash {provider}: {killed} kills, {} sidecars, {} letters in {} requests: {found}, stuck {stuck}; {:.0} s in all",
        run.sidecars,
        run.letters,
        sandbox.requests().len(),
        began.elapsed().as_secs_f64(),
    );
    let takeovers = fleet.observer.takeovers();
    println!("crash {provider}: {takeovers}");
    println!("crash {provider}: killed at {:?}", fleet.kills);
    tell_what_was_not_sent(&db).await;
    let expected = Balance {
        refused: run.letters / REFUSED_ONE_IN,
        ..Balance::default()
    };
    assert_eq!((found, stuck), (expected, 0));
    let deadlocks: i64 = db
        .value(
            "select deadlocks from pg_stat_database where datname = current_database()",
            &[],
        )
        .await;
    assert_eq!(deadlocks, 0, "nobody waited for each other");
    for waits in [&takeovers.survived, &takeovers.attended] {
        let longest = waits.last().copied().unwrap_or_default();
        assert!(longest <= TAKEN_OVER_WITHIN, "{longest:?}");
    }
}

/// The provider's ledger against the journal, letter by letter.
#[derive(Debug, Default, PartialEq, Eq)]
struct Balance {
    /// Letters that the provider should have and has not.
    lost: usize,
    /// Letters that ended `failed` because the provider does not take their address.
    refused: usize,
    /// Letters that ended `failed` because they are believed to kill sidecars. None of these does.
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
            refused,
            given_up,
            twice,
            unlike,
        } = self;
        write!(
            f,
            "lost {lost}, refused {refused}, given up {given_up}, twice {twice}, journal unlike ledger {unlike}"
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
                "select id::text, status, coalesce(provider_message_id, ''), coalesce(error_message, ''), payload_json ->> 'to_email' like 'no address %' from public.email_deliveries",
                &[],
            )
            .await;
        let mut balance = Self {
            lost: letters - journal.len(),
            twice: ledger.len() - copies.len(),
            ..Self::default()
        };
        for row in &journal {
            let (status, id) = (row.get::<_, &str>(1), row.get::<_, String>(2));
            match copies.get(row.get::<_, &str>(0)) {
                None if status == "failed" && row.get::<_, &str>(3).starts_with("given up: ") => {
                    balance.given_up += 1;
                }
                None if status == "failed" && row.get::<_, bool>(4) => balance.refused += 1,
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
    for (provider, without) in [("resend", "searched"), ("postmark", "split")] {
        for point in POINTS.iter().filter(|point| **point != without) {
            let db = TestDb::only(&["E-TRX-01"]).await;
            let sandbox = sandbox().await;
            sandbox.add_fault(FaultRule::always(Fault::Latency { ms: 10 }));
            let settings = |deadly: &str| {
                Sidecar::builder(&db, provider, &sandbox.url())
                    .env("EMAIL_RECONCILE_SECONDS", "2")
                    .env("EMAIL_TIMEOUT_SECONDS", "1")
                    .env("EMAIL_FAILPOINTS", deadly)
            };
            // The fifth has an address that the provider refuses.
            sign_up(&db, REFUSED_ONE_IN - 4, 5).await;
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
                (0, 4, 4),
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
