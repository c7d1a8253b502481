//! The frame around every letter: wordmark, kind, button, address in full, footer by category.
//!
//! `templates/_layout/` draws it; this module decides what is in it, [`super::button`] where the button leads. Everything a
//! link is made of comes from the settings, except addresses that a payload brings (`accept_url`, `update_url`,
//! `invoice_url`), which were checked when they were read.

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::button::{Contact, Cta, Ingredients, LinkKeys};
use super::french::Zone;
use super::links::{list_name, preferences_url, unsubscribe_url};
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
}

/// What a letter is written with.
pub(crate) struct Composer<'a> {
    pub(crate) code: &'static str,
    /// Where the button leads when `cta_path` does not say it.
    pub(crate) button: &'static str,
    pub(crate) common: Common,
    pub(crate) links: LinkKeys,
    pub(crate) context: &'a Value,
    pub(crate) recipient: &'a Recipient,
    pub(crate) site: &'a Site,
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
    /// Whether it is a copy to a contact, who cannot open what the application shows to the owner alone.
    pub(crate) is_copy: bool,
    pub(crate) support: Option<Contact<'a>>,
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
    /// A product or marketing letter without unsubscribe token or `PUBLIC_URL` is not written.
    pub(crate) fn page(&self, frame: Frame) -> Result<Page<'a>, RenderError> {
        let opt_out = match list_name(self.recipient.category) {
            None => None,
            Some(list) => {
                let token = self.token()?;
                let public = self.public_url()?;
                Some(OptOut {
                    unsubscribe: unsubscribe_url(public, token, list),
                    preferences: preferences_url(public, token),
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
            is_copy: self.links.is_copy(),
            support: self.site.support_address.as_deref().map(|address| Contact {
                address,
                subject: String::new(),
            }),
            frontend_url: &self.site.frontend_url,
            opt_out,
            links: Vec::new(),
        })
    }

    /// The recipient's time zone.
    pub(crate) fn zone(&self) -> Zone {
        Zone::named(self.common.time_zone.as_deref())
    }

    /// Where the world reaches the sidecar's pages.
    pub(crate) fn public_url(&self) -> Result<&'a str, RenderError> {
        self.site.public_url.as_deref().ok_or(RenderError::Setting {
            code: self.code,
            setting: "PUBLIC_URL",
        })
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

    /// The button with this label; where it leads is the code's, or `cta_path`'s.
    pub(crate) fn cta(&self, label: &'static str) -> Cta {
        self.ingredients(self.button).cta(label)
    }

    /// The button with this label, to `pattern`: for a case of a letter that `cta_path` is not about.
    pub(crate) fn cta_at(&self, label: &'static str, pattern: &'static str) -> Cta {
        self.ingredients(pattern).fixed(label)
    }

    fn ingredients(&self, button: &'static str) -> Ingredients<'_> {
        Ingredients {
            button,
            keys: &self.links,
            context: self.context,
            recipient: self.recipient,
            site: self.site,
        }
    }
}
