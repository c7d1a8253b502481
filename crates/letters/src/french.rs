//! French, in one place: plurals, numbers, money, dates and the spaces that must not break.
//!
//! Every no-break space is U+00A0: U+202F is typographically finer but missing from fonts that mail clients fall back to.

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use chrono_tz::Tz;

/// The no-break space.
pub const NBSP: char = '\u{a0}';

const MONTHS: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];
const DAYS: [&str; 7] = [
    "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche",
];

/// Words that a number must not be separated from by a line break. Longer ones first where one begins another.
const UNITS: [&str; 12] = [
    "minutes", "minute", "heures", "heure", "jours", "jour", "semaines", "min", "ms", "pts", "h",
    "%",
];

/// A whole number with its thousands set apart: `1 234`.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::with_capacity(digits.len() + 4);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(NBSP);
        }
        grouped.push(digit);
    }
    grouped
}

/// At most one decimal, with a comma, none when it is zero: `18`, `18,2`. The sign is dropped.
pub fn decimal(value: f64) -> String {
    let rounded = format!("{:.1}", value.abs());
    let (whole, fraction) = rounded.split_once('.').unwrap_or((&rounded, "0"));
    let whole = number(whole.parse().unwrap_or(0));
    if fraction == "0" {
        whole
    } else {
        format!("{whole},{fraction}")
    }
}

/// Whether a change rounds to nothing at one decimal.
pub fn is_flat(value: f64) -> bool {
    value.abs() < 0.05
}

/// A signed change with its unit: `+18 %`, `−1,3 pts`, `0 %`.
pub fn signed(value: f64, unit: &str) -> String {
    let sign = match value {
        value if is_flat(value) => "",
        value if value > 0.0 => "+",
        _ => "−",
    };
    format!("{sign}{}{NBSP}{unit}", decimal(value))
}

/// `1 déploiement`, `2 déploiements`, `0 déploiement`: French plurals begin at two.
pub fn count(value: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(value), plural(value, one, many))
}

/// The word alone.
pub fn plural<'a>(value: u64, one: &'a str, many: &'a str) -> &'a str {
    if value < 2 { one } else { many }
}

/// `1 jour`, `5 jours`, held together.
pub fn days(value: u64) -> String {
    format!("{}{NBSP}{}", number(value), plural(value, "jour", "jours"))
}

/// `février`.
pub fn month(date: NaiveDate) -> &'static str {
    MONTHS[date.month0() as usize]
}

/// `de février`, `d'avril`.
pub fn of_month(date: NaiveDate) -> String {
    let name = month(date);
    if name.starts_with(['a', 'o']) {
        format!("d'{name}")
    } else {
        format!("de {name}")
    }
}

/// `1er`, `3`.
pub fn day(date: NaiveDate) -> String {
    let ordinal = if date.day() == 1 { "er" } else { "" };
    format!("{}{ordinal}", date.day())
}

/// `1er avril`, `3 mars`.
pub fn day_month(date: NaiveDate) -> String {
    format!("{}{NBSP}{}", day(date), month(date))
}

/// `lundi 2 mars 2026`.
pub fn date(date: NaiveDate) -> String {
    format!(
        "{} {} {}",
        DAYS[date.weekday().num_days_from_monday() as usize],
        day_month(date),
        date.year()
    )
}

/// Zones that a French reader knows by a city.
const CITIES: [(&str, &str); 24] = [
    ("Africa/Abidjan", "d'Abidjan"),
    ("Africa/Algiers", "d'Alger"),
    ("Africa/Casablanca", "de Casablanca"),
    ("Africa/Dakar", "de Dakar"),
    ("Africa/Kinshasa", "de Kinshasa"),
    ("Africa/Porto-Novo", "de Porto-Novo"),
    ("Africa/Tunis", "de Tunis"),
    ("America/Los_Angeles", "de Los Angeles"),
    ("America/Montreal", "de Montréal"),
    ("America/New_York", "de New York"),
    ("America/Toronto", "de Toronto"),
    ("Asia/Dubai", "de Dubaï"),
    ("Asia/Singapore", "de Singapour"),
    ("Asia/Tokyo", "de Tokyo"),
    ("Australia/Sydney", "de Sydney"),
    ("Europe/Berlin", "de Berlin"),
    ("Europe/Brussels", "de Bruxelles"),
    ("Europe/Lisbon", "de Lisbonne"),
    ("Europe/London", "de Londres"),
    ("Europe/Luxembourg", "de Luxembourg"),
    ("Europe/Madrid", "de Madrid"),
    ("Europe/Paris", "de Paris"),
    ("Europe/Zurich", "de Zurich"),
    ("Indian/Reunion", "de La Réunion"),
];

/// A time zone to show times in, and how to name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

impl Zone {
    /// The zone of an IANA name; nothing means Paris, an unknown name UTC (the zone is always shown, so times stay right).
    pub fn named(name: Option<&str>) -> Self {
        Self(name.map_or(Tz::Europe__Paris, |name| name.parse().unwrap_or(Tz::UTC)))
    }

    /// `lundi 2 mars 2026 à 08:00`.
    pub fn moment(self, instant: DateTime<Utc>) -> String {
        let local = instant.with_timezone(&self.0);
        format!(
            "{} à {:02}:{:02}",
            date(local.date_naive()),
            local.hour(),
            local.minute()
        )
    }

    /// `lundi 2 mars 2026`.
    pub fn date(self, instant: DateTime<Utc>) -> String {
        date(instant.with_timezone(&self.0).date_naive())
    }

    /// `2 mars`.
    pub fn day_month(self, instant: DateTime<Utc>) -> String {
        day_month(instant.with_timezone(&self.0).date_naive())
    }

    /// `08:00`.
    pub fn time(self, instant: DateTime<Utc>) -> String {
        let local = instant.with_timezone(&self.0);
        format!("{:02}:{:02}", local.hour(), local.minute())
    }

    /// `heure de Paris`; a zone without a usual French name is named as it is: `fuseau Asia/Kolkata`; `UTC`.
    pub fn label(self) -> String {
        let name = self.0.name();
        match CITIES.iter().find(|(zone, _)| *zone == name) {
            Some((_, city)) => format!("heure {city}"),
            None if matches!(self.0, Tz::UTC | Tz::Etc__UTC) => "UTC".to_owned(),
            None => format!("fuseau {name}"),
        }
    }
}

/// An amount in minor units of an ISO 4217 currency: `49,00 €`, `4 900 ¥`, `1,250 TND`. `None` when it is no currency code.
pub fn money(minor: u64, currency: &str) -> Option<String> {
    let code = currency.trim().to_ascii_uppercase();
    if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let decimals: u32 = match code.as_str() {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    };
    let symbol = match code.as_str() {
        "EUR" => "€",
        "USD" => "$US",
        "CAD" => "$CA",
        "AUD" => "$AU",
        "GBP" => "£",
        "JPY" => "¥",
        other => other,
    };
    let unit = 10_u64.pow(decimals);
    let mut amount = number(minor / unit);
    if decimals > 0 {
        let fraction = format!("{:0width$}", minor % unit, width = decimals as usize);
        amount = format!("{amount},{fraction}");
    }
    Some(format!("{amount}{NBSP}{symbol}"))
}

/// Puts no-break spaces where French wants them: before `: ; ! ? » %`, after `«`, between a number and its unit.
///
/// Runs over finished subjects, texts and HTML, so that templates can be typed with ordinary spaces. In HTML it also
/// meets markup: the layout therefore writes its CSS without a space before `:` `;` `!`.
pub fn typeset(text: &str) -> String {
    let mut set = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(at) = rest.find(' ') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        set.push_str(before);
        let number_before = before.ends_with(|character: char| character.is_ascii_digit());
        let binds = after.starts_with([':', ';', '!', '?', '»', '%'])
            || before.ends_with('«')
            || (number_before && begins_with_unit(after));
        set.push(if binds { NBSP } else { ' ' });
        rest = after;
    }
    set.push_str(rest);
    set
}

fn begins_with_unit(text: &str) -> bool {
    UNITS.iter().any(|unit| {
        text.strip_prefix(unit)
            .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    })
}
