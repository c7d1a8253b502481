//! The catalogue: from a code and its context to a finished letter.
//!
//! One file per code holds the typed payload, its frame (kind, tone, button, reason for writing) and the words that
//! depend on figures; the wording itself is in `templates/<code>/` (subject, text, HTML), compiled in. What the keys of
//! a context mean is the interface to the SQL side: `docs/letters.md`.
//!
//! Rendering is a pure function: no clock, no randomness, no files. The same context, recipient and settings give the
//! same bytes, which is what makes "send the same message again" possible.
//!
//! | module | job |
//! |---|---|
//! | [`value`] | kinds of values, read tolerantly and made safe once |
//! | [`french`] | plurals, numbers, money, dates, no-break spaces |
//! | `page` | the frame around every letter: header, button, footer by category |
//! | `headers` | message headers by category |
//! | `subject` | A/B subjects with `{key}`s |
//! | [`samples`] | contexts that look real, for `preview` and tests |

use serde_json::Value;
use uuid::Uuid;

pub mod french;
pub mod value;

mod catalogue;
mod country;
mod headers;
mod letter;
mod page;
pub mod quota;
pub mod report;
pub mod samples;
mod subject;

pub mod activity_drop;
pub mod connect_pipeline;
pub mod critical_verdict;
pub mod finish_missing;
pub mod first_project;
pub mod first_verdict;
pub mod inactive_14d;
pub mod inactive_30d;
pub mod invitation;
pub mod monthly_report;
pub mod nps;
pub mod payment_failed;
pub mod payment_succeeded;
pub mod pro_feature;
pub mod quota_80;
pub mod quota_90;
pub mod quota_reached;
pub mod review;
pub mod suspicious_login;
pub mod two_factor;
pub mod verdict;
pub mod weekly_report;
pub mod welcome;

pub use catalogue::{CODES, required};

use crate::config::SiteConfig;
use crate::provider::Category;

/// Who a letter goes to, as the claim knows it.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// The journal row's id; header `X-Entity-Ref-ID`.
    pub delivery_id: Uuid,
    /// The category of the row's type: decides headers and footer.
    pub category: Category,
    /// Whose unsubscribe, preferences and NPS links the letter carries; required for product and marketing.
    pub unsubscribe_token: Option<Uuid>,
    /// The A/B subject chosen for this recipient, with `{key}`s; `None` for the letter's own.
    pub subject: Option<String>,
}

/// A finished letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Not escaped, one line.
    pub subject: String,
    /// The HTML part.
    pub html: String,
    /// The plain-text part, written for itself.
    pub text: String,
    /// Name and value, in the order they are sent.
    pub headers: Vec<(String, String)>,
}

/// Why a letter cannot be written. The message goes into `email_outbox.last_error`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// Nobody wrote this letter.
    #[error("{0}: there is no such letter")]
    UnknownCode(String),
    /// The context lacks a field, or it is null.
    #[error("{code}: field `{field}` is missing")]
    Missing {
        /// The letter.
        code: &'static str,
        /// The key of the context, or `unsubscribe_token`.
        field: &'static str,
    },
    /// A field is of the wrong kind or out of range.
    #[error("{code}: field `{field}` {problem}")]
    Invalid {
        /// The letter.
        code: &'static str,
        /// The key of the context.
        field: String,
        /// What is wrong with it; never its content beyond a number or a word.
        problem: String,
    },
    /// The sidecar lacks a setting that this letter needs.
    #[error("{code}: setting {setting} is missing")]
    Setting {
        /// The letter.
        code: &'static str,
        /// The environment variable.
        setting: &'static str,
    },
    /// The template engine failed.
    #[error("{code}: {problem}")]
    Template {
        /// The letter.
        code: &'static str,
        /// Its words.
        problem: String,
    },
}

/// Writes the letter `code` from its context (payload and fresh figures, see `docs/letters.md`).
///
/// # Errors
/// [`RenderError`] names the code and the field or setting that is wrong; trying again with the same context is useless.
pub fn render(
    code: &str,
    context: &Value,
    recipient: &Recipient,
    site: &SiteConfig,
) -> Result<Letter, RenderError> {
    catalogue::write(code, context, recipient, site)
}
