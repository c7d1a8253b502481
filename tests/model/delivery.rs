//! Claim, intent, send, answer, crash, expiry, takeover, settle: `sql/core/30_claim.sql` to `42_batches.sql` and
//! `src/worker/deliver`, with everything in any order.
//!
//! What the model takes for granted is what `docs/guarantees.md` takes for granted: a request reaches the provider within
//! its time limit or not at all, Resend remembers its keys, and what Postmark has accepted is found by the last look.
//! What goes wrong (crashes, lost answers, leases that run out too early) happens a bounded number of times, so every
//! run ends; where it ends, everything must be settled.
//!
//! Long because a model is read as a whole: its state, its actions, and what must always hold.

use stateright::{Checker, Model, Property};

/// How an unknown outcome is resolved (`provider::Recovery`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Recovery {
    /// Resend: the same bytes under the same key.
    Repeat,
    /// Postmark: search, then send what is missing.
    Search,
    /// SMTP: send again.
    Again,
}

/// A guard that is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Without {
    Nothing,
    /// Settling does not look at the holder and the batch.
    FenceAtSettling,
    /// Putting the intent on record does not look at them.
    FenceAtSending,
    /// The request leaves before it is on record.
    Intent,
    /// Postmark is not searched: what is unknown is sent again.
    Search,
    /// The search is believed at once, while the request may still be under way.
    Patience,
    /// A sidecar that stood still after it went on record sends all the same.
    Freshness,
    /// The same letters get another key when they are repeated.
    StableKey,
    /// A refusal of a repetition is taken for a refusal of the first request.
    DoubtAboutRepetitions,
}

const ROWS: usize = 2;
const WORKERS: usize = 2;
const MAX_ATTEMPTS: u8 = 2;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Delivery {
    pub(crate) recovery: Recovery,
    pub(crate) without: Without,
    pub(crate) faults: Faults,
}

/// How often what may still go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Faults {
    pub(crate) crashes: u8,
    /// A request or an answer is lost, or a sidecar gives up waiting.
    pub(crate) losses: u8,
    /// A lease or a request's time limit runs out although its sidecar is alive: it stands still.
    pub(crate) expiries: u8,
    /// The provider refuses a request.
    pub(crate) refusals: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Status {
    Queued,
    Sending,
    Sent,
    Failed,
}

/// A sidecar and which of its lives.
type Holder = (usize, u8);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Row {
    status: Status,
    batch: Option<usize>,
    holder: Option<Holder>,
    expired: bool,
    attempts: u8,
}

/// A row of `email_batches`, and what is known of the batch before there is one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Batch {
    members: u8,
    key: Key,
    /// How often it went on record; 0: never sent.
    requests: u8,
    /// `in_flight_until` has passed: no request of it is under way any more.
    over: bool,
}

/// Derived from the members and their attempts.
type Key = (u8, [u8; ROWS], u8);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Step {
    Idle,
    Claimed(usize),
    TakenOver(usize),
    Recorded(usize),
    Waiting(usize),
    Answered(usize, Answer),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Answer {
    Accepted,
    Refused,
    Unknown,
    /// The search's result, a bit per row.
    Found(u8),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Worker {
    life: u8,
    step: Step,
}

/// Under way to the provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Request {
    batch: usize,
    key: Key,
    from: Holder,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    rows: [Row; ROWS],
    batches: Vec<Batch>,
    workers: [Worker; WORKERS],
    network: Vec<Request>,
    /// What the provider has accepted.
    ledger: [u8; ROWS],
    /// What it remembers.
    keys: Vec<Key>,
    left: Faults,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Claim(usize),
    TakeOver(usize, usize),
    Record(usize),
    Send(usize),
    StandStill(usize),
    Accept(usize, bool),
    AcceptFirstOnly(usize),
    Refuse(usize),
    LoseRequest(usize),
    GiveUpWaiting(usize),
    TimePasses(usize),
    Search(usize),
    Settle(usize),
    Crash(usize),
    Expire(usize),
}

fn member(members: u8, row: usize) -> bool {
    members & (1 << row) != 0
}

impl Delivery {
    fn is(&self, without: Without) -> bool {
        self.without == without
    }

    /// Whether a sidecar that is alive works on the batch.
    fn at_work(state: &State, row: &Row) -> bool {
        row.holder.is_some_and(|(worker, life)| {
            let worker = &state.workers[worker];
            worker.life == life
                && match worker.step {
                    Step::Idle => false,
                    Step::Claimed(batch)
                    | Step::TakenOver(batch)
                    | Step::Recorded(batch)
                    | Step::Waiting(batch)
                    | Step::Answered(batch, _) => Some(batch) == row.batch,
                }
        })
    }

    /// Whether a sidecar has put the batch on record and not sent it yet.
    fn about_to_send(state: &State, batch: usize) -> bool {
        state
            .workers
            .iter()
            .any(|worker| worker.step == Step::Recorded(batch))
    }

    /// The rows of a batch that this sidecar may act on.
    fn held(state: &State, me: Holder, batch: usize) -> u8 {
        let mut held = 0;
        for (at, row) in state.rows.iter().enumerate() {
            if row.status == Status::Sending && row.batch == Some(batch) && row.holder == Some(me) {
                held |= 1 << at;
            }
        }
        held
    }

    fn answer(state: &mut State, request: &Request, answer: Answer) {
        let (worker, life) = request.from;
        let worker = &mut state.workers[worker];
        if worker.life == life && worker.step == Step::Waiting(request.batch) {
            worker.step = Step::Answered(request.batch, answer);
        }
    }

    fn settle(&self, state: &mut State, me: usize, batch: usize, answer: &Answer) {
        let holder = (me, state.workers[me].life);
        let members = state.batches[batch].members;
        let repeated =
            state.batches[batch].requests > 1 && !self.is(Without::DoubtAboutRepetitions);
        for at in 0..ROWS {
            let row = &mut state.rows[at];
            let fenced = row.batch == Some(batch) && row.holder == Some(holder);
            if !member(members, at)
                || row.status != Status::Sending
                || !(fenced || self.is(Without::FenceAtSettling))
            {
                continue;
            }
            let queue = |row: &mut Row| {
                row.status = if row.attempts >= MAX_ATTEMPTS {
                    Status::Failed
                } else {
                    Status::Queued
                };
                row.batch = None;
                row.holder = None;
                row.expired = false;
            };
            match answer {
                Answer::Accepted => row.status = Status::Sent,
                Answer::Found(found) if member(*found, at) => row.status = Status::Sent,
                Answer::Found(_) => queue(row),
                Answer::Refused if !repeated => {
                    row.attempts += 1;
                    queue(row);
                }
                // Looked at again, by whoever comes first.
                Answer::Refused | Answer::Unknown => row.expired = true,
            }
        }
        state.workers[me].step = Step::Idle;
    }

    fn take_over(state: &mut State, me: usize, batch: usize) {
        let holder = (me, state.workers[me].life);
        let on_record = state.batches[batch].requests > 0;
        for row in &mut state.rows {
            if row.status == Status::Sending && row.batch == Some(batch) {
                row.expired = false;
                if on_record {
                    row.holder = Some(holder);
                } else {
                    row.status = Status::Queued;
                    row.batch = None;
                    row.holder = None;
                }
            }
        }
        if on_record {
            state.workers[me].step = Step::TakenOver(batch);
        }
    }

    fn record(&self, state: &mut State, me: usize, batch: usize) {
        let holder = (me, state.workers[me].life);
        // Members that are settled already stay in a repeated request; the others must all be held.
        let lost = state.rows.iter().enumerate().any(|(at, row)| {
            member(state.batches[batch].members, at)
                && (row.batch != Some(batch)
                    || (row.status == Status::Sending && row.holder != Some(holder)))
        }) || Self::held(state, holder, batch) == 0;
        if lost && !self.is(Without::FenceAtSending) {
            state.workers[me].step = Step::Idle;
            return;
        }
        if !self.is(Without::Intent) {
            state.batches[batch].requests += 1;
        }
        state.batches[batch].over = false;
        state.workers[me].step = Step::Recorded(batch);
    }

    fn send(&self, state: &mut State, me: usize, batch: usize) {
        let mut key = state.batches[batch].key;
        if self.is(Without::StableKey) {
            key.2 = state.batches[batch].requests;
        }
        let from = (me, state.workers[me].life);
        state.network.push(Request { batch, key, from });
        state.network.sort();
        state.workers[me].step = Step::Waiting(batch);
    }

    fn accept(&self, state: &mut State, request: &Request, some: u8) {
        if self.recovery == Recovery::Repeat {
            if state.keys.contains(&request.key) {
                return;
            }
            state.keys.push(request.key);
            state.keys.sort_unstable();
        }
        for at in 0..ROWS {
            if member(state.batches[request.batch].members & some, at) {
                state.ledger[at] += 1;
            }
        }
    }
}

impl Model for Delivery {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let row = Row {
            status: Status::Queued,
            batch: None,
            holder: None,
            expired: false,
            attempts: 0,
        };
        let worker = Worker {
            life: 0,
            step: Step::Idle,
        };
        vec![State {
            rows: [row.clone(), row],
            batches: Vec::new(),
            workers: [worker.clone(), worker],
            network: Vec::new(),
            ledger: [0; ROWS],
            keys: Vec::new(),
            left: self.faults,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let queued = state.rows.iter().any(|row| row.status == Status::Queued);
        for (me, worker) in state.workers.iter().enumerate() {
            match &worker.step {
                Step::Idle => {
                    if queued {
                        actions.push(Action::Claim(me));
                    }
                    for batch in 0..state.batches.len() {
                        let due = |row: &Row| {
                            row.status == Status::Sending && row.batch == Some(batch) && row.expired
                        };
                        if state.rows.iter().any(due) {
                            actions.push(Action::TakeOver(me, batch));
                        }
                    }
                }
                Step::Claimed(_) => actions.push(Action::Record(me)),
                Step::TakenOver(batch) => {
                    if self.recovery == Recovery::Search && !self.is(Without::Search) {
                        if state.batches[*batch].over || self.is(Without::Patience) {
                            actions.push(Action::Search(me));
                        }
                    } else {
                        actions.push(Action::Record(me));
                    }
                }
                Step::Recorded(batch) => {
                    if state.batches[*batch].over && !self.is(Without::Freshness) {
                        actions.push(Action::StandStill(me));
                    } else {
                        actions.push(Action::Send(me));
                    }
                }
                Step::Waiting(_) => {
                    if state.left.losses > 0 {
                        actions.push(Action::GiveUpWaiting(me));
                    }
                }
                Step::Answered(..) => actions.push(Action::Settle(me)),
            }
            if state.left.crashes > 0 && worker.step != Step::Idle {
                actions.push(Action::Crash(me));
            }
            // Nothing will answer: its request or its answer is gone.
            if let Step::Waiting(batch) = worker.step
                && state.left.losses == 0
                && !state
                    .network
                    .iter()
                    .any(|request| request.batch == batch && request.from == (me, worker.life))
            {
                actions.push(Action::GiveUpWaiting(me));
            }
        }
        for (at, _) in state.network.iter().enumerate() {
            actions.push(Action::Accept(at, true));
            if state.left.losses > 0 {
                actions.push(Action::Accept(at, false));
                actions.push(Action::LoseRequest(at));
                if self.recovery != Recovery::Repeat {
                    actions.push(Action::AcceptFirstOnly(at));
                }
            }
            if state.left.refusals > 0 {
                actions.push(Action::Refuse(at));
            }
        }
        for (batch, record) in state.batches.iter().enumerate() {
            let under_way = state.network.iter().any(|request| request.batch == batch);
            let still = Self::about_to_send(state, batch);
            if record.requests > 0
                && !record.over
                && !under_way
                && self.recovery == Recovery::Search
                && (!still || state.left.expiries > 0)
            {
                actions.push(Action::TimePasses(batch));
            }
            let alive = |row: &Row| row.batch == Some(batch) && Self::at_work(state, row);
            let leased = state.rows.iter().any(|row| {
                row.status == Status::Sending && row.batch == Some(batch) && !row.expired
            });
            if leased && (state.left.expiries > 0 || !state.rows.iter().any(alive)) {
                actions.push(Action::Expire(batch));
            }
        }
    }

    #[expect(clippy::too_many_lines, reason = "an arm for each action")]
    // Long because it has one arm for each action.
    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        match action {
            Action::Claim(me) => {
                let mut members = 0;
                let batch = state.batches.len();
                let holder = (me, state.workers[me].life);
                for (at, row) in state.rows.iter_mut().enumerate() {
                    if row.status == Status::Queued {
                        members |= 1 << at;
                        row.status = Status::Sending;
                        row.batch = Some(batch);
                        row.holder = Some(holder);
                    }
                }
                let mut attempts = [0; ROWS];
                for (at, row) in state.rows.iter().enumerate() {
                    if member(members, at) {
                        attempts[at] = row.attempts;
                    }
                }
                state.batches.push(Batch {
                    members,
                    key: (members, attempts, 0),
                    requests: 0,
                    over: false,
                });
                state.workers[me].step = Step::Claimed(batch);
            }
            Action::TakeOver(me, batch) => Self::take_over(&mut state, me, batch),
            Action::Record(me) => match state.workers[me].step {
                Step::Claimed(batch) | Step::TakenOver(batch) => {
                    self.record(&mut state, me, batch);
                }
                _ => return None,
            },
            Action::Send(me) => match state.workers[me].step {
                Step::Recorded(batch) => self.send(&mut state, me, batch),
                _ => return None,
            },
            Action::StandStill(me) => state.workers[me].step = Step::Idle,
            Action::Accept(at, heard) => {
                let request = state.network.remove(at);
                self.accept(&mut state, &request, u8::MAX);
                if heard {
                    Self::answer(&mut state, &request, Answer::Accepted);
                } else {
                    state.left.losses -= 1;
                    Self::answer(&mut state, &request, Answer::Unknown);
                }
            }
            Action::AcceptFirstOnly(at) => {
                let request = state.network.remove(at);
                state.left.losses -= 1;
                self.accept(&mut state, &request, 1);
                Self::answer(&mut state, &request, Answer::Unknown);
            }
            Action::Refuse(at) => {
                let request = state.network.remove(at);
                state.left.refusals -= 1;
                Self::answer(&mut state, &request, Answer::Refused);
            }
            Action::LoseRequest(at) => {
                let request = state.network.remove(at);
                state.left.losses -= 1;
                Self::answer(&mut state, &request, Answer::Unknown);
            }
            Action::GiveUpWaiting(me) => {
                let Step::Waiting(batch) = state.workers[me].step else {
                    return None;
                };
                state.left.losses = state.left.losses.saturating_sub(1);
                state.workers[me].step = Step::Answered(batch, Answer::Unknown);
            }
            Action::TimePasses(batch) => {
                if Self::about_to_send(&state, batch) {
                    state.left.expiries -= 1;
                }
                state.batches[batch].over = true;
            }
            Action::Search(me) => {
                let Step::TakenOver(batch) = state.workers[me].step else {
                    return None;
                };
                let mut found = 0;
                for (at, copies) in state.ledger.iter().enumerate() {
                    if *copies > 0 {
                        found |= 1 << at;
                    }
                }
                state.workers[me].step = Step::Answered(batch, Answer::Found(found));
            }
            Action::Settle(me) => {
                let Step::Answered(batch, answer) = state.workers[me].step.clone() else {
                    return None;
                };
                self.settle(&mut state, me, batch, &answer);
            }
            Action::Crash(me) => {
                state.left.crashes -= 1;
                state.workers[me].life += 1;
                state.workers[me].step = Step::Idle;
            }
            Action::Expire(batch) => {
                let alive = state
                    .rows
                    .iter()
                    .any(|row| row.batch == Some(batch) && Self::at_work(&state, row));
                if alive {
                    state.left.expiries -= 1;
                }
                for row in &mut state.rows {
                    if row.status == Status::Sending && row.batch == Some(batch) {
                        row.expired = true;
                    }
                }
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("never twice", |_, state: &State| {
                state.ledger.iter().all(|copies| *copies <= 1)
            }),
            Property::always("what is recorded is true", |_, state: &State| {
                state
                    .rows
                    .iter()
                    .zip(state.ledger)
                    .all(|(row, copies)| match row.status {
                        Status::Sent => copies >= 1,
                        Status::Failed => copies == 0,
                        Status::Queued | Status::Sending => true,
                    })
            }),
            Property::always("never stuck", |model: &Self, state: &State| {
                let mut actions = Vec::new();
                model.actions(state, &mut actions);
                let settled = |row: &Row| matches!(row.status, Status::Sent | Status::Failed);
                !actions.is_empty() || state.rows.iter().all(settled)
            }),
            // The model can do what it is for: everything sent after two crashes.
            Property::sometimes("all sent after crashes", |model: &Self, state: &State| {
                state.left.crashes == 0
                    && model.faults.crashes > 0
                    && state.rows.iter().all(|row| row.status == Status::Sent)
            }),
        ]
    }
}

/// One of each, in any order; `MODEL_FAULTS=2` allows two of most, which is some million states.
fn faults() -> Faults {
    let most = std::env::var("MODEL_FAULTS").map_or(1, |most| most.parse().expect("a number"));
    Faults {
        crashes: most,
        losses: most,
        expiries: most,
        refusals: 1,
    }
}

fn check(recovery: Recovery, without: Without) -> impl Checker<Delivery> {
    Delivery {
        recovery,
        without,
        faults: faults(),
    }
    .checker()
    .spawn_dfs()
    .join()
}

fn holds(recovery: Recovery) {
    let checker = check(recovery, Without::Nothing);
    println!(
        "{recovery:?}: {} states, depth {}",
        checker.unique_state_count(),
        checker.max_depth()
    );
    checker.assert_properties();
}

/// How the shortest run that breaks a promise ends, if there is one.
fn broken(recovery: Recovery, without: Without) -> Option<&'static str> {
    let checker = check(recovery, without);
    let promises = ["never twice", "what is recorded is true", "never stuck"];
    promises
        .into_iter()
        .find(|promise| checker.discovery(promise).is_some())
}

#[test]
fn resend_never_twice_never_lost_never_stuck() {
    holds(Recovery::Repeat);
}

#[test]
fn postmark_never_twice_never_lost_never_stuck() {
    holds(Recovery::Search);
}

#[test]
fn smtp_is_at_least_once_and_no_more_than_that() {
    let checker = check(Recovery::Again, Without::Nothing);
    checker.assert_no_discovery("what is recorded is true");
    checker.assert_no_discovery("never stuck");
    assert!(checker.discovery("never twice").is_some());
}

#[test]
fn without_a_guard_the_model_finds_the_second_letter() {
    for (without, resend, postmark) in [
        // With Resend's keys, and doubt about repetitions, the fence has nothing left to prevent here.
        (Without::FenceAtSettling, false, true),
        (Without::FenceAtSending, true, true),
        (Without::Intent, true, true),
        (Without::StableKey, true, false),
        (Without::DoubtAboutRepetitions, true, false),
        (Without::Search, false, true),
        (Without::Patience, false, true),
        (Without::Freshness, false, true),
    ] {
        for (recovery, needed) in [(Recovery::Repeat, resend), (Recovery::Search, postmark)] {
            let found = broken(recovery, without);
            let expected = needed.then_some("never twice");
            assert_eq!(found, expected, "{recovery:?} without {without:?}");
        }
    }
}
