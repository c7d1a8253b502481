//! Where a letter's button leads.
//!
//! `email_types.params.cta_path` says it, so that it changes by SQL; each code's own default stands beside its payload
//! (`BUTTON`) and is what the catalogue starts with. Both are written alike: alternatives separated by `|`, of which the
//! first counts whose every `{placeholder}` has a value.
//!
//! | alternative | leads to |
//! |---|---|
//! | `/dashboard/projects/{project_slug}` | a path below `FRONTEND_URL`; a placeholder is a key of the context, URL-encoded |
//! | `{dashboard_path}`, `{pricing_path}`, `{onboarding_path}` | the same, with the path of the settings (more may follow) |
//! | `{accept_url}`, `{update_url}`, `{invoice_url}` | an address that the payload brought, `http` or `https` only |
//! | `{answer}` | the page of ours that asks and records, with this letter's own token |
//! | `{survey}` | the survey's page, with the recipient's token |
//! | `{review_url}` | `EMAIL_REVIEW_URL` |
//! | `{support}` | a message to `EMAIL_SUPPORT_ADDRESS`, its subject written |
//!
//! The application shows a project to its owner alone. A copy to somebody else (the context then names `owner_email`) has
//! a button that writes to the owner instead.

use serde::Deserialize;
use serde_json::Value;

use super::Recipient;
use super::french::NBSP;
use super::links::{answer_url, push_encoded, survey_url};
use super::value::{self, Text};
use crate::Site;

/// The keys of a context that only links need.
#[derive(Debug, Deserialize)]
pub(crate) struct LinkKeys {
    /// `email_types.params.cta_path`.
    #[serde(default)]
    cta_path: Option<String>,
    /// The secret half of the token of `/answer/`: 32 hexadecimal digits.
    #[serde(default)]
    answer_key: Option<String>,
    /// The address of the project's owner; null unless this is a copy to somebody else.
    #[serde(default)]
    owner_email: Option<String>,
    /// What a message that a button begins is about.
    #[serde(default, deserialize_with = "super::value::text")]
    project_name: Option<Text>,
    /// The same.
    #[serde(default)]
    deployment_number: Option<Value>,
}

/// What a button is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ingredients<'a> {
    /// Where it leads when `cta_path` does not say it.
    pub(crate) button: &'static str,
    pub(crate) keys: &'a LinkKeys,
    pub(crate) context: &'a Value,
    pub(crate) recipient: &'a Recipient,
    pub(crate) site: &'a Site,
}

/// The one thing a letter asks for.
#[derive(Debug)]
pub(crate) struct Cta {
    /// The specification's words, with their accents.
    pub(crate) label: &'static str,
    /// Absolute.
    pub(crate) href: String,
    kind: Kind,
}

/// What happens when the button is pressed.
#[derive(Debug)]
enum Kind {
    /// A page opens.
    Page,
    /// The page of ours opens that asks this letter's question.
    Question,
    /// A message begins.
    Message { to: String, subject: String },
}

impl Cta {
    fn page(label: &'static str, href: String) -> Self {
        Self {
            label,
            href,
            kind: Kind::Page,
        }
    }

    /// To somebody's mailbox.
    fn message(label: &'static str, to: &str, subject: &str) -> Self {
        Self {
            label,
            href: mailto(to, subject),
            kind: Kind::Message {
                to: to.to_owned(),
                subject: value::one_line(subject),
            },
        }
    }

    /// Whether the button writes a message instead of opening a page.
    pub(crate) fn writes(&self) -> bool {
        matches!(self.kind, Kind::Message { .. })
    }

    /// Whether the page behind the button records an answer.
    pub(crate) fn asks(&self) -> bool {
        matches!(self.kind, Kind::Question)
    }

    /// The same destination in words, for those who cannot press the button: an address, or whom to write to about what.
    pub(crate) fn plain(&self) -> String {
        match &self.kind {
            Kind::Page | Kind::Question => self.href.clone(),
            Kind::Message { to, subject } => format!("{to} (objet : « {subject} »)"),
        }
    }
}

/// Support, named in a sentence: an address in the text part, a link that begins a message in the HTML part.
#[derive(Debug, Clone)]
pub(crate) struct Contact<'a> {
    pub(crate) address: &'a str,
    /// What the message is about: the letter's own subject, once that is known.
    pub(crate) subject: String,
}

impl sailfish::runtime::Render for Contact<'_> {
    fn render(&self, buffer: &mut sailfish::runtime::Buffer) -> Result<(), sailfish::RenderError> {
        buffer.push_str(self.address);
        Ok(())
    }

    fn render_escaped(
        &self,
        buffer: &mut sailfish::runtime::Buffer,
    ) -> Result<(), sailfish::RenderError> {
        buffer.push_str("<a href=\"");
        mailto(self.address, &self.subject).render_escaped(buffer)?;
        buffer.push_str("\" style=\"display:inline-block;padding:9px 0;margin:-9px 0;line-height:26px;color:inherit;\">");
        self.address.render_escaped(buffer)?;
        buffer.push_str("</a>");
        Ok(())
    }
}

/// RFC 6068.
fn mailto(to: &str, subject: &str) -> String {
    let mut url = "mailto:".to_owned();
    let (local, domain) = to.rsplit_once('@').unwrap_or((to, ""));
    push_encoded(&mut url, local);
    url.push('@');
    push_encoded(&mut url, domain);
    url.push_str("?subject=");
    push_encoded(&mut url, &value::one_line(subject).replace(NBSP, " "));
    url
}

impl LinkKeys {
    /// Whether this is a copy to somebody else than the owner, whom the application shows neither project nor deployment.
    pub(crate) fn is_copy(&self) -> bool {
        self.owner_email.is_some()
    }
}

impl Ingredients<'_> {
    /// The button with this label.
    pub(crate) fn cta(self, label: &'static str) -> Cta {
        if self.keys.is_copy() {
            return self.to_owner();
        }
        [self.keys.cta_path.as_deref(), Some(self.button)]
            .into_iter()
            .flatten()
            .flat_map(|pattern| pattern.split('|'))
            .find_map(|alternative| self.resolve(label, alternative.trim()))
            .unwrap_or_else(|| self.dashboard(label))
    }

    /// The button with this label where `self.button` says, whatever `cta_path` does: for a letter with a case of its own.
    pub(crate) fn fixed(self, label: &'static str) -> Cta {
        self.button
            .split('|')
            .find_map(|alternative| self.resolve(label, alternative.trim()))
            .unwrap_or_else(|| self.dashboard(label))
    }

    /// Where a button leads when nothing better is known.
    fn dashboard(self, label: &'static str) -> Cta {
        let path = &self.site.cta_dashboard_path;
        Cta::page(label, format!("{}{path}", self.site.frontend_url))
    }

    /// A copy's button: a message to the owner, or to support when the owner has no usable address.
    fn to_owner(self) -> Cta {
        let about = self.about_the_release();
        match (self.owner(), self.site.support_address.as_deref()) {
            (Some(owner), _) => Cta::message("Écrire au propriétaire", &owner, &about),
            (None, Some(support)) => Cta::message("Écrire au support", support, &about),
            (None, None) => self.dashboard("Ouvrir le dashboard"),
        }
    }

    /// One alternative; `None` when it has no value, or is none that can be written.
    fn resolve(self, label: &'static str, alternative: &str) -> Option<Cta> {
        match alternative {
            "{support}" => {
                let about = self.keys.project_name.as_ref().map_or_else(
                    || label.to_owned(),
                    |project| format!("{label} : {project}"),
                );
                let support = self.site.support_address.as_deref()?;
                Some(Cta::message(label, support, &about))
            }
            "{answer}" => {
                let key = self.keys.answer_key.as_deref().filter(|key| is_hex(key))?;
                let public = self.site.public_url.as_deref()?;
                Some(Cta {
                    label,
                    href: answer_url(public, self.recipient.delivery_id, key),
                    kind: Kind::Question,
                })
            }
            "{survey}" => {
                let public = self.site.public_url.as_deref()?;
                let token = self.recipient.unsubscribe_token?;
                Some(Cta::page(label, survey_url(public, token)))
            }
            "{review_url}" => Some(Cta::page(label, self.site.review_url.clone()?)),
            _ => match alternative
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix("_url}"))
            {
                Some(name) => {
                    let raw = self.context.get(format!("{name}_url"))?.as_str()?;
                    Some(Cta::page(label, value::safe_web_url(raw)?))
                }
                None => self.path(label, alternative),
            },
        }
    }

    /// A path below the frontend.
    fn path(self, label: &'static str, pattern: &str) -> Option<Cta> {
        let mut path = String::new();
        let mut rest = pattern;
        while let Some((before, tail)) = rest.split_once('{') {
            path.push_str(before);
            let (key, after) = tail.split_once('}')?;
            match key {
                "dashboard_path" => path.push_str(&self.site.cta_dashboard_path),
                "pricing_path" => path.push_str(&self.site.cta_pricing_path),
                "onboarding_path" => path.push_str(&self.site.cta_onboarding_path),
                _ => match self.context.get(key)? {
                    Value::String(value) => push_encoded(&mut path, value),
                    Value::Number(value) => push_encoded(&mut path, &value.to_string()),
                    _ => return None,
                },
            }
            rest = after;
        }
        path.push_str(rest);
        let is_path = path.starts_with('/')
            && !path.starts_with("//")
            && !path.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\');
        is_path.then(|| Cta::page(label, format!("{}{path}", self.site.frontend_url)))
    }

    /// Whom a copy's button writes to; `None` for the owner's own letter, and when the owner has no usable address: GitHub
    /// gives one that takes no mail to who hides theirs.
    fn owner(self) -> Option<String> {
        let raw = self.keys.owner_email.as_deref()?;
        let is_address = raw.len() <= 254
            && !raw
                .to_ascii_lowercase()
                .ends_with("@users.noreply.github.com")
            && raw
                .rsplit_once('@')
                .is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'))
            && !raw
                .contains(|c: char| c.is_whitespace() || c.is_control() || "<>\",;:\\".contains(c))
            && value::one_line(raw) == raw;
        is_address.then(|| raw.to_owned())
    }

    /// `Checkout API, déploiement #48`, as far as it is known.
    fn about_the_release(self) -> String {
        let project = self
            .keys
            .project_name
            .as_ref()
            .map_or("SEQPULSE", Text::as_str);
        match self.keys.deployment_number.as_ref().and_then(Value::as_u64) {
            Some(number) => format!("{project}, déploiement #{number}"),
            None => project.to_owned(),
        }
    }
}

fn is_hex(key: &str) -> bool {
    key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit())
}
