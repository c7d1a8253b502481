//! Where traces go, in the variables that OpenTelemetry gives every program.

use percent_encoding::percent_decode_str;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::check;
use super::reader::Reader;

/// Where traces go.
#[derive(Debug, Clone)]
pub struct TraceConfig {
    /// The whole address, such as `http://127.0.0.1:4318/v1/traces`.
    pub endpoint: Url,
    /// Sent with every request; marked as sensitive, so that they are never printed.
    pub headers: HeaderMap,
    /// `service.name` of every span.
    pub service_name: String,
}

impl TraceConfig {
    /// Nothing when no endpoint is set.
    pub(super) fn from_reader(reader: &mut Reader<'_>) -> Option<Self> {
        let own = reader.parsed("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector);
        let base = reader.parsed("OTEL_EXPORTER_OTLP_ENDPOINT", |value| {
            let mut url = collector(value)?;
            let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
            url.set_path(&path);
            Ok(url)
        });
        let headers = reader.parsed("OTEL_EXPORTER_OTLP_HEADERS", headers);
        let service_name = reader.text("OTEL_SERVICE_NAME");
        Some(Self {
            endpoint: own.or(base)?,
            headers: headers.unwrap_or_default(),
            service_name: service_name.unwrap_or_else(|| "seqpulse-mailer".into()),
        })
    }
}

/// A collector usually listens in the same cluster without TLS, so plain http is accepted here.
fn collector(value: &str) -> Result<Url, String> {
    let url = check::link(value)?;
    Url::parse(&url).map_err(|error| format!("is not a URL ({error})"))
}

/// `name=value,name=value`, percent-encoded. Values are secrets, so no message repeats them.
fn headers(value: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for pair in value.split(',').filter(|pair| !pair.trim().is_empty()) {
        let (name, text) = pair
            .split_once('=')
            .ok_or("must be name=value, several separated by commas")?;
        let name: HeaderName = name
            .trim()
            .parse()
            .map_err(|_| "has a name that cannot be one of an HTTP header")?;
        let text = percent_decode_str(text.trim()).decode_utf8_lossy();
        let mut text: HeaderValue = text
            .parse()
            .map_err(|_| format!("has a value for {name} that cannot travel in an HTTP header"))?;
        text.set_sensitive(true);
        headers.insert(name, text);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &[(&str, &str)]) -> Result<Option<TraceConfig>, String> {
        let lookup = |name: &str| {
            settings
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let mut reader = Reader::new(&lookup);
        let config = TraceConfig::from_reader(&mut reader);
        reader
            .finish(Some(config))
            .map_err(|errors| errors.to_string())
    }

    #[test]
    fn without_an_endpoint_there_are_no_traces() {
        let config = read(&[("OTEL_SERVICE_NAME", "mailer")]).expect("good settings");
        assert!(config.is_none());
    }

    #[test]
    fn the_endpoint_is_a_base_and_that_of_traces_is_whole() {
        for (settings, endpoint) in [
            (
                vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:4318")],
                "http://otel:4318/v1/traces",
            ),
            (
                vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "https://otel.example.com/x/")],
                "https://otel.example.com/x/v1/traces",
            ),
            (
                vec![
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:4318"),
                    (
                        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                        "http://traces:4318/in",
                    ),
                ],
                "http://traces:4318/in",
            ),
        ] {
            let config = read(&settings)
                .expect("good settings")
                .expect("an endpoint");
            assert_eq!(config.endpoint.as_str(), endpoint);
            assert_eq!(config.service_name, "seqpulse-mailer");
        }
    }

    #[test]
    fn headers_are_decoded_and_never_printed() {
        let config = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:4318"),
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                "authorization=Bearer%20hunter2, x-team=mail",
            ),
        ])
        .expect("good settings")
        .expect("an endpoint");
        assert_eq!(config.headers["authorization"], "Bearer hunter2");
        assert_eq!(config.headers["x-team"], "mail");
        assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
    }

    #[test]
    fn faults_name_their_variable_and_no_secret() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "otel:4318"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:hunter2@otel:4318"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "grpc://otel:4317"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x=%0Ahunter2"),
        ] {
            let message = read(&[(name, value)]).expect_err(value);
            assert!(message.starts_with(name), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
