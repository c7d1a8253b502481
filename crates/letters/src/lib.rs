//! SEQPULSE's letters: from a code and its context to subject, HTML, text and headers.
//!
//! One file per code holds the typed payload, its frame (kind, tone, button, reason for writing) and the words that
//! depend on figures; the wording itself is in `templates/<code>/` (subject, text, HTML), compiled in. What the keys of
//! a context mean is the interface to the SQL side: `docs/letters.md`.
//!
//! Rendering is a pure function: no database, no clock, no randomness, no files. The same context, recipient and settings
//! give the same bytes, which is what makes "send the same message again" possible.
//!
//! ```text
//!   render(code, context, recipient, site)
//!      │
//!   catalogue ──> one module per code (welcome, invitation, …) ──> templates/<code>/
//!      │              │        │
//!      │              │        └─ verdict, report, chart, quota: what several letters share
//!      │              └─ page: the frame (header, footer by category), button: where it leads
//!      └─ letter: reads the payload, joins the parts ── headers, subject (A/B)
//!
//!   below all of them: value (tolerant, safe values), french (plurals, numbers, dates), country, site, category
//!   beside them: samples (contexts that look real) and preview (the gallery)
//! ```

pub mod french;
mod value;

mod button;
mod catalogue;
mod category;
mod chart;
mod country;
mod error;
mod headers;
mod letter;
mod links;
mod measure;
mod page;
pub mod preview;
mod quota;
mod recipient;
mod report;
pub mod samples;
mod site;
mod subject;

mod activity_drop;
mod connect_pipeline;
mod critical_verdict;
mod finish_missing;
mod first_project;
mod first_verdict;
mod inactive_14d;
mod inactive_30d;
mod invitation;
mod monthly_report;
mod nps;
mod payment_failed;
mod payment_succeeded;
mod pro_feature;
mod quota_80;
mod quota_90;
mod quota_reached;
mod review;
mod suspicious_login;
mod two_factor;
mod verdict;
mod weekly_report;
mod welcome;

pub use catalogue::{CODES, button, render, required};
pub use category::{Category, UnknownCategory};
pub use error::RenderError;
pub use letter::Letter;
pub use recipient::Recipient;
pub use site::Site;
pub use value::name;
