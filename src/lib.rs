//! The sidecar: Postgres decides, this crate delivers.
//!
//! Who gets which letter, when, and whether it is still true is SQL (`migrations/`, `sql/`). What is here is mechanics.
//! Read from the bottom up, each module knows only those below it:
//!
//! ```text
//!   main
//!    └─ commands ── cli                what can be called, and what it does
//!        ├─ doctor                     one line per thing that can be wrong with an installation
//!        ├─ migrate                    refinery migrations, then the repeatable SQL files, and their drift
//!        ├─ http                       the pages that letters link to, webhooks, health and metrics
//!        └─ worker                     the loop: wake, claim, render, send, settle
//!            ├─ traces                 OpenTelemetry spans of deliveries, where an endpoint is set
//!            └─ vitals                 what the sidecar knows of itself: readiness and metrics
//!                ├─ config             the settings, checked once at start
//!                ├─ db                 LISTEN, and the statements the sidecar runs
//!                └─ provider           Resend, Postmark, SMTP and console behind one trait
//! ```
//!
//! Beside them stand five crates: `letters` (templates and payloads), `pgconnect` (connecting to Postgres), `standin` (the
//! sandbox for Resend and Postmark), `throwaway` (Postgres clusters for tests and the demo) and `demo`. The last three are
//! not in a binary built without default features.

/// Prints a line for people. A reader who has seen enough (`doctor | head`) is no reason to panic, as `println!` would: the
/// work goes on, and the exit code gives the result.
macro_rules! say {
    ($($arg:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($arg)*);
    }};
}

pub mod cli;
pub mod commands;
pub mod config;
pub mod db;
mod doctor;
mod failpoint;
pub mod http;
mod migrate;
pub mod provider;
mod traces;
pub mod vitals;
mod worker;
