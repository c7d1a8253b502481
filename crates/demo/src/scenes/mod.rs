//! The story: two weeks in which every letter of the catalogue falls due, from a Wednesday to the 2nd of a month.
//!
//! The people are the specification's own (Nassir, Nadia) and six more, most of whom `sql/history.sql` knows. Whoever gets
//! several capped letters gets them a day apart: the clock moves past the cap, as it does past every delay.

use super::scenario::Scene;

mod first_days;
mod later;
mod verbs;

/// The whole demo, in order.
pub(super) const ACTS: [&[Scene]; 2] = [first_days::SCENES, later::SCENES];
