//! The kinds of values a context holds, read tolerantly and made safe once, before any template sees them.
//!
//! A required figure outside its range refuses the letter; an optional one is left out, so that an alert is never lost
//! to a broken figure. A value of the wrong JSON type is refused in either case: it is a mistake, not missing data.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use sailfish::RenderError;
use sailfish::runtime::{Buffer, Render};
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, Serialize};

use super::french::NBSP;

/// Counts and day figures above this are taken for a mistake.
const MAX_COUNT: f64 = 999_999_999.0;
/// Percentages and points above this are taken for a mistake.
const MAX_CHANGE: f64 = 99_999.0;
/// How long a name may get in a letter, in characters.
pub(crate) const NAME: usize = 60;
/// How long a sentence from a table may get, in characters.
pub(crate) const PROSE: usize = 240;

/// Text from a table: on one line, without control and bidi-override characters, at most `MAX` characters.
///
/// In HTML it is escaped and, when it holds right-to-left letters, isolated from the sentence around it by `<bdi>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Text<const MAX: usize = NAME>(String);

/// Longer text from a table: a summary, an action, a name of a device.
pub(crate) type Prose = Text<PROSE>;

impl<const MAX: usize> Text<MAX> {
    /// Cleans and shortens; `None` when nothing visible is left.
    pub(crate) fn new(raw: &str) -> Option<Self> {
        let clean = one_line(raw);
        (!clean.is_empty()).then(|| Self(shorten(clean, MAX)))
    }

    /// Stands for a text of which nothing visible is left.
    pub(crate) fn unnamed() -> Self {
        Self("sans nom".to_owned())
    }

    /// The cleaned text, not escaped.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MAX: usize> Render for Text<MAX> {
    fn render(&self, buffer: &mut Buffer) -> Result<(), RenderError> {
        self.0.render(buffer)
    }

    fn render_escaped(&self, buffer: &mut Buffer) -> Result<(), RenderError> {
        if self.0.chars().any(is_right_to_left) {
            buffer.push_str("<bdi>");
            self.0.render_escaped(buffer)?;
            buffer.push_str("</bdi>");
            Ok(())
        } else {
            self.0.render_escaped(buffer)
        }
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    /// A required text of which nothing visible is left is still a thing that exists: it reads `sans nom`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Scalar::deserialize(deserializer)?.into_text();
        Ok(Self::new(&raw).unwrap_or_else(Self::unnamed))
    }
}

/// For `deserialize_with` of an optional text: nothing visible means none.
pub(crate) fn text<'de, D: Deserializer<'de>, const MAX: usize>(
    deserializer: D,
) -> Result<Option<Text<MAX>>, D::Error> {
    match Option::<Scalar>::deserialize(deserializer)? {
        None => Ok(None),
        Some(scalar) => Ok(Text::new(&scalar.into_text())),
    }
}

/// For `deserialize_with` of a required count.
pub(crate) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let value = Scalar::deserialize(deserializer)?.into_number::<D::Error>()?;
    whole(value).ok_or_else(|| {
        D::Error::custom(format!(
            "is {value}, expected a whole number from 0 to {MAX_COUNT}"
        ))
    })
}

/// For `deserialize_with` of an optional count.
pub(crate) fn count_opt<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u64>, D::Error> {
    Ok(number(deserializer)?.and_then(whole))
}

/// For `deserialize_with` of an optional signed change, in percent or points.
pub(crate) fn change<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Ok(number(deserializer)?.filter(|value| value.abs() <= MAX_CHANGE))
}

/// For `deserialize_with` of an optional share, 0 to 1.
pub(crate) fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Ok(number(deserializer)?.filter(|value| (0.0..=1.0).contains(value)))
}

/// For `deserialize_with` of an optional rate of at least 0.
pub(crate) fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Ok(number(deserializer)?.filter(|value| (0.0..=MAX_CHANGE).contains(value)))
}

/// For `deserialize_with` of an optional address: only `http` and `https`, with a host and without credentials.
pub(crate) fn web_url<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let raw = Option::<String>::deserialize(deserializer)?;
    Ok(raw.as_deref().and_then(safe_web_url))
}

/// An address of the web without a password in it, as its parser writes it; `None` for anything else.
pub(crate) fn safe_web_url(raw: &str) -> Option<String> {
    let url = url::Url::parse(raw.trim()).ok()?;
    let safe = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.as_str().len() <= 2000;
    safe.then(|| url.into())
}

/// A calendar month, `YYYY-MM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Month(pub NaiveDate);

impl<'de> Deserialize<'de> for Month {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = String::deserialize(deserializer)?;
        NaiveDate::parse_from_str(&format!("{raw}-01"), "%Y-%m-%d")
            .map(Self)
            .map_err(|_| D::Error::invalid_value(Unexpected::Str(&raw), &"a month such as 2026-02"))
    }
}

/// An instant; RFC 3339 in JSON.
pub(crate) type Instant = DateTime<Utc>;

/// A number or a string, as JSON has it.
enum Scalar {
    Number(f64),
    Text(String),
}

impl Scalar {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            // A project may well be called 42 in a context that a person typed.
            Self::Number(number) => number.to_string(),
        }
    }

    fn into_number<E: Error>(self) -> Result<f64, E> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Text(text) => {
                figure(&text).ok_or_else(|| E::invalid_type(Unexpected::Str(&text), &"a number"))
            }
        }
    }
}

/// A number as the application's own code may have written it for its letters: `+18 %`, `1,3 pts`.
fn figure(text: &str) -> Option<f64> {
    let bare = text
        .trim()
        .trim_end_matches(|c: char| c == '%' || c.is_whitespace());
    let bare = bare.strip_suffix("pts").unwrap_or(bare).trim_end();
    bare.parse()
        .or_else(|_| bare.replace(',', ".").parse())
        .ok()
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or a number")
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(value.to_owned()))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar::Number(value))
            }

            #[expect(
                clippy::cast_precision_loss,
                reason = "figures beyond 2^53 are refused anyway"
            )]
            fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar::Number(value as f64))
            }

            #[expect(
                clippy::cast_precision_loss,
                reason = "figures beyond 2^53 are refused anyway"
            )]
            fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar::Number(value as f64))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    match Option::<Scalar>::deserialize(deserializer)? {
        None => Ok(None),
        Some(scalar) => {
            Ok(Some(scalar.into_number::<D::Error>()?).filter(|value| value.is_finite()))
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked first"
)]
fn whole(value: f64) -> Option<u64> {
    ((0.0..=MAX_COUNT).contains(&value) && value.fract() == 0.0).then_some(value as u64)
}

/// A name from a table as a page shows it: on one line, without characters that hide or reorder text, at most `max`
/// characters; `None` when nothing visible is left.
pub fn name(raw: &str, max: usize) -> Option<String> {
    let line = one_line(raw);
    (!line.is_empty()).then(|| shorten(line, max))
}

/// One line of visible text: no control characters, no characters that reorder or hide what follows, single spaces
/// (no-break where one of them was).
pub(crate) fn one_line(raw: &str) -> String {
    let mut clean = String::with_capacity(raw.len());
    let mut gap = None;
    for character in raw.chars() {
        if character == NBSP {
            gap = Some(NBSP);
        } else if character.is_whitespace() || character.is_control() {
            gap = gap.or(Some(' '));
        } else if !is_deceptive(character) {
            if let Some(space) = gap.take().filter(|_| !clean.is_empty()) {
                clean.push(space);
            }
            clean.push(character);
        }
    }
    if clean.chars().all(is_joiner) {
        String::new()
    } else {
        clean
    }
}

/// Bidi marks, embeddings, overrides and isolates, invisible fillers, byte-order marks, tag and interlinear characters.
/// The zero-width joiners stay: emoji and several scripts need them.
fn is_deceptive(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffc}' | '\u{e0000}'..='\u{e007f}'
    )
}

fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

fn is_right_to_left(character: char) -> bool {
    matches!(character, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// At most `max` characters, the last of them `…` when something was cut; never ends inside an emoji sequence.
pub(crate) fn shorten(text: String, max: usize) -> String {
    if text.len() <= max || text.chars().count() <= max {
        return text;
    }
    let mut short: String = text.chars().take(max.saturating_sub(1)).collect();
    while short.ends_with(|character: char| is_joiner(character) || character == ' ') {
        short.pop();
    }
    short.push('…');
    short
}
