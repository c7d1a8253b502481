//! The frame around every letter: wordmark, kind, button, address in full, footer by category.
//!
//! `templates/_layout/` draws it; this module decides what is in it. Everything a link is made of comes from the
//! settings, except addresses that a payload brings (`accept_url`, `update_url`, `invoice_url`), which were checked when
//! they were read.

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::french::Zone;
use super::links::{list_name, preferences_url, push_encoded, unsubscribe_url};
use super::value::{Prose, Text};
use super::{Recipient, RenderError};
use crate::Site;

/// The keys that every context may have.
#[derive(Debug, Deserialize)]
pub(crate) struct Common {
    /// First name of the recipient; null for someone without an account.
    #[serde(default, deserialize_with = "super::value::text")]
    pub(crate) first_name: Option<Text<40>>,
    /// IANA name.
    #[serde(default)]
    time_zone: Option<String>,
    /// `email_types.params.cta_path`.
    #[serde(default)]
    cta_path: Option<String>,
    /// Goes into links.
    #[serde(default, deserialize_with = "super::value::text")]
    project_id: Option<Text>,
    /// Goes into links.
    #[serde(default, deserialize_with = "super::value::text")]
    deployment_id: Option<Text>,
}

/// What a letter is written with.
pub(crate) struct Composer<'a> {
    pub(crate) code: &'static str,
    pub(crate) common: Common,
    pub(crate) context: &'a Value,
    pub(crate) recipient: &'a Recipient,
    pub(crate) site: &'a Site,
}

/// A place in the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Dashboard,
    Pricing,
    Onboarding,
}

/// The colour of the letter's top edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Calm,
    Good,
    Caution,
    Danger,
}

impl Tone {
    /// The CSS class that also knows the dark colours.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Good => "good",
            Self::Caution => "warn",
            Self::Danger => "risk",
        }
    }

    /// Of the edge and of coloured words on the card; at least 4.5:1 on white.
    pub(crate) fn colour(self) -> &'static str {
        match self {
            Self::Calm => "#0b756b",
            Self::Good => "#1a7547",
            Self::Caution => "#8a5200",
            Self::Danger => "#b3261e",
        }
    }

    /// Behind a badge in that colour; the pair keeps 4.5:1.
    pub(crate) fn tint(self) -> &'static str {
        match self {
            Self::Calm => "#e4f3f1",
            Self::Good => "#e5f4ec",
            Self::Caution => "#fcf1de",
            Self::Danger => "#fdecea",
        }
    }
}

/// The one thing a letter asks for.
#[derive(Debug)]
pub(crate) struct Cta {
    /// The specification's words, with their accents.
    pub(crate) label: &'static str,
    /// Absolute.
    pub(crate) href: String,
}

/// One line of a list of facts.
pub(crate) struct Fact {
    pub(crate) label: &'static str,
    pub(crate) value: Prose,
    pub(crate) tone: Option<Tone>,
}

impl Fact {
    pub(crate) fn new(label: &'static str, value: &str) -> Self {
        Self {
            label,
            value: Prose::new(value).unwrap_or_else(Prose::unnamed),
            tone: None,
        }
    }

    /// With the value on a coloured badge.
    pub(crate) fn toned(label: &'static str, value: &str, tone: Tone) -> Self {
        Self {
            tone: Some(tone),
            ..Self::new(label, value)
        }
    }

    /// Only when the value is known.
    pub(crate) fn known<const MAX: usize>(
        label: &'static str,
        value: Option<&Text<MAX>>,
    ) -> Option<Self> {
        value.map(|value| Self::new(label, value.as_str()))
    }
}

/// What an urgent letter opens with: one fact in large type, then the button. Details follow, and none of them says it again.
///
/// Templates draw it, button included, with `_layout/headline.{html,txt}.stpl` in place of their `<h1>`; the HTML part
/// then ends with `_layout/address.html.stpl` instead of `cta.html.stpl`, the text part has its address already.
#[derive(Debug)]
pub(crate) struct Headline {
    /// The letter's `<h1>`, such as `Trafic 42 → 16 req/s`. Some 25 characters fill two lines of a phone.
    pub(crate) fact: Prose,
    /// What it is about, small above it: `Checkout API (prod), déploiement #48`.
    pub(crate) about: Option<Prose>,
    /// One sentence between it and the button.
    pub(crate) note: Option<Prose>,
}

impl Headline {
    /// The fact alone.
    pub(crate) fn new(fact: &str) -> Self {
        Self {
            fact: Prose::new(fact).unwrap_or_else(Prose::unnamed),
            about: None,
            note: None,
        }
    }

    /// With what it is about.
    pub(crate) fn about(self, about: &str) -> Self {
        Self {
            about: Prose::new(about),
            ..self
        }
    }

    /// With a sentence below.
    pub(crate) fn note(self, note: &str) -> Self {
        Self {
            note: Prose::new(note),
            ..self
        }
    }
}

/// Links that product and marketing letters owe their readers.
#[derive(Debug)]
pub(crate) struct OptOut<'a> {
    pub(crate) unsubscribe: String,
    pub(crate) preferences: String,
    pub(crate) postal_address: Option<&'a str>,
}

/// Everything a template needs besides the payload.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    /// Filled in once the subject is known.
    pub(crate) subject: String,
    /// One or two words on the right of the wordmark: what sort of letter this is.
    pub(crate) kind: &'static str,
    pub(crate) tone: Tone,
    /// Urgent letters have one, see [`Page::opening`].
    pub(crate) headline: Option<Headline>,
    /// The line that inboxes show after the subject.
    pub(crate) preheader: String,
    pub(crate) first_name: Option<Text<40>>,
    pub(crate) cta: Cta,
    /// Why the recipient gets this, in the register of the letter.
    pub(crate) why: &'static str,
    pub(crate) zone: Zone,
    pub(crate) support: Option<&'a str>,
    /// Where the application is, for links beside the button.
    pub(crate) frontend_url: &'a str,
    /// Security and transactional letters have none.
    pub(crate) opt_out: Option<OptOut<'a>>,
    /// Further addresses of the few letters that need them.
    pub(crate) links: Vec<String>,
}

impl Page<'_> {
    /// The same page, opening with `headline`.
    pub(crate) fn opening(mut self, headline: Headline) -> Self {
        self.headline = Some(headline);
        self
    }

    /// `Bonjour Nassir,` or `Bonjour,`.
    pub(crate) fn greeting(&self) -> Greeting<'_> {
        Greeting(self.first_name.as_ref())
    }
}

/// Rendered like text, with the name escaped in HTML.
pub(crate) struct Greeting<'a>(Option<&'a Text<40>>);

impl sailfish::runtime::Render for Greeting<'_> {
    fn render(&self, buffer: &mut sailfish::runtime::Buffer) -> Result<(), sailfish::RenderError> {
        buffer.push_str("Bonjour");
        if let Some(name) = self.0 {
            buffer.push_str(" ");
            name.render(buffer)?;
        }
        buffer.push_str(",");
        Ok(())
    }

    fn render_escaped(
        &self,
        buffer: &mut sailfish::runtime::Buffer,
    ) -> Result<(), sailfish::RenderError> {
        buffer.push_str("Bonjour");
        if let Some(name) = self.0 {
            buffer.push_str(" ");
            name.render_escaped(buffer)?;
        }
        buffer.push_str(",");
        Ok(())
    }
}

/// What a letter says about itself; the rest of its [`Page`] follows from the recipient and the settings.
pub(crate) struct Frame {
    pub(crate) kind: &'static str,
    pub(crate) tone: Tone,
    pub(crate) preheader: String,
    pub(crate) cta: Cta,
    pub(crate) why: &'static str,
}

impl<'a> Composer<'a> {
    /// The page of a frame.
    ///
    /// # Errors
    /// A product or marketing letter without unsubscribe token is not written.
    pub(crate) fn page(&self, frame: Frame) -> Result<Page<'a>, RenderError> {
        let opt_out = match list_name(self.recipient.category) {
            None => None,
            Some(list) => {
                let token = self.token()?;
                Some(OptOut {
                    unsubscribe: unsubscribe_url(self.site, token, list),
                    preferences: preferences_url(self.site, token),
                    postal_address: self.site.postal_address.as_deref(),
                })
            }
        };
        Ok(Page {
            subject: String::new(),
            kind: frame.kind,
            tone: frame.tone,
            headline: None,
            preheader: frame.preheader,
            first_name: self.common.first_name.clone(),
            cta: frame.cta,
            why: frame.why,
            zone: self.zone(),
            support: self.site.support_address.as_deref(),
            frontend_url: &self.site.frontend_url,
            opt_out,
            links: Vec::new(),
        })
    }

    /// The recipient's time zone.
    pub(crate) fn zone(&self) -> Zone {
        Zone::named(self.common.time_zone.as_deref())
    }

    /// The recipient's token.
    pub(crate) fn token(&self) -> Result<Uuid, RenderError> {
        self.recipient
            .unsubscribe_token
            .ok_or(RenderError::Missing {
                code: self.code,
                field: "unsubscribe_token",
            })
    }

    /// The button: to `cta_path` when the type has one, else to `place` with the ids that are known.
    pub(crate) fn cta(&self, label: &'static str, place: Place) -> Cta {
        self.cta_with(label, place, &[])
    }

    /// The same with further query parameters; those without value are left out.
    pub(crate) fn cta_with(
        &self,
        label: &'static str,
        place: Place,
        extra: &[(&str, Option<&str>)],
    ) -> Cta {
        let href = self
            .configured_path()
            .unwrap_or_else(|| self.application_url(place, extra));
        Cta { label, href }
    }

    /// The button, to an address that the payload brought, else as [`Composer::cta_with`].
    pub(crate) fn cta_to(
        &self,
        label: &'static str,
        url: Option<&String>,
        place: Place,
        extra: &[(&str, Option<&str>)],
    ) -> Cta {
        match url {
            Some(url) => Cta {
                label,
                href: url.clone(),
            },
            None => self.cta_with(label, place, extra),
        }
    }

    /// An address in the application, with `project` and `deployment` when they are known.
    pub(crate) fn application_url(&self, place: Place, extra: &[(&str, Option<&str>)]) -> String {
        let path = match place {
            Place::Dashboard => &self.site.cta_dashboard_path,
            Place::Pricing => &self.site.cta_pricing_path,
            Place::Onboarding => &self.site.cta_onboarding_path,
        };
        let mut url = format!("{}{path}", self.site.frontend_url);
        let ids = [
            ("project", self.common.project_id.as_ref().map(Text::as_str)),
            (
                "deployment",
                self.common.deployment_id.as_ref().map(Text::as_str),
            ),
        ];
        for (name, value) in ids.iter().chain(extra) {
            if let Some(value) = value {
                url.push(if url.contains('?') { '&' } else { '?' });
                url.push_str(name);
                url.push('=');
                push_encoded(&mut url, value);
            }
        }
        url
    }

    /// `cta_path` with its `{key}`s filled in, below the frontend; `None` when it is not a path or a key has no value.
    fn configured_path(&self) -> Option<String> {
        let path = self.common.cta_path.as_deref()?;
        if !path.starts_with('/')
            || path.starts_with("//")
            || path.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\')
        {
            return None;
        }
        let mut url = self.site.frontend_url.clone();
        let mut rest = path;
        while let Some((before, tail)) = rest.split_once('{') {
            url.push_str(before);
            let (key, after) = tail.split_once('}')?;
            match self.context.get(key)? {
                Value::String(value) => push_encoded(&mut url, value),
                Value::Number(value) => push_encoded(&mut url, &value.to_string()),
                _ => return None,
            }
            rest = after;
        }
        url.push_str(rest);
        Some(url)
    }
}
