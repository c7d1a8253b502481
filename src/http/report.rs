//! Reading a provider's report: every field may be missing, of another type, or far too long.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::{Map, Value};
use url::Url;
use uuid::Uuid;

use crate::provider::redact;

/// Characters of an id or an address.
const MAX_CHARS: usize = 255;

/// The body is not what the provider sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON object with a known shape")]
pub(super) struct Malformed;

/// A JSON object that is asked politely.
#[derive(Debug, Clone, Copy)]
pub(super) struct Report<'a>(Option<&'a Value>);

impl<'a> Report<'a> {
    pub(super) fn of(value: &'a Value) -> Result<Self, Malformed> {
        if value.is_object() {
            Ok(Self(Some(value)))
        } else {
            Err(Malformed)
        }
    }

    pub(super) fn get(self, name: &str) -> Self {
        Self(self.0.and_then(|value| value.get(name)))
    }

    /// A word of the provider, as it is.
    pub(super) fn word(self, name: &str) -> Option<&'a str> {
        self.get(name).0?.as_str().filter(|word| !word.is_empty())
    }

    pub(super) fn flag(self, name: &str) -> Option<bool> {
        self.get(name).0?.as_bool()
    }

    pub(super) fn number(self, name: &str) -> Option<i64> {
        self.get(name).0?.as_i64()
    }

    /// An id or an address: one line that fits a column.
    pub(super) fn id(self, name: &str) -> Option<String> {
        plain(self.word(name)?)
    }

    /// The only member of a list of strings, or the string itself.
    pub(super) fn only(self, name: &str) -> Option<String> {
        let value = self.get(name).0?;
        match value.as_array().map(Vec::as_slice) {
            Some([only]) => plain(only.as_str()?),
            Some(_) => None,
            None => plain(value.as_str()?),
        }
    }

    /// Our own id in tags or metadata; Resend has tags as an object in webhooks and as a list everywhere else.
    pub(super) fn delivery(self) -> Option<Uuid> {
        let listed = || {
            let tags = self.0?.as_array()?;
            let tag = tags.iter().find(|tag| tag["name"] == "delivery")?;
            tag["value"].as_str()
        };
        let text = self.word("delivery").or_else(listed)?;
        Uuid::try_parse(text).ok()
    }

    pub(super) fn time(self, name: &str) -> Option<DateTime<Utc>> {
        time(self.word(name)?)
    }

    /// A sentence of the provider's or of a mail server, for a person to read: without addresses, not too long.
    pub(super) fn sentence(self, name: &str) -> Option<String> {
        let sentence = redact::redact(self.word(name)?, &secrecy::SecretString::default());
        (!sentence.is_empty()).then_some(sentence)
    }

    /// Where a click led: without query, fragment and ids, which may act for their owner.
    pub(super) fn link(self, name: &str) -> Option<String> {
        let mut url = Url::parse(self.word(name)?).ok()?;
        url.set_query(None);
        url.set_fragment(None);
        let segments: Vec<String> = url
            .path_segments()?
            .map(|segment| match Uuid::try_parse(segment) {
                Ok(_) => "*".to_owned(),
                Err(_) => segment.to_owned(),
            })
            .collect();
        url.set_path(&segments.join("/"));
        plain(url.as_str())
    }
}

/// Without the keys that have no value.
pub(super) fn details<const N: usize>(pairs: [(&str, Option<Value>); N]) -> Value {
    let present = pairs
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(present.collect::<Map<_, _>>())
}

fn plain(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = text.chars().count() <= MAX_CHARS && !text.contains(char::is_control);
    (fits && !text.is_empty()).then(|| text.to_owned())
}

/// `2026-09-01T08:15:09.402Z` of webhooks, `2026-09-01 08:15:02.120931+00` of Resend's API.
fn time(text: &str) -> Option<DateTime<Utc>> {
    let parsed = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z"));
    match parsed {
        Ok(time) => Some(time.with_timezone(&Utc)),
        // Without an offset: UTC.
        Err(_) => NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
            .ok()
            .map(|time| time.and_utc()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_forms_of_time() {
        for text in [
            "2026-09-01T08:15:09.402Z",
            "2026-09-01T08:15:09.4020000Z",
            "2026-09-01T04:15:09.4020000-04:00",
            "2026-09-01 08:15:09.402000+00",
            "2026-09-01T08:15:09.402",
        ] {
            let time = time(text).map(|time| time.timestamp_millis());
            assert_eq!(time, Some(1_788_250_509_402), "{text}");
        }
        assert_eq!(time("yesterday"), None);
    }

    #[test]
    fn odd_values_count_as_missing() {
        let value = json!({"a": 1, "b": "x\u{0}y", "c": "x".repeat(256), "d": " ok ", "to": ["a@b.example"], "two": ["a", "b"]});
        let report = Report::of(&value).expect("an object");
        for name in ["a", "b", "c", "missing"] {
            assert_eq!(report.id(name), None, "{name}");
        }
        assert_eq!(report.id("d").as_deref(), Some("ok"));
        assert_eq!(report.only("to").as_deref(), Some("a@b.example"));
        assert_eq!(report.only("two"), None);
        assert!(Report::of(&json!([])).is_err());
    }

    #[test]
    fn a_link_keeps_no_token() {
        let token = "0b9f4f2e-7d57-4c0e-8a55-9e0d8f6a1c11";
        let value = json!({"link": format!("https://m.example/unsubscribe/{token}?c=product#x"), "bad": "javascript:1"});
        let report = Report::of(&value).expect("an object");
        assert_eq!(
            report.link("link").as_deref(),
            Some("https://m.example/unsubscribe/*")
        );
        assert_eq!(report.link("bad"), None);
    }

    #[test]
    fn a_mail_servers_sentence_loses_its_addresses() {
        let value = json!({"message": "550 5.1.1 <lea@example.org> unknown"});
        let report = Report::of(&value).expect("an object");
        let sentence = report.sentence("message").expect("a sentence");
        assert!(
            !sentence.contains("lea@") && sentence.starts_with("550 5.1.1"),
            "{sentence}"
        );
    }
}
