//! What a collector of OpenTelemetry traces receives from the real binary, and that none is needed to deliver.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;

use crate::observe::{free_address, get};
use crate::support::{Sidecar, TestDb, sandbox, wait_for};

/// The requests that came to `/v1/traces`.
#[derive(Debug, Clone, Default)]
struct Collector {
    url: String,
    requests: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests: Arc<Mutex<Vec<(HeaderMap, Bytes)>>> = Arc::default();
        let seen = Arc::clone(&requests);
        let take = async move |headers: HeaderMap, body: Bytes| {
            seen.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((headers, body));
        };
        let router = Router::new().route("/v1/traces", post(take));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, requests }
    }

    fn requests(&self) -> Vec<(HeaderMap, Bytes)> {
        let requests = self.requests.lock();
        requests.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn exports(&self) -> Vec<ExportTraceServiceRequest> {
        let decode =
            |(_, body): (HeaderMap, Bytes)| ExportTraceServiceRequest::decode(body).expect("OTLP");
        self.requests().into_iter().map(decode).collect()
    }

    fn spans(&self) -> Vec<Span> {
        self.exports()
            .into_iter()
            .flat_map(|export| export.resource_spans)
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans)
            .collect()
    }

    /// The bytes hold none of these words: names and values travel as plain UTF-8. Not a single character: the ids beside them are
    /// random bytes.
    fn assert_silent_about(&self, words: &[&str]) {
        for (_, body) in self.requests() {
            let text = String::from_utf8_lossy(&body).into_owned();
            for word in words {
                assert!(!text.contains(word), "{word} was exported: {text}");
            }
        }
    }
}

/// Attributes by name, as a person reads them.
fn attributes(attributes: &[KeyValue]) -> BTreeMap<&str, String> {
    fn words(value: &Value) -> String {
        match value {
            Value::StringValue(text) => text.clone(),
            Value::IntValue(number) => number.to_string(),
            Value::BoolValue(truth) => truth.to_string(),
            Value::ArrayValue(list) => list
                .values
                .iter()
                .filter_map(|item| item.value.as_ref().map(words))
                .collect::<Vec<_>>()
                .join(" "),
            other => panic!("an attribute of a kind nobody needs: {other:?}"),
        }
    }
    attributes
        .iter()
        .filter_map(|attribute| {
            let value = attribute.value.as_ref()?.value.as_ref()?;
            Some((attribute.key.as_str(), words(value)))
        })
        .collect()
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

const UNSETTLED: &str =
    "select not exists (select from public.email_outbox where status in ('queued', 'sending'))";

async fn sign_up(db: &TestDb, people: u32) {
    db.exec(&format!(
        "insert into public.users (name, email, hashed_password)
         select 'Zebra ' || n, 'zebra' || gen_random_uuid() || '@quagga.test', 'x' from generate_series(1, {people}) n"
    ))
    .await;
}

#[tokio::test]
async fn a_delivery_is_a_trace_of_its_steps_and_names_nobody() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    let collector = Collector::start().await;
    sign_up(&db, 3).await;
    let mut sidecar = Sidecar::builder(&db, "resend", &sandbox.url())
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)
        .env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20t0k3n")
        .env("OTEL_SERVICE_NAME", "mailer-of-the-test")
        .env(
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test",
        )
        .env("RUST_LOG", "trace")
        .spawn();
    db.wait_until(UNSETTLED).await;
    // What is not out yet is flushed at the end.
    assert!(sidecar.stop().await.success());
    assert!(!sidecar.log().contains("t0k3n"), "{}", sidecar.log());

    for (headers, _) in collector.requests() {
        assert_eq!(headers["authorization"], "Bearer t0k3n");
        assert_eq!(headers["content-type"], "application/x-protobuf");
    }
    let exports = collector.exports();
    let resource = exports[0].resource_spans[0]
        .resource
        .as_ref()
        .expect("a resource");
    let resource = attributes(&resource.attributes);
    assert_eq!(resource["service.name"], "mailer-of-the-test");
    assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(resource["deployment.environment.name"], "test");
    assert!(!resource["service.instance.id"].is_empty());

    let spans = collector.spans();
    let [deliver] = named(&spans, "deliver")[..] else {
        panic!("not one delivery: {spans:#?}");
    };
    assert_eq!(deliver.parent_span_id, b"");
    let mut steps: Vec<&Span> = spans.iter().filter(|span| span.name != "deliver").collect();
    steps.sort_by_key(|step| step.start_time_unix_nano);
    let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["claim", "render", "record", "send", "settle"]);
    for step in &steps {
        assert_eq!(step.trace_id, deliver.trace_id, "{}", step.name);
        assert_eq!(step.parent_span_id, deliver.span_id, "{}", step.name);
        assert!(step.start_time_unix_nano >= deliver.start_time_unix_nano);
        assert!(step.end_time_unix_nano >= step.start_time_unix_nano);
        assert!(step.end_time_unix_nano <= deliver.end_time_unix_nano);
        assert!(step.events.is_empty(), "{:?}", step.events);
    }

    let ids: Vec<String> = db
        .query("select id::text from public.email_deliveries", &[])
        .await
        .iter()
        .map(|row| row.get(0))
        .collect();
    let told = attributes(&deliver.attributes);
    assert_eq!(told["email.provider"], "resend");
    assert_eq!(told["email.letters"], "3");
    assert_eq!(told["email.types"], "E-TRX-01");
    assert_eq!(told["email.attempt"], "1");
    assert_eq!(told["email.repeated"], "false");
    assert_eq!(told["email.outcomes"], "sent=3");
    assert_eq!(told["email.deliveries"].split(' ').count(), 3);
    for id in ids {
        assert!(told["email.deliveries"].contains(&id), "{told:?}");
    }
    let send = attributes(&steps[3].attributes);
    assert_eq!(send["http.response.status_code"], "200");
    assert_eq!(send["url.path"], "/emails/batch");
    assert_eq!(send["email.accepted"], "3");
    collector.assert_silent_about(&["quagga", "Zebra", "Bonjour", "re_test_key", "t0k3n"]);
}

#[tokio::test]
async fn a_refusal_is_told_without_the_address_it_names() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    let collector = Collector::start().await;
    let user = db.sign_up("Zebra", "zebra@quagga.test").await;
    db.exec(&format!(
        "insert into public.email_outbox (email_type, user_id, dedupe_key, to_email)
         values ('E-TRX-01', '{user}', 'bad', 'not an address okapi@@quagga.test')"
    ))
    .await;
    let mut sidecar = Sidecar::builder(&db, "resend", &sandbox.url())
        .env(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            &format!("{}/v1/traces", collector.url),
        )
        .spawn();
    db.wait_until(UNSETTLED).await;
    sidecar.stop().await;

    // The batch of two was refused and halved; each half is a delivery that nobody had to claim.
    let spans = collector.spans();
    assert_eq!(named(&spans, "deliver").len(), 3);
    assert_eq!(named(&spans, "claim").len(), 1);
    let refused: Vec<&Span> = named(&spans, "send")
        .into_iter()
        .filter(|span| attributes(&span.attributes)["http.response.status_code"] == "422")
        .collect();
    assert_eq!(refused.len(), 2, "the batch, and the guilty letter alone");
    for span in refused {
        let status = span.status.as_ref().expect("a status");
        assert_eq!(status.code, 2, "{status:?}");
        assert!(status.message.contains("HTTP 422"), "{status:?}");
        assert!(attributes(&span.attributes).contains_key("error.type"));
    }
    let failed = named(&spans, "deliver")
        .into_iter()
        .filter(|span| {
            attributes(&span.attributes)
                .get("email.outcomes")
                .is_some_and(|outcomes| outcomes == "permanent=1")
        })
        .count();
    assert_eq!(failed, 1);
    collector.assert_silent_about(&["zebra@", "okapi", "quagga", "Zebra"]);
}

#[tokio::test]
async fn a_collector_that_hangs_or_is_away_costs_no_letter_and_little_log() {
    // It takes connections and never answers.
    let hanging = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let hangs = format!("http://{}", hanging.local_addr().expect("an address"));
    let away = format!("http://{}", free_address());
    for endpoint in [hangs, away] {
        let db = TestDb::only(&["E-TRX-01"]).await;
        let sandbox = sandbox().await;
        let address = free_address();
        sign_up(&db, 20).await;
        let mut sidecar = Sidecar::builder(&db, "resend", &sandbox.url())
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)
            .env("EMAIL_BATCH_SIZE", "1")
            .env("HTTP_LISTEN", &address)
            .env("RUST_LOG", "info")
            .spawn();
        db.wait_until(UNSETTLED).await;
        assert_eq!(sandbox.count(), 20);
        wait_for("the spans to be given up", async || {
            let metrics = get(&address, "/metrics").await.unwrap_or_default();
            metrics.contains("seqpulse_mailer_trace_spans_total{outcome=\"failed\"}")
        })
        .await;
        // Spans that nobody will take are waiting again when it is told to stop.
        sign_up(&db, 1).await;
        db.wait_until(UNSETTLED).await;
        let stopping = Instant::now();
        assert!(sidecar.stop().await.success());
        // Two for the flush, the rest for a loaded machine.
        assert!(stopping.elapsed() < Duration::from_secs(10));
        let log = sidecar.log();
        let mentions = log.matches("the collector of traces did not take").count();
        assert_eq!(mentions, 1, "{log}");
    }
}
