//! The wake-up of `sql/core/12_wake.sql`: a sidecar that sleeps is woken for every row that is committed, without a NOTIFY
//! where nobody sleeps, and without anybody waiting for a lock.
//!
//! Two producers on two lanes, two sidecars. A producer's statement tries its lane shared and keeps it until its transaction
//! is over; the row is visible before the lane is free. A sidecar that found nothing takes what lanes are free, and once
//! every lane is held by sidecars it claims once more; only when that finds nothing it sleeps. The poll is left out, so
//! that it cannot hide a wake-up that is lost.

use stateright::{Checker, Model, Property};

/// A guard that is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Without {
    Nothing,
    /// The claim after the lanes were taken.
    LastClaim,
    /// Producers send a NOTIFY only while *all* lanes are held, not whenever theirs is refused.
    NotifyWhenRefused,
    /// The producer gives its lane back with the statement, not with the transaction.
    LaneUntilCommit,
    /// A sidecar sleeps without holding or seeing the lanes.
    Lanes,
    /// A sidecar that relies on another one's lanes never looks again whether they are still held.
    LookAgain,
    /// The lanes of a sidecar that dies stay taken (they would not belong to its session).
    SessionLocks,
}

const LANES: usize = 2;
const PRODUCERS: usize = 2;
const SIDECARS: usize = 2;
const ALL: u8 = (1 << LANES) - 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Producer {
    Before,
    /// Inserted and not committed; `notify` goes out with the commit, `lane` is held until then.
    Open {
        notify: bool,
        lane: bool,
    },
    /// The row is visible, the lane (if any) not yet free.
    Committed {
        lane: bool,
    },
    /// The transaction is over; rolled back or committed.
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Sidecar {
    /// Claims, and may hold lanes it has not given back yet.
    Awake,
    /// The last claim found nothing; `watched`: that was after every lane was held.
    FoundNothing {
        watched: bool,
    },
    /// Every lane is held; one more claim.
    Watching,
    Asleep,
    Dead,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    producers: [Producer; PRODUCERS],
    sidecars: [Sidecar; SIDECARS],
    /// Lanes each sidecar holds, a bit each.
    lanes: [u8; SIDECARS],
    /// A NOTIFY that has been delivered and not acted on.
    rung: [bool; SIDECARS],
    /// Rows that are committed and not claimed.
    visible: u8,
    deaths: u8,
    rollbacks: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Insert(usize),
    Commit(usize),
    RollBack(usize),
    FreeLane(usize),
    Claim(usize),
    TakeLanes(usize),
    Sleep(usize),
    WakeUp(usize),
    LookAgain(usize),
    GiveLanesBack(usize),
    Die(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Wake {
    pub(crate) without: Without,
}

impl Wake {
    fn is(&self, without: Without) -> bool {
        self.without == without
    }

    /// Lanes that producers hold shared.
    fn shared(state: &State) -> u8 {
        let mut shared = 0;
        for (at, producer) in state.producers.iter().enumerate() {
            if matches!(
                producer,
                Producer::Open { lane: true, .. } | Producer::Committed { lane: true }
            ) {
                shared |= 1 << (at % LANES);
            }
        }
        shared
    }

    fn exclusive(state: &State) -> u8 {
        state.lanes.iter().fold(0, |all, lanes| all | lanes)
    }
}

impl Model for Wake {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            producers: [Producer::Before; PRODUCERS],
            sidecars: [Sidecar::Awake; SIDECARS],
            lanes: [0; SIDECARS],
            rung: [false; SIDECARS],
            visible: 0,
            deaths: 1,
            rollbacks: 1,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (at, producer) in state.producers.iter().enumerate() {
            match producer {
                Producer::Before => actions.push(Action::Insert(at)),
                Producer::Open { .. } => {
                    actions.push(Action::Commit(at));
                    if state.rollbacks > 0 {
                        actions.push(Action::RollBack(at));
                    }
                }
                Producer::Committed { .. } => actions.push(Action::FreeLane(at)),
                Producer::Over => {}
            }
        }
        for (me, sidecar) in state.sidecars.iter().enumerate() {
            match sidecar {
                Sidecar::Awake | Sidecar::Watching => actions.push(Action::Claim(me)),
                Sidecar::FoundNothing { watched } => {
                    if *watched || self.is(Without::Lanes) {
                        actions.push(Action::Sleep(me));
                    } else {
                        actions.push(Action::TakeLanes(me));
                    }
                }
                Sidecar::Asleep => {
                    if state.rung[me] {
                        actions.push(Action::WakeUp(me));
                    }
                    // Every two seconds: are the lanes still held?
                    if !self.is(Without::LookAgain)
                        && !self.is(Without::Lanes)
                        && Self::exclusive(state) != ALL
                    {
                        actions.push(Action::LookAgain(me));
                    }
                }
                Sidecar::Dead => {}
            }
            if state.lanes[me] != 0 && *sidecar == Sidecar::Awake {
                actions.push(Action::GiveLanesBack(me));
            }
            if state.deaths > 0 && *sidecar != Sidecar::Dead {
                actions.push(Action::Die(me));
            }
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        match action {
            Action::Insert(at) => {
                let refused = Self::exclusive(&state) & (1 << (at % LANES)) != 0;
                let notify = if self.is(Without::NotifyWhenRefused) {
                    Self::exclusive(&state) == ALL
                } else {
                    refused
                };
                let lane = !refused && !self.is(Without::LaneUntilCommit);
                state.producers[at] = Producer::Open { notify, lane };
            }
            Action::Commit(at) => {
                let Producer::Open { notify, lane } = state.producers[at] else {
                    return None;
                };
                state.visible += 1;
                if notify {
                    for (rung, sidecar) in state.rung.iter_mut().zip(state.sidecars) {
                        *rung |= sidecar != Sidecar::Dead;
                    }
                }
                state.producers[at] = Producer::Committed { lane };
            }
            Action::RollBack(at) => {
                state.rollbacks -= 1;
                state.producers[at] = Producer::Over;
            }
            Action::FreeLane(at) => state.producers[at] = Producer::Over,
            Action::Claim(me) => {
                let watched = state.sidecars[me] == Sidecar::Watching;
                if state.visible > 0 {
                    state.visible -= 1;
                    state.sidecars[me] = Sidecar::Awake;
                } else {
                    state.sidecars[me] = Sidecar::FoundNothing { watched };
                }
            }
            Action::TakeLanes(me) => {
                let taken = Self::exclusive(&state) | Self::shared(&state);
                state.lanes[me] |= ALL & !taken;
                state.sidecars[me] = if Self::exclusive(&state) == ALL {
                    if self.is(Without::LastClaim) {
                        Sidecar::FoundNothing { watched: true }
                    } else {
                        Sidecar::Watching
                    }
                } else {
                    // A producer is in the middle of a transaction: claim again, after a pause.
                    Sidecar::Awake
                };
            }
            Action::Sleep(me) => state.sidecars[me] = Sidecar::Asleep,
            Action::WakeUp(me) => {
                state.rung[me] = false;
                state.sidecars[me] = Sidecar::Awake;
            }
            Action::LookAgain(me) => state.sidecars[me] = Sidecar::Awake,
            Action::GiveLanesBack(me) => state.lanes[me] = 0,
            Action::Die(me) => {
                state.deaths -= 1;
                state.sidecars[me] = Sidecar::Dead;
                state.rung[me] = false;
                if !self.is(Without::SessionLocks) {
                    state.lanes[me] = 0;
                }
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            // In any state where rows wait and no producer is at work any more, somebody alive is going to look.
            Property::always("no wake-up is lost", |model: &Self, state: &State| {
                let waiting = state.visible > 0
                    && state
                        .producers
                        .iter()
                        .all(|producer| matches!(producer, Producer::Over | Producer::Before));
                let mut actions = Vec::new();
                model.actions(state, &mut actions);
                let looks = |action: &Action| {
                    !matches!(
                        action,
                        Action::Die(_) | Action::Insert(_) | Action::GiveLanesBack(_)
                    )
                };
                let alive = state
                    .sidecars
                    .iter()
                    .any(|sidecar| *sidecar != Sidecar::Dead);
                !waiting || !alive || actions.iter().any(looks)
            }),
            Property::sometimes("a row comes without a NOTIFY", |_, state: &State| {
                state
                    .producers
                    .iter()
                    .any(|producer| matches!(producer, Producer::Open { notify: false, .. }))
            }),
            Property::sometimes("both sleep", |_, state: &State| {
                state
                    .sidecars
                    .iter()
                    .all(|sidecar| *sidecar == Sidecar::Asleep)
            }),
            Property::sometimes("a sleeper is woken", |_, state: &State| {
                state
                    .rung
                    .iter()
                    .zip(state.sidecars)
                    .any(|(rung, sidecar)| *rung && sidecar == Sidecar::Asleep)
            }),
        ]
    }
}

fn check(without: Without) -> impl Checker<Wake> {
    Wake { without }.checker().spawn_bfs().join()
}

#[test]
fn no_wake_up_is_lost_and_nobody_waits_for_the_poll() {
    let checker = check(Without::Nothing);
    println!("wake-up: {} states", checker.unique_state_count());
    checker.assert_properties();
}

#[test]
fn without_a_guard_the_model_finds_the_lost_wake_up() {
    for without in [
        Without::LastClaim,
        Without::NotifyWhenRefused,
        Without::LaneUntilCommit,
        Without::Lanes,
        Without::LookAgain,
        Without::SessionLocks,
    ] {
        let checker = check(without);
        let path = checker.discovery("no wake-up is lost");
        let path = path.unwrap_or_else(|| panic!("without {without:?} no wake-up is lost either"));
        println!(
            "without {without:?}: caught after {} steps",
            path.into_actions().len()
        );
    }
}
