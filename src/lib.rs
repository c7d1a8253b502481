//! The email lifecycle of SEQPULSE: Postgres decides, this crate delivers.
//!
//! Who gets which letter, when, and whether it is still true is SQL (`migrations/`, `sql/`). What is here is mechanics:
//!
//! | module | job |
//! |---|---|
//! | [`cli`], [`commands`], [`config`] | what can be called, what it does, and the settings, checked once at start |
//! | [`db`] | connections, TLS, LISTEN, and the statements the sidecar runs |
//! | [`migrate`] | refinery migrations, then the repeatable SQL files, and their drift |
//! | [`worker`] | the sidecar's loop: wake, claim, render, send, settle |
//! | [`mail`] | the catalogue: from a code and its context to subject, HTML, text and headers |
//! | [`provider`] | Resend, Postmark, SMTP and console behind one trait |
//! | [`http`] | the pages that letters link to, health and metrics |
//! | [`preview`] | every letter with sample data, as files or as one page |
//! | `traces` | OpenTelemetry spans of deliveries, where an endpoint is set |
//! | [`doctor`] | one line per thing that can be wrong with an installation |
//! | [`sandbox`] | a stand-in for the providers, with an inbox page |
//! | `failpoint` | where tests kill the process; empty in release builds |
//! | [`demo`] | a private Postgres and everything above, to look at |

/// Prints a line for people. A reader who has seen enough (`doctor | head`) is no reason to panic, as `println!` would: the
/// work goes on, and the exit code says what came of it.
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
pub mod demo;
pub mod doctor;
mod failpoint;
pub mod http;
pub mod mail;
pub mod migrate;
pub mod preview;
pub mod provider;
pub mod sandbox;
mod traces;
pub mod worker;
