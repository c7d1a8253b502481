//! One transmission of one request, and how far it got when it failed (docs/providers.md#outcomes).
//!
//! Nothing is ever retried here: a repetition the caller does not know of is how a letter goes out twice.

use std::error::Error as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect;
use secrecy::SecretString;

use super::ProviderConfig;
use super::redact::redact;
use super::status::Failed;
use super::{ErrorKind, SendError, SetupError, Status};

/// `reqwest` sends none by itself, and Resend's edge refuses a request without one (docs/providers.md#resend-transport).
const USER_AGENT: &str = concat!("seqpulse-mailer/", env!("CARGO_PKG_VERSION"));

/// Servers and load balancers close idle connections after a minute or so; a request that meets the closing has an
/// unknown outcome. Closing first makes that rare (docs/providers.md#outcomes).
const POOL_IDLE: Duration = Duration::from_secs(20);

/// Connecting gets at most this, and at most half of the whole time-out, so that a connection that was never made is
/// told apart from an answer that never came.
const CONNECT_AT_MOST: Duration = Duration::from_secs(5);

/// The answer to 500 messages is about 100 KB; more than this is not an answer of the API.
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// The longest `Retry-After` that is believed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    base_url: String,
    key: SecretString,
    timeout: Duration,
    /// The bits of an `f64`; 0 until an answer has told.
    advertised: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// See [`ErrorKind::Transient`].
    pub(super) retry_after: Option<Duration>,
    /// All of it, or what came before the connection broke.
    pub(super) body: Vec<u8>,
    /// The body did not arrive completely.
    pub(super) cut: bool,
}

/// A header value that is never printed.
pub(super) fn secret_header(value: &str) -> Result<HeaderValue, SetupError> {
    if value.is_empty() {
        return Err(SetupError::ApiKey("is empty"));
    }
    let mut header = HeaderValue::from_str(value).map_err(|_| {
        SetupError::ApiKey("holds a character that cannot travel in an HTTP header")
    })?;
    header.set_sensitive(true);
    Ok(header)
}

/// A client for `url` that sends what it is told, once.
pub(crate) fn client(url: &url::Url) -> reqwest::ClientBuilder {
    // An error means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        // A redirected POST becomes a GET or goes to another host: either way the URL is wrong.
        .redirect(redirect::Policy::none())
        // One connection carries one request at a time, so that what breaks it concerns that request alone.
        .http1_only()
        .retry(reqwest::retry::never())
        .pool_idle_timeout(POOL_IDLE);
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    if url.scheme() == "http" {
        // No certificates are needed, so a machine without any must not be refused.
        builder = builder.tls_certs_only([]);
    }
    builder
}

impl Http {
    /// `headers` go with every request.
    pub(super) fn new(config: &ProviderConfig, headers: HeaderMap) -> Result<Self, SetupError> {
        let base_url = config.base_url.trim_end_matches('/').to_owned();
        let url = url::Url::parse(&base_url).map_err(|_| SetupError::BaseUrl("is not a URL"))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(SetupError::BaseUrl("must start with https://"));
        }
        let client = client(&url)
            .default_headers(headers)
            .connect_timeout(CONNECT_AT_MOST.min(config.timeout / 2))
            .timeout(config.timeout)
            .build()
            .map_err(SetupError::Client)?;
        Ok(Self {
            client,
            base_url,
            key: config.api_key.clone(),
            timeout: config.timeout,
            advertised: AtomicU64::new(0),
        })
    }

    /// Posts once. An answer of any status is `Ok`; an error says how far the request got.
    pub(super) async fn post(
        &self,
        path: &str,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Answer, Failed> {
        let url = format!("{}{path}", self.base_url);
        self.exchange(self.client.post(url).headers(headers).body(body))
            .await
    }

    /// Asks once; reading changes nothing, so a failure says nothing about messages.
    pub(super) async fn get(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Answer, Failed> {
        let url = url::Url::parse_with_params(&format!("{}{path}", self.base_url), parameters)
            .map_err(|error| {
                Failed::unsent(SendError {
                    kind: ErrorKind::Permanent,
                    detail: format!("the request cannot be written: {error}"),
                })
            })?;
        self.exchange(self.client.get(url)).await
    }

    /// Requests a second the provider's headers allow; `None` until an answer said so.
    pub(super) fn advertised_rate(&self) -> Option<f64> {
        match self.advertised.load(Ordering::Relaxed) {
            0 => None,
            bits => Some(f64::from_bits(bits)),
        }
    }

    async fn exchange(&self, request: reqwest::RequestBuilder) -> Result<Answer, Failed> {
        let sent = request.send().await;
        let mut response = sent.map_err(|error| self.failure(&error))?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers(), Utc::now());
        if let Some(rate) = advertised_rate(response.headers()) {
            self.advertised.store(rate.to_bits(), Ordering::Relaxed);
        }
        let mut body = Vec::new();
        let mut cut = false;
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= MAX_ANSWER_BYTES => {
                    body.extend_from_slice(&chunk);
                }
                Ok(None) => break,
                Ok(Some(_)) | Err(_) => {
                    cut = true;
                    break;
                }
            }
        }
        Ok(Answer {
            status,
            retry_after,
            body,
            cut,
        })
    }

    /// A detail for the journal, without the key and without addresses.
    pub(super) fn redact(&self, text: &str) -> String {
        redact(text, &self.key)
    }

    /// A request without a status line: what it says about the messages depends on how far it got.
    fn failure(&self, error: &reqwest::Error) -> Failed {
        let cause = self.redact(&root_cause(error));
        let unknown = ErrorKind::unknown(false, None);
        let (status, kind, detail) = if certificate_refused(error) {
            (
                Status::Certificate,
                ErrorKind::SenderWide { until: None },
                format!(
                    "the provider's certificate is not trusted: {cause}; check EMAIL_PROVIDER_URL"
                ),
            )
        } else if error.is_builder() {
            (
                Status::Unsent,
                ErrorKind::Permanent,
                format!("the request cannot be written: {cause}"),
            )
        } else if error.is_connect() {
            // DNS, TCP and TLS come before the first byte of the request.
            let kind = ErrorKind::transient(false, None);
            let detail = format!("no connection to the provider: {cause}");
            (Status::Connect, kind, detail)
        } else if error.is_timeout() {
            let detail = format!(
                "no answer within {} s after the request was sent",
                self.timeout.as_secs_f32()
            );
            (Status::Timeout, unknown, detail)
        } else {
            let detail = format!("the connection broke before the answer came: {cause}");
            (Status::Broken, unknown, detail)
        };
        Failed {
            status,
            error: SendError { kind, detail },
        }
    }
}

/// `Retry-After` in seconds or as a date; nonsense is no answer, and more than a day is cut to a day.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = value.parse::<f64>() {
        Duration::try_from_secs_f64(seconds).ok()?
    } else {
        let at = DateTime::parse_from_rfc2822(value).ok()?;
        (at.with_timezone(&Utc) - now)
            .to_std()
            .unwrap_or(Duration::ZERO)
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// `ratelimit-limit` in the window of `ratelimit-policy` (`10;w=1`), which is a second when it is not told.
fn advertised_rate(headers: &HeaderMap) -> Option<f64> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let limit: f64 = text("ratelimit-limit")?.trim().parse().ok()?;
    let window = text("ratelimit-policy")
        .and_then(|policy| {
            policy
                .split(';')
                .find_map(|part| part.trim().strip_prefix("w="))
        })
        .and_then(|window| window.parse::<f64>().ok())
        .filter(|window| *window > 0.0)
        .unwrap_or(1.0);
    let rate = limit / window;
    (rate.is_finite() && rate > 0.0).then_some(rate)
}

fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The innermost cause: the outer ones only say that sending a request to a URL failed.
pub(crate) fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Whether TLS failed because of the certificate, which waiting does not heal.
fn certificate_refused(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(current) = cause {
        if let Some(rustls::Error::InvalidCertificate(_)) = current.downcast_ref() {
            return true;
        }
        // An `io::Error` does not name what it wraps as its source: it stands in for it.
        cause = match current
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            Some(wrapped) => Some(wrapped),
            None => current.source(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now = "2026-09-01T08:00:00Z".parse().unwrap();
        for (value, seconds) in [
            ("3", Some(3.0)),
            ("0.5", Some(0.5)),
            ("Tue, 01 Sep 2026 08:00:10 GMT", Some(10.0)),
            ("Tue, 01 Sep 2026 07:00:10 GMT", Some(0.0)),
            ("999999999", Some(86_400.0)),
            ("-1", None),
            ("soon", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            let expected = seconds.map(Duration::from_secs_f64);
            assert_eq!(retry_after(&headers, now), expected, "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn the_advertised_rate_is_per_second_whatever_its_window() {
        for (limit, policy, rate) in [
            (Some("10"), Some("10;w=1"), Some(10.0)),
            (Some("100"), Some("100; w=60"), Some(100.0 / 60.0)),
            (Some("5"), None, Some(5.0)),
            (Some("5"), Some("5;w=0"), Some(5.0)),
            (Some("0"), None, None),
            (Some("many"), None, None),
            (None, Some("10;w=1"), None),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [("ratelimit-limit", limit), ("ratelimit-policy", policy)] {
                if let Some(value) = value {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            assert_eq!(advertised_rate(&headers), rate, "{limit:?} {policy:?}");
        }
    }
}
