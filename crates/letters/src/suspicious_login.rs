//! E-SEC-02, a login that does not look like the user.

use serde::Deserialize;

use super::RenderError;
use super::country;
use super::letter::{Payload, templates};
use super::page::{Composer, Fact, Frame, Page, Tone};
use super::value::{Instant, Prose};

/// A login from a country, a city or with a device not seen for this user in 90 days, or one that the application calls suspicious.
#[derive(Debug, Deserialize)]
pub(crate) struct SuspiciousLogin {
    /// The signal's time.
    pub occurred_at: Instant,
    /// Payload.
    #[serde(default, deserialize_with = "super::value::text")]
    pub ip: Option<Prose>,
    /// Payload; ISO 3166 code or name.
    #[serde(default, deserialize_with = "super::value::text")]
    pub country: Option<Prose>,
    /// Payload.
    #[serde(default, deserialize_with = "super::value::text")]
    pub city: Option<Prose>,
    /// Fresh: browser and system.
    #[serde(default, deserialize_with = "super::value::text")]
    pub device: Option<Prose>,
    /// The country is new for this user; null when not known.
    #[serde(default)]
    pub new_country: Option<bool>,
    /// The city is new for this user; null when not known.
    #[serde(default)]
    pub new_city: Option<bool>,
    /// The device is new for this user; null when not known.
    #[serde(default)]
    pub new_device: Option<bool>,
}

templates!(
    SuspiciousLogin,
    "E-SEC-02/subject.stpl",
    "E-SEC-02/body.txt.stpl",
    "E-SEC-02/body.html.stpl"
);

impl SuspiciousLogin {
    /// What differs from the logins before; a new country makes its city no news.
    fn what_differs(&self) -> &'static str {
        let device = self.new_device == Some(true);
        let country = self.new_country == Some(true);
        let city = self.new_city == Some(true);
        match (device, country, city) {
            (true, true, _) => {
                "Une connexion à votre compte SEQPULSE vient d'un appareil et d'un pays inhabituels."
            }
            (true, false, true) => {
                "Une connexion à votre compte SEQPULSE vient d'un appareil et d'une ville inhabituels."
            }
            (true, false, false) => {
                "Une connexion à votre compte SEQPULSE vient d'un appareil inhabituel."
            }
            (false, true, _) => "Une connexion à votre compte SEQPULSE vient d'un pays inhabituel.",
            (false, false, true) => {
                "Une connexion à votre compte SEQPULSE vient d'une ville inhabituelle."
            }
            (false, false, false) => {
                "Une connexion à votre compte SEQPULSE a été signalée comme suspecte."
            }
        }
    }

    /// When, with what, from where; the sentence above them says what of it is new.
    fn facts(&self, page: &Page<'_>) -> Vec<Fact> {
        let mut facts = vec![Fact::new(
            "Date",
            &format!(
                "{} ({})",
                page.zone.moment(self.occurred_at),
                page.zone.label()
            ),
        )];
        facts.extend(Fact::known("Appareil", self.device.as_ref()));
        facts.extend(place_of(self.city.as_ref(), self.country.as_ref()));
        facts.extend(Fact::known("Adresse IP", self.ip.as_ref()));
        facts
    }
}

/// `Hanoï, Vietnam`; only ever approximate, which the label says.
pub(crate) fn place_of(city: Option<&Prose>, country: Option<&Prose>) -> Option<Fact> {
    let country = country.map(|country| country::french(country.as_str()));
    let place = match (city, country) {
        (Some(city), Some(country)) => format!("{city}, {country}"),
        (Some(city), None) => city.to_string(),
        (None, Some(country)) => country.to_owned(),
        (None, None) => return None,
    };
    Some(Fact::new("Lieu approximatif", &place))
}

impl Payload for SuspiciousLogin {
    const CODE: &'static str = "E-SEC-02";
    const REQUIRED: &'static [&'static str] = &["occurred_at"];
    const BUTTON: &'static str = "{answer} | /dashboard/settings";

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        let at = composer.zone().moment(self.occurred_at);
        composer.page(Frame {
            kind: "Sécurité",
            tone: Tone::Danger,
            preheader: format!("Le {at}. Était-ce bien vous ?"),
            cta: composer.cta("Ce n'était pas moi"),
            why: "Vous recevez ce message parce qu'une connexion inhabituelle a eu lieu sur votre compte SEQPULSE. Ces messages sont \
                  toujours envoyés.",
        })
    }
}
