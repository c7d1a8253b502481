//! The story: two weeks in which every letter of the catalogue falls due, from a Wednesday to the 2nd of a month.
//!
//! The people are the specification's own (Nassir, Nadia) and six more, most of whom `sql/history.sql` knows. Whoever gets
//! several capped letters gets them a day apart: the clock moves past the cap, as it does past every delay.

use super::scenario::{Actor, Deed, Expected, Fact, Outcome, Scene};

mod first_days;
mod later;

/// The whole demo, in order.
pub(super) const ACTS: [&[Scene]; 2] = [first_days::SCENES, later::SCENES];

/// The application does something.
const fn app(
    what: &'static str,
    statement: &'static str,
    parameters: &'static [&'static str],
) -> Fact {
    Fact {
        what,
        deed: Deed::Statement(Actor::Application, statement, parameters),
    }
}

/// Whoever runs the mailer does something.
const fn operator(
    what: &'static str,
    statement: &'static str,
    parameters: &'static [&'static str],
) -> Fact {
    Fact {
        what,
        deed: Deed::Statement(Actor::Operator, statement, parameters),
    }
}

/// The application tells a fact that no table of its own records.
const fn signal(what: &'static str, parameters: &'static [&'static str; 4]) -> Fact {
    app(what, include_str!("../sql/signal.sql"), parameters)
}

/// A letter that was waiting for its time.
const fn due(
    who: &'static str,
    code: &'static str,
    step: &'static str,
    key: &'static str,
) -> Expected {
    Expected {
        who,
        code,
        step,
        key,
        outcome: Outcome::FallsDue,
    }
}

/// A letter that arrives at once.
const fn to(
    who: &'static str,
    code: &'static str,
    step: &'static str,
    key: &'static str,
) -> Expected {
    Expected {
        who,
        code,
        step,
        key,
        outcome: Outcome::Arrives,
    }
}

/// A letter that does not go out, for a reason that contains this.
const fn held(
    who: &'static str,
    code: &'static str,
    step: &'static str,
    key: &'static str,
    reason: &'static str,
) -> Expected {
    Expected {
        who,
        code,
        step,
        key,
        outcome: Outcome::HeldBack(reason),
    }
}

/// A letter that has to wait, for a reason that contains this.
const fn waits(
    who: &'static str,
    code: &'static str,
    step: &'static str,
    key: &'static str,
    reason: &'static str,
) -> Expected {
    Expected {
        who,
        code,
        step,
        key,
        outcome: Outcome::Waits(reason),
    }
}

const SIGN_UP: &str = include_str!("../sql/sign_up.sql");
const PROJECT: &str = include_str!("../sql/project.sql");
const DEPLOY: &str = include_str!("../sql/deploy.sql");
const VERDICT: &str = include_str!("../sql/verdict.sql");
const VIEW: &str = include_str!("../sql/view_verdict.sql");
const TWO_FACTOR: &str = include_str!("../sql/two_factor.sql");
const PLAN: &str = include_str!("../sql/plan.sql");
