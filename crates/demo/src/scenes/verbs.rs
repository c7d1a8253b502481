//! What scenes are written with: what happens, and which letter is expected of it.

use crate::scenario::{Actor, Deed, Expected, Fact, Outcome};

/// The application does something.
pub(super) const fn app(
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
pub(super) const fn operator(
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
pub(super) const fn signal(what: &'static str, parameters: &'static [&'static str; 4]) -> Fact {
    app(what, include_str!("../sql/signal.sql"), parameters)
}

/// A letter that was waiting for its time.
pub(super) const fn due(
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
pub(super) const fn to(
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
pub(super) const fn held(
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
pub(super) const fn waits(
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

pub(super) const SIGN_UP: &str = include_str!("../sql/sign_up.sql");
pub(super) const PROJECT: &str = include_str!("../sql/project.sql");
pub(super) const DEPLOY: &str = include_str!("../sql/deploy.sql");
pub(super) const VERDICT: &str = include_str!("../sql/verdict.sql");
pub(super) const VIEW: &str = include_str!("../sql/view_verdict.sql");
pub(super) const TWO_FACTOR: &str = include_str!("../sql/two_factor.sql");
pub(super) const PLAN: &str = include_str!("../sql/plan.sql");
