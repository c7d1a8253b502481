//! E-SEC-01, two-factor authentication was switched on or off.

use serde::Deserialize;

use super::RenderError;
use super::letter::{Payload, templates};
use super::page::{Composer, Fact, Frame, Page, Tone};
use super::suspicious_login::place_of;
use super::value::{Instant, Prose};

/// A change of `users.twofa_enabled`, and the login that may have made it.
#[derive(Debug, Deserialize)]
pub(crate) struct TwoFactor {
    /// Payload: the state after the change.
    pub enabled: bool,
    /// Payload.
    pub changed_at: Instant,
    /// Fresh: the latest login in the 24 h before the change; the next four describe it.
    #[serde(default)]
    pub login_at: Option<Instant>,
    /// Fresh.
    #[serde(default, deserialize_with = "super::value::text")]
    pub login_ip: Option<Prose>,
    /// Fresh; ISO 3166 code or name.
    #[serde(default, deserialize_with = "super::value::text")]
    pub login_country: Option<Prose>,
    /// Fresh.
    #[serde(default, deserialize_with = "super::value::text")]
    pub login_city: Option<Prose>,
    /// Fresh: browser and system.
    #[serde(default, deserialize_with = "super::value::text")]
    pub login_device: Option<Prose>,
    /// Fresh: whether an earlier login had this device; null when that cannot be known, and then nothing is said.
    #[serde(default)]
    pub login_device_known: Option<bool>,
}

templates!(
    TwoFactor,
    "E-SEC-01/subject.stpl",
    "E-SEC-01/body.txt.stpl",
    "E-SEC-01/body.html.stpl"
);

impl TwoFactor {
    /// What, when, and from where as far as anyone knows.
    fn facts(&self, page: &Page<'_>) -> Vec<Fact> {
        let mut facts = vec![
            Fact::new(
                "Changement",
                if self.enabled {
                    "2FA activée"
                } else {
                    "2FA désactivée"
                },
            ),
            Fact::new(
                "Date",
                &format!(
                    "{} ({})",
                    page.zone.moment(self.changed_at),
                    page.zone.label()
                ),
            ),
        ];
        if let Some(at) = self.login_at {
            facts.push(Fact::new("Dernière connexion", &page.zone.moment(at)));
        }
        facts.extend(self.login_device.as_ref().map(|device| {
            let seen = match self.login_device_known {
                Some(true) => " (déjà utilisé)",
                Some(false) => " (nouvel appareil)",
                None => "",
            };
            Fact::new("Appareil", &format!("{device}{seen}"))
        }));
        facts.extend(place_of(
            self.login_city.as_ref(),
            self.login_country.as_ref(),
        ));
        facts.extend(Fact::known("Adresse IP", self.login_ip.as_ref()));
        facts
    }
}

impl Payload for TwoFactor {
    const CODE: &'static str = "E-SEC-01";
    const REQUIRED: &'static [&'static str] = &["enabled", "changed_at"];
    const BUTTON: &'static str = "/dashboard/settings";

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        let at = composer.zone().moment(self.changed_at);
        composer.page(Frame {
            kind: "Sécurité",
            tone: if self.enabled { Tone::Calm } else { Tone::Danger },
            preheader: format!("Le {at}. Si ce n'était pas vous, agissez maintenant."),
            cta: composer.cta("Sécuriser mon compte"),
            why: "Vous recevez ce message parce qu'un réglage de sécurité de votre compte SEQPULSE a changé. Ces messages sont toujours \
                  envoyés.",
        })
    }
}
