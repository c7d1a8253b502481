//! What the stand-in can be told to be: strict or lenient, limited or not, and at which time.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use super::ledger::Api;

/// Everything that is unknown or adjustable at the real providers. The default accepts every key, every sender and any
/// rate, so that a first look just works. Changed as a JSON object of the same names by `PATCH /_sandbox/settings`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The only keys taken (Resend keys and Postmark tokens alike); `null`: any.
    pub keys: Option<Vec<String>>,
    /// Keys refused although they would be taken; `"*"` refuses all.
    pub revoked_keys: Vec<String>,
    /// Resend keys that may send but not read.
    pub sending_only_keys: Vec<String>,
    /// With which status Resend refuses a bad key: 400 or 401 (docs/providers.md#resend-errors; both were seen).
    pub bad_key_status: u16,
    /// Domains that may stand in `from`; `null`: any.
    pub domains: Option<Vec<String>>,
    /// Resend requests per second; `null`: no limit and no rate headers.
    pub resend_rate_per_second: Option<u32>,
    /// Postmark requests per second; `null`: no limit.
    pub postmark_rate_per_second: Option<u32>,
    /// Messages Resend takes per UTC day, then `daily_quota_exceeded`; `null`: any number.
    pub daily_quota: Option<u64>,
    /// Messages Resend takes at all, then `monthly_quota_exceeded`; `null`: any number.
    pub monthly_quota: Option<u64>,
    /// How Resend compares the bodies of two requests under one key (unknown in reality).
    pub idempotency_compare: BodyCompare,
    /// Whether a refused request occupies its idempotency key (unknown in reality).
    pub failures_consume_key: bool,
    /// Postmark's message streams.
    pub streams: Vec<String>,
    /// Whether an unknown stream refuses the message or the whole batch (unknown in reality).
    pub unknown_stream: UnknownStream,
    /// How long a Postmark message stays invisible to the search, in milliseconds of the sandbox's clock.
    pub index_delay_ms: u64,
    /// Postmark answers "accepted, but delivery may be delayed", without `ErrorCode`, to everything.
    pub may_be_delayed: bool,
    /// What the sandbox's clock is ahead of the machine's, in seconds; may be negative.
    pub clock_offset_seconds: i64,
    /// Where events are reported, on this machine; `null`: nowhere.
    pub webhook_url: Option<String>,
    /// `whsec_…`: the events of the Resend side are signed with it. `user:password`: those of the Postmark side are sent with it.
    pub webhook_secret: Option<String>,
    /// A second `whsec_…` that signs as well, as while a secret is being replaced.
    pub webhook_old_secret: Option<String>,
    /// After acceptance, before the first report: the sender shall have its answer by then.
    pub webhook_delay_ms: u64,
    /// How often every report is sent although it was taken.
    pub webhook_copies: u32,
    /// Pauses between the attempts; `null`: the provider's own, which last for hours.
    pub webhook_retry_ms: Option<Vec<u64>>,
    /// Which of Postmark's published rules for repeating holds.
    pub postmark_retries: PostmarkRetries,
    /// Whether Postmark's reports carry a trace id ("when available").
    pub postmark_trace_ids: bool,
}

/// See [`Settings::postmark_retries`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostmarkRetries {
    /// Any 2xx contents it; only 408, 429, 5xx and silence are repeated, for 51 minutes.
    September,
    /// Only 200 contents it; everything but 403 is repeated, for ten hours.
    August,
}

/// See [`Settings::idempotency_compare`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyCompare {
    /// Byte by byte: the strictest reading.
    Raw,
    /// As JSON: white space and the order of fields do not matter.
    Canonical,
}

/// See [`Settings::unknown_stream`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownStream {
    /// That message alone is refused.
    Item,
    /// The whole request is refused.
    Whole,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keys: None,
            revoked_keys: Vec::new(),
            sending_only_keys: Vec::new(),
            bad_key_status: 401,
            domains: None,
            resend_rate_per_second: None,
            postmark_rate_per_second: None,
            daily_quota: None,
            monthly_quota: None,
            idempotency_compare: BodyCompare::Raw,
            failures_consume_key: false,
            streams: vec!["outbound".to_owned(), "broadcast".to_owned()],
            unknown_stream: UnknownStream::Item,
            index_delay_ms: 0,
            may_be_delayed: false,
            clock_offset_seconds: 0,
            webhook_url: None,
            webhook_secret: None,
            webhook_old_secret: None,
            webhook_delay_ms: 100,
            webhook_copies: 1,
            webhook_retry_ms: None,
            postmark_retries: PostmarkRetries::September,
            postmark_trace_ids: true,
        }
    }
}

impl Settings {
    /// The sandbox's time.
    pub fn now(&self) -> DateTime<Utc> {
        let offset = TimeDelta::try_seconds(self.clock_offset_seconds).unwrap_or_default();
        Utc::now()
            .checked_add_signed(offset)
            .unwrap_or_else(Utc::now)
    }

    /// Where the events of a provider go: the form of the secret tells whose endpoint it is.
    pub(super) fn webhook_for(&self, api: Api) -> Option<Url> {
        let secret = self.webhook_secret.as_deref()?;
        let whose = if secret.starts_with("whsec_") {
            Api::Resend
        } else {
            Api::Postmark
        };
        (whose == api)
            .then(|| loopback_url(self.webhook_url.as_deref()?))
            .flatten()
    }

    /// Whether requests with this key are taken.
    pub(super) fn knows_key(&self, key: &str) -> bool {
        let revoked = self
            .revoked_keys
            .iter()
            .any(|revoked| revoked == "*" || revoked == key);
        !revoked
            && self
                .keys
                .as_ref()
                .is_none_or(|keys| keys.iter().any(|known| known == key))
    }

    /// Whether mail from this domain is taken.
    pub(super) fn knows_domain(&self, domain: &str) -> bool {
        self.domains.as_ref().is_none_or(|domains| {
            domains
                .iter()
                .any(|known| known.eq_ignore_ascii_case(domain))
        })
    }

    /// The settings with the fields of a JSON object put over them.
    ///
    /// # Errors
    /// When the value is not an object, names an unknown field or has a wrong type; nothing is changed then.
    pub fn patched(&self, patch: &serde_json::Value) -> Result<Self, serde_json::Error> {
        let mut merged = serde_json::to_value(self)?;
        match (merged.as_object_mut(), patch.as_object()) {
            (Some(fields), Some(changes)) => fields.extend(changes.clone()),
            _ => return Self::deserialize(patch),
        }
        serde_json::from_value(merged)
    }
}

/// An address on this machine: nothing the sandbox does leaves it.
pub(super) fn loopback_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let local = match url.host()? {
        url::Host::Domain(name) => name == "localhost",
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    };
    (local && url.scheme() == "http").then_some(url)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_changes_only_what_it_names() {
        let patched = Settings::default()
            .patched(&json!({"daily_quota": 3, "domains": ["a.example"]}))
            .unwrap();
        assert_eq!(patched.daily_quota, Some(3));
        assert!(patched.knows_domain("A.example") && !patched.knows_domain("b.example"));
        assert_eq!(patched.streams, Settings::default().streams);
    }

    #[test]
    fn a_misspelt_setting_is_refused_by_name() {
        let error = Settings::default()
            .patched(&json!({"dayly_quota": 3}))
            .unwrap_err();
        assert!(error.to_string().contains("dayly_quota"), "{error}");
        assert!(Settings::default().patched(&json!([1])).is_err());
    }

    #[test]
    fn every_setting_is_documented() {
        let page = include_str!("../../../docs/sandbox.md");
        let fields = serde_json::to_value(Settings::default()).unwrap();
        for name in fields.as_object().unwrap().keys() {
            assert!(
                page.contains(&format!("`{name}`")),
                "docs/sandbox.md lacks {name}"
            );
        }
    }

    #[test]
    fn keys_can_be_listed_and_revoked() {
        let settings = Settings {
            keys: Some(vec!["re_a".to_owned()]),
            ..Settings::default()
        };
        assert!(settings.knows_key("re_a") && !settings.knows_key("re_b"));
        assert!(
            !Settings {
                revoked_keys: vec!["*".to_owned()],
                ..settings
            }
            .knows_key("re_a")
        );
    }

    #[test]
    fn only_this_machine_is_told() {
        for good in [
            "http://127.0.0.1:8025/webhooks/resend",
            "http://localhost:1",
            "http://[::1]:2/x",
        ] {
            assert!(loopback_url(good).is_some(), "{good}");
        }
        for bad in [
            "http://example.com/",
            "https://127.0.0.1/",
            "127.0.0.1:1",
            "http://127.0.0.1.example.com/",
        ] {
            assert!(loopback_url(bad).is_none(), "{bad}");
        }
    }
}
