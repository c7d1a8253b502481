//! French, in one place: plurals, numbers, money, dates, apostrophes and the spaces that must not break.
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
const UNITS: [&str; 13] = [
    "minutes", "minute", "heures", "heure", "jours", "jour", "semaines", "min", "ms", "pts", "h",
    "req/s", "%",
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

/// `lundi`.
pub fn weekday(date: NaiveDate) -> &'static str {
    DAYS[date.weekday().num_days_from_monday() as usize]
}

/// `lundi 2 mars 2026`.
pub fn date(date: NaiveDate) -> String {
    format!("{} {} {}", weekday(date), day_month(date), date.year())
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

/// Sets a line of plain French: no-break spaces before `: ; ! ? » %`, after `«`, around `→`, between a number and its unit;
/// apostrophes that are `’`. Addresses are left as they are.
///
/// Runs over what is finished, so that templates can be typed on any keyboard.
pub fn typeset(text: &str) -> String {
    let mut set = String::with_capacity(text.len() + 16);
    set_run(text, None, &mut set);
    set
}

/// The line that opens or closes code in a text part; it is dropped.
const FENCE: &str = "```";

/// The same for a text part, whose code stands between two lines of three backticks.
pub fn typeset_text(text: &str) -> String {
    let mut set = String::with_capacity(text.len() + 64);
    let mut code = false;
    for line in text.split_inclusive('\n') {
        if line.trim_end() == FENCE {
            code = !code;
        } else if code {
            set.push_str(line);
        } else {
            set_run(line, None, &mut set);
        }
    }
    set
}

/// The same for HTML: only what a reader sees, so neither markup nor code.
pub fn typeset_html(html: &str) -> String {
    let mut set = String::with_capacity(html.len() + 256);
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (text, markup) = rest.split_at(at);
        set_run(text, markup[1..].chars().next(), &mut set);
        let (markup, after) = markup.split_at(markup_length(markup));
        set.push_str(markup);
        rest = after;
    }
    set_run(rest, None, &mut set);
    set
}

/// How much of `html`, which begins with `<`, is no text: a comment, an element of code or style, or a single tag.
fn markup_length(html: &str) -> usize {
    const CODE: [(&str, &str); 4] = [
        ("<style", "</style>"),
        ("<pre", "</pre>"),
        ("<code", "</code>"),
        ("<script", "</script>"),
    ];
    // Nearly every tag is told by its second byte.
    let end = match html.as_bytes().get(1) {
        Some(b'!') if html.starts_with("<!--") => Some("-->"),
        Some(b's' | b'p' | b'c') => CODE
            .iter()
            .find(|(start, _)| {
                html.strip_prefix(start)
                    .is_some_and(|tail| tail.starts_with(['>', ' ']))
            })
            .map(|(_, end)| *end),
        _ => None,
    };
    let Some(end) = end else {
        return html.find('>').map_or(html.len(), |at| at + 1);
    };
    html.find(end).map_or(html.len(), |at| at + end.len())
}

/// Appends a run of text, in HTML up to the next tag; `next` is what follows it (in HTML the character after `<`).
///
/// Every letter passes here with some ten thousand bytes, most of them runs without an apostrophe: bytes are looked at, and
/// what does not change is copied as it is.
fn set_run(text: &str, next: Option<char>, set: &mut String) {
    if !text.bytes().any(|byte| matches!(byte, b'\'' | b'&')) {
        return set_spaces(text, set);
    }
    let mut spaced = String::with_capacity(text.len() + 16);
    set_spaces(text, &mut spaced);
    let mut words = spaced.split_inclusive(char::is_whitespace).peekable();
    while let Some(word) = words.next() {
        if word.contains("://") || word.contains('@') {
            set.push_str(word);
        } else {
            let last = words.peek().is_none();
            set_apostrophes(word, next.filter(|_| last), set);
        }
    }
}

/// Appends the text with the spaces that must not break.
fn set_spaces(text: &str, set: &mut String) {
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte != b' ' {
            continue;
        }
        let (before, after) = (&text[..at], &text[at + 1..]);
        // The first or last byte of a sign beyond ASCII rules out nearly all other text.
        let binds = match after.as_bytes().first() {
            Some(b':' | b';' | b'!' | b'?' | b'%') => true,
            Some(0xc2) => after.starts_with('»'),
            Some(0xe2) => after.starts_with('→'),
            _ => false,
        } || match before.as_bytes().last() {
            Some(b'0'..=b'9') => begins_with_unit(after),
            Some(0xab) => before.ends_with('«'),
            Some(0x92) => before.ends_with('→'),
            _ => false,
        };
        if binds {
            set.push_str(&text[copied..at]);
            set.push(NBSP);
            copied = at + 1;
        }
    }
    set.push_str(&text[copied..]);
}

/// An apostrophe stands between a letter and a word, in HTML also escaped: `l'équipe`, `d'« API »`, `d'<strong>hier`.
fn set_apostrophes(word: &str, next: Option<char>, set: &mut String) {
    const ESCAPED: &str = "&#039;";
    let mut rest = word;
    while let Some(at) = rest.find(['\'', '&']) {
        let (before, tail) = rest.split_at(at);
        set.push_str(before);
        let length = if tail.starts_with(ESCAPED) {
            ESCAPED.len()
        } else {
            1
        };
        let (sign, after) = tail.split_at(length);
        let begins = after
            .chars()
            .next()
            .or(next)
            .is_some_and(|character| character.is_alphanumeric() || character == '«');
        let apostrophe = (sign == "'" || sign == ESCAPED) && set.ends_with(char::is_alphabetic);
        set.push_str(if apostrophe && begins { "’" } else { sign });
        rest = after;
    }
    set.push_str(rest);
}

fn begins_with_unit(text: &str) -> bool {
    UNITS.iter().any(|unit| {
        text.strip_prefix(unit)
            .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    })
}
