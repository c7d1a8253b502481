//! What every letter is made of, and how one is written.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::page::{Composer, Page};
use super::{Recipient, RenderError, french, headers, subject, value};
use crate::Site;

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

/// How long a subject may get, in characters; phones show about forty, so only hostile input is ever cut.
const MAX_SUBJECT: usize = 150;

/// A payload that knows its letter.
pub(crate) trait Payload: DeserializeOwned + Templates {
    /// The catalogue code.
    const CODE: &'static str;
    /// The keys without which the letter cannot be written.
    const REQUIRED: &'static [&'static str];
    /// Where the button leads, as the catalogue's `params.cta_path` begins: see `button`.
    const BUTTON: &'static str;

    /// The payload of a context. Structs that share a part read it by itself: serde's `flatten` would forget which field
    /// was wrong.
    fn read(context: &Value) -> Result<Self, RenderError> {
        read(Self::CODE, context)
    }

    /// The frame: what the letter is about, its button, why the recipient gets it.
    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError>;
}

/// The three parts, rendered by the compiled templates.
pub(crate) trait Templates {
    fn subject(&self, page: &Page<'_>) -> Result<String, sailfish::RenderError>;
    fn text(&self, page: &Page<'_>) -> Result<String, sailfish::RenderError>;
    fn html(&self, page: &Page<'_>) -> Result<String, sailfish::RenderError>;
}

/// Ties a payload `v` and its `page` to the three template files of its code.
macro_rules! templates {
    ($payload:ty, $subject:literal, $text:literal, $html:literal) => {
        #[expect(
            unused_variables,
            reason = "a part need not use both; a subject never uses the page"
        )]
        const _: () = {
            #[derive(sailfish::TemplateSimple)]
            #[template(path = $subject, escape = false)]
            struct Subject<'a> {
                v: &'a $payload,
                page: &'a $crate::page::Page<'a>,
            }

            #[derive(sailfish::TemplateSimple)]
            #[template(path = $text, escape = false)]
            struct Plain<'a> {
                v: &'a $payload,
                page: &'a $crate::page::Page<'a>,
            }

            #[derive(sailfish::TemplateSimple)]
            #[template(path = $html)]
            struct Html<'a> {
                v: &'a $payload,
                page: &'a $crate::page::Page<'a>,
            }

            impl $crate::letter::Templates for $payload {
                fn subject(
                    &self,
                    page: &$crate::page::Page<'_>,
                ) -> Result<String, sailfish::RenderError> {
                    sailfish::TemplateSimple::render_once(Subject { v: self, page })
                }

                fn text(
                    &self,
                    page: &$crate::page::Page<'_>,
                ) -> Result<String, sailfish::RenderError> {
                    sailfish::TemplateSimple::render_once(Plain { v: self, page })
                }

                fn html(
                    &self,
                    page: &$crate::page::Page<'_>,
                ) -> Result<String, sailfish::RenderError> {
                    sailfish::TemplateSimple::render_once(Html { v: self, page })
                }
            }
        };
    };
}
pub(crate) use templates;

/// Reads the context as `P` and writes the letter.
pub(crate) fn write<P: Payload>(
    context: &Value,
    recipient: &Recipient,
    site: &Site,
) -> Result<Letter, RenderError> {
    if !context.is_object() {
        let problem = "is not a JSON object".to_owned();
        return Err(RenderError::Invalid {
            code: P::CODE,
            field: "context".to_owned(),
            problem,
        });
    }
    for &field in P::REQUIRED {
        if context.get(field).is_none_or(Value::is_null) {
            return Err(RenderError::Missing {
                code: P::CODE,
                field,
            });
        }
    }
    let payload = P::read(context)?;
    let composer = Composer {
        code: P::CODE,
        button: P::BUTTON,
        common: read(P::CODE, context)?,
        links: read(P::CODE, context)?,
        context,
        recipient,
        site,
    };
    let mut page = payload.page(&composer)?;
    let failed = |error: sailfish::RenderError| RenderError::Template {
        code: P::CODE,
        problem: error.to_string(),
    };

    let own = || payload.subject(&page).map_err(failed);
    let chosen = recipient
        .subject
        .as_deref()
        .and_then(|variant| subject::fill(variant, context));
    let line = value::one_line(&chosen.map_or_else(own, Ok)?);
    page.subject = value::shorten(french::typeset(&line), MAX_SUBJECT);
    page.preheader = french::typeset(&value::one_line(&page.preheader));
    if let Some(support) = &mut page.support {
        support.subject.clone_from(&page.subject);
    }

    Ok(Letter {
        html: french::typeset_html(&payload.html(&page).map_err(failed)?),
        text: french::typeset_text(payload.text(&page).map_err(failed)?.trim_end()) + "\n",
        headers: headers::of(recipient, site),
        subject: page.subject,
    })
}

/// Deserializes, with the code and the field in the error.
pub(crate) fn read<T: DeserializeOwned>(
    code: &'static str,
    context: &Value,
) -> Result<T, RenderError> {
    serde_path_to_error::deserialize(context).map_err(|error| RenderError::Invalid {
        code,
        field: error.path().to_string(),
        problem: format!("cannot be used: {}", error.inner()),
    })
}
