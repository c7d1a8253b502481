//! Why a letter cannot be written.

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
