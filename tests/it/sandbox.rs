//! The stand-in itself: that it refuses what the real providers refuse, and shows what arrived.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use standin::settings::{BodyCompare, Settings, UnknownStream};
use standin::{Sandbox, SandboxOptions};
use uuid::Uuid;

/// A sandbox, and a client that sends nothing by itself: no user agent, no key.
struct Bench {
    sandbox: Sandbox,
    client: reqwest::Client,
}

struct Answer {
    status: StatusCode,
    headers: reqwest::header::HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Status and Resend's error name.
    fn error(&self) -> (u16, String) {
        let name = self.json()["name"].as_str().unwrap_or_default().to_owned();
        (self.status.as_u16(), name)
    }

    /// Status and Postmark's `ErrorCode`, which must be in the header too.
    fn code(&self) -> (u16, i64) {
        let code = self.json()["ErrorCode"].as_i64().expect("an error code");
        assert_eq!(
            self.header("x-pm-apierrorcode"),
            Some(code.to_string().as_str())
        );
        (self.status.as_u16(), code)
    }
}

impl Bench {
    async fn open() -> Self {
        Self::with(SandboxOptions::default()).await
    }

    async fn with(options: SandboxOptions) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sandbox = Sandbox::start(options)
            .await
            .expect("loopback has a free port");
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        Self { sandbox, client }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.sandbox.url()))
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.expect("a body");
        Answer {
            status,
            headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    async fn resend(&self, path: &str, key: &str, body: &Value) -> Answer {
        let mut headers = vec![("user-agent", "test"), ("authorization", "Bearer re_x")];
        if !key.is_empty() {
            headers.push(("idempotency-key", key));
        }
        self.call(Method::POST, path, &headers, body.to_string())
            .await
    }

    async fn read_resend(&self, path: &str) -> Answer {
        let headers = [("user-agent", "test"), ("authorization", "Bearer re_x")];
        self.call(Method::GET, path, &headers, String::new()).await
    }

    async fn postmark(&self, path: &str, body: &Value) -> Answer {
        self.postmark_as("token", path, body.to_string()).await
    }

    async fn postmark_as(&self, token: &str, path: &str, body: String) -> Answer {
        let headers = [
            ("x-postmark-server-token", token),
            ("accept", "application/json"),
            ("content-type", "application/json"),
        ];
        self.call(Method::POST, path, &headers, body).await
    }

    async fn search(&self, query: &str) -> Answer {
        let headers = [
            ("x-postmark-server-token", "token"),
            ("accept", "application/json"),
        ];
        let path = format!("/messages/outbound{query}");
        self.call(Method::GET, &path, &headers, String::new()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, &[], String::new()).await
    }

    async fn control(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.call(method, &format!("/_sandbox{path}"), &[], body.to_string())
            .await
    }
}

fn email() -> Value {
    json!({"from": "SeqPulse <hello@mail.example.com>", "to": ["lea@example.org"], "subject": "Bienvenue",
        "html": "<p>Bonjour</p>", "text": "Bonjour", "headers": {"X-A": "1"},
        "tags": [{"name": "delivery", "value": "d-1"}, {"name": "type", "value": "E-TRX-01"}]})
}

fn with(mut email: Value, field: &str, value: Value) -> Value {
    email[field] = value;
    email
}

fn mail() -> Value {
    json!({"From": "SeqPulse <hello@mail.example.com>", "To": "lea@example.org", "Subject": "Bienvenue",
        "HtmlBody": "<p>Bonjour</p>", "TextBody": "Bonjour", "MessageStream": "outbound", "Tag": "E-TRX-01",
        "Metadata": {"delivery": "d-1", "attempt": "a-1"}})
}

#[tokio::test]
async fn resend_looks_at_agent_then_key_then_key_length_then_json() {
    let bench = Bench::open().await;
    let long_key = "k".repeat(257);
    let mut headers = vec![("idempotency-key", long_key.as_str())];
    let post = async |headers: &[(&str, &str)]| {
        bench
            .call(Method::POST, "/emails", headers, "{".to_owned())
            .await
    };
    let edge = post(&headers).await;
    assert_eq!(
        (edge.status.as_u16(), edge.text.as_str()),
        (403, "error code: 1010")
    );
    headers.push(("user-agent", "test"));
    assert_eq!(
        post(&headers).await.error(),
        (401, "missing_api_key".to_owned())
    );
    headers.push(("authorization", "Bearer re_x"));
    bench
        .sandbox
        .change_settings(|settings| settings.keys = Some(vec!["re_y".to_owned()]));
    for status in [401, 400] {
        bench
            .sandbox
            .change_settings(|settings| settings.bad_key_status = status);
        let refused = post(&headers).await;
        assert_eq!(refused.error(), (status, "validation_error".to_owned()));
        assert_eq!(refused.json()["message"], "API key is invalid");
    }
    bench
        .sandbox
        .change_settings(|settings| settings.keys = None);
    assert_eq!(
        post(&headers).await.error(),
        (400, "invalid_idempotency_key".to_owned())
    );
    assert_eq!(
        post(&headers[1..]).await.error(),
        (400, "validation_error".to_owned())
    );
    assert_eq!(bench.sandbox.count(), 0);
}

#[tokio::test]
async fn resend_refuses_what_it_does_not_know() {
    let bench = Bench::open().await;
    assert_eq!(
        bench.resend("/emails/other", "", &email()).await.error(),
        (404, "not_found".to_owned())
    );
    let headers = [("user-agent", "test"), ("authorization", "Bearer re_x")];
    let put = bench
        .call(Method::PUT, "/emails", &headers, String::new())
        .await;
    assert_eq!(put.error(), (405, "method_not_allowed".to_owned()));
    bench
        .sandbox
        .change_settings(|settings| settings.sending_only_keys = vec!["re_x".to_owned()]);
    assert_eq!(
        bench.read_resend("/emails").await.error(),
        (401, "restricted_api_key".to_owned())
    );
    assert_eq!(bench.resend("/emails", "", &email()).await.status, 200);
}

#[tokio::test]
async fn resend_checks_every_field() {
    let bench = Bench::open().await;
    let addresses = |count: usize| json!(vec!["a@example.org"; count]);
    let tag = |name: &str, value: &str| json!([{"name": name, "value": value}]);
    let mut without_subject = email();
    without_subject
        .as_object_mut()
        .expect("an object")
        .remove("subject");
    let bodyless = with(with(email(), "html", Value::Null), "text", Value::Null);
    let cases = [
        (with(email(), "to", json!([])), "missing_required_field"),
        (with(email(), "to", json!("nobody@")), "validation_error"),
        (with(email(), "to", addresses(51)), "validation_error"),
        (with(email(), "from", Value::Null), "missing_required_field"),
        (
            with(email(), "from", json!("SeqPulse")),
            "invalid_from_address",
        ),
        (without_subject, "missing_required_field"),
        (bodyless, "missing_required_field"),
        (
            with(email(), "headers", json!({"X-A": 1})),
            "validation_error",
        ),
        (
            with(email(), "tags", tag("type", "E TRX")),
            "validation_error",
        ),
        (with(email(), "tags", tag("type", "é")), "validation_error"),
        (
            with(email(), "tags", tag("type", &"x".repeat(257))),
            "validation_error",
        ),
        (with(email(), "reply_to", json!("x")), "validation_error"),
    ];
    for (email, name) in cases {
        let answer = bench.resend("/emails", "", &email).await;
        assert_eq!(answer.error(), (422, name.to_owned()), "{email}");
    }
    assert_eq!(
        bench
            .resend("/emails", "", &with(email(), "to", addresses(50)))
            .await
            .status,
        200
    );
    bench
        .sandbox
        .change_settings(|settings| settings.domains = Some(vec!["other.example".to_owned()]));
    assert_eq!(
        bench.resend("/emails", "", &email()).await.error(),
        (403, "validation_error".to_owned())
    );
}

#[tokio::test]
async fn resend_batches_are_strict_unless_told_otherwise() {
    let bench = Bench::open().await;
    let poisoned = with(email(), "to", json!("nobody@"));
    let batch = json!([email(), poisoned, email()]);
    assert_eq!(
        bench.resend("/emails/batch", "", &batch).await.error(),
        (422, "validation_error".to_owned())
    );
    assert_eq!(bench.sandbox.count(), 0);
    let headers = [
        ("user-agent", "test"),
        ("authorization", "Bearer re_x"),
        ("x-batch-validation", "permissive"),
    ];
    let permissive = bench
        .call(Method::POST, "/emails/batch", &headers, batch.to_string())
        .await
        .json();
    assert_eq!(permissive["data"].as_array().map(Vec::len), Some(2));
    assert_eq!(permissive["errors"][0]["index"], 1);
    assert_eq!(bench.sandbox.count(), 2);
    for size in [0, 101] {
        let batch = Value::Array(vec![email(); size]);
        assert_eq!(
            bench.resend("/emails/batch", "", &batch).await.status,
            422,
            "{size}"
        );
    }
    let attached = with(email(), "attachments", json!([]));
    assert_eq!(
        bench
            .resend("/emails/batch", "", &json!([attached]))
            .await
            .status,
        422
    );
}

#[tokio::test]
async fn resend_keys_are_scoped_by_endpoint_and_forgotten_after_a_day() {
    let bench = Bench::open().await;
    let first = bench.resend("/emails", "k", &email()).await.json();
    assert_eq!(bench.resend("/emails", "k", &email()).await.json(), first);
    assert_eq!(
        bench
            .resend("/emails/batch", "k", &json!([email()]))
            .await
            .status,
        200
    );
    let other = with(email(), "subject", json!("Autre"));
    assert_eq!(
        bench.resend("/emails", "k", &other).await.error(),
        (409, "invalid_idempotent_request".to_owned())
    );
    assert_eq!(bench.sandbox.count(), 2);
    let clock = json!({"kind": "jump_clock", "seconds": 90_000, "nth": 1});
    assert_eq!(
        bench.control(Method::POST, "/faults", &clock).await.status,
        201
    );
    assert_ne!(bench.resend("/emails", "k", &email()).await.json(), first);
    assert_eq!(bench.sandbox.count(), 3);
}

#[tokio::test]
async fn resend_compares_bytes_or_meaning() {
    let bench = Bench::open().await;
    let headers = [
        ("user-agent", "test"),
        ("authorization", "Bearer re_x"),
        ("idempotency-key", "k"),
    ];
    let send = async |body: String| {
        bench
            .call(Method::POST, "/emails", &headers, body)
            .await
            .status
            .as_u16()
    };
    assert_eq!(send(email().to_string()).await, 200);
    assert_eq!(send(format!(" {}", email())).await, 409);
    bench.sandbox.reset();
    bench
        .sandbox
        .change_settings(|settings| settings.idempotency_compare = BodyCompare::Canonical);
    assert_eq!(send(email().to_string()).await, 200);
    assert_eq!(send(format!(" {}", email())).await, 200);
    assert_eq!(bench.sandbox.count(), 1);
}

#[tokio::test]
async fn a_refused_request_occupies_its_key_only_when_told_to() {
    let bench = Bench::open().await;
    let bad = with(email(), "to", json!("nobody@"));
    for (consume, status) in [(false, 200), (true, 409)] {
        bench.sandbox.reset();
        bench
            .sandbox
            .change_settings(|settings| settings.failures_consume_key = consume);
        assert_eq!(bench.resend("/emails", "k", &bad).await.status, 422);
        assert_eq!(
            bench.resend("/emails", "k", &email()).await.status,
            status,
            "{consume}"
        );
    }
}

#[tokio::test]
async fn resend_limits_show_in_headers() {
    let bench = Bench::open().await;
    assert_eq!(
        bench
            .resend("/emails", "", &email())
            .await
            .header("ratelimit-limit"),
        None
    );
    bench
        .sandbox
        .change_settings(|settings| settings.resend_rate_per_second = Some(1000));
    let answer = bench.resend("/emails", "", &email()).await;
    assert_eq!(answer.header("ratelimit-limit"), Some("1000"));
    assert_eq!(answer.header("ratelimit-policy"), Some("1000;w=1"));
    assert!(
        answer.header("ratelimit-remaining").is_some()
            && answer.header("ratelimit-reset").is_some()
    );
    assert_eq!(answer.header("x-resend-monthly-quota"), Some("2"));
    bench
        .sandbox
        .change_settings(|settings| settings.resend_rate_per_second = Some(0));
    let refused = bench.resend("/emails", "", &email()).await;
    assert_eq!(refused.error(), (429, "rate_limit_exceeded".to_owned()));
    assert_eq!(refused.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn resend_quota_counts_messages_and_starts_anew_each_day() {
    let bench = Bench::open().await;
    bench
        .sandbox
        .change_settings(|settings| settings.daily_quota = Some(2));
    let batch = json!([email(), email()]);
    assert_eq!(bench.resend("/emails/batch", "", &batch).await.status, 200);
    assert_eq!(
        bench.resend("/emails", "", &email()).await.error(),
        (429, "daily_quota_exceeded".to_owned())
    );
    bench
        .sandbox
        .change_settings(|settings| settings.clock_offset_seconds = 86_400);
    assert_eq!(bench.resend("/emails", "", &email()).await.status, 200);
}

#[tokio::test]
async fn resend_accepts_suppressed_addresses_and_sends_nothing() {
    let bench = Bench::open().await;
    let suppression = json!({"provider": "resend", "email": "Lea@example.org"});
    assert_eq!(
        bench
            .control(Method::POST, "/suppressions", &suppression)
            .await
            .status,
        204
    );
    for (to, event) in [
        ("lea@example.org", "suppressed"),
        ("max@example.org", "delivered"),
        ("bounced+x@resend.dev", "bounced"),
        ("complained@resend.dev", "complained"),
        ("suppressed@resend.dev", "suppressed"),
        ("delivered@resend.dev", "delivered"),
    ] {
        let id = bench
            .resend("/emails", "", &with(email(), "to", json!(to)))
            .await
            .json()["id"]
            .clone();
        let read = bench
            .read_resend(&format!("/emails/{}", id.as_str().expect("an id")))
            .await
            .json();
        assert_eq!(read["last_event"], event, "{to}");
    }
}

#[tokio::test]
async fn resend_reads_back_letters_and_requests() {
    let bench = Bench::open().await;
    let batch = json!([email(), email(), email()]);
    let sent = bench.resend("/emails/batch", "", &batch).await.json();
    let ids: Vec<&str> = sent["data"]
        .as_array()
        .expect("ids")
        .iter()
        .filter_map(|item| item["id"].as_str())
        .collect();
    let one = bench
        .read_resend(&format!("/emails/{}", ids[0]))
        .await
        .json();
    assert_eq!(
        (&one["html"], &one["tags"]),
        (&email()["html"], &email()["tags"])
    );
    let created = one["created_at"].as_str().expect("a time");
    assert!(
        created.ends_with("+00") && created.contains(' '),
        "{created}"
    );
    let page = bench.read_resend("/emails?limit=2").await.json();
    assert_eq!(
        (&page["data"][0]["id"], &page["has_more"]),
        (&json!(ids[2]), &json!(true))
    );
    assert_eq!(page["data"][0]["tags"], Value::Null);
    let rest = bench
        .read_resend(&format!("/emails?limit=2&after={}", ids[1]))
        .await
        .json();
    assert_eq!(
        (&rest["data"][0]["id"], &rest["has_more"]),
        (&json!(ids[0]), &json!(false))
    );
    assert_eq!(bench.read_resend("/emails?limit=0").await.status, 422);
    assert_eq!(
        bench
            .read_resend(&format!("/emails/{}", Uuid::new_v4()))
            .await
            .status,
        404
    );

    let logs = bench.read_resend("/logs?limit=100").await.json();
    let post = logs["data"]
        .as_array()
        .expect("rows")
        .iter()
        .find(|row| row["method"] == "POST")
        .expect("our request");
    assert_eq!(
        (&post["endpoint"], &post["response_status"]),
        (&json!("/emails/batch"), &json!(200))
    );
    assert_eq!(post["user_agent"], "test");
    let log = bench
        .read_resend(&format!("/logs/{}", post["id"].as_str().expect("an id")))
        .await
        .json();
    assert_eq!(
        (&log["request_body"], &log["response_body"]),
        (&batch, &sent)
    );
}

#[tokio::test]
async fn postmark_refuses_whole_requests() {
    let bench = Bench::open().await;
    let json = [
        ("accept", "application/json"),
        ("content-type", "application/json"),
    ];
    let nobody = bench
        .call(Method::POST, "/email", &json, mail().to_string())
        .await;
    assert_eq!(nobody.code(), (401, 10));
    let token = [("x-postmark-server-token", "token")];
    let bare = bench
        .call(Method::POST, "/email", &token, mail().to_string())
        .await;
    assert_eq!(bare.status, 415);
    assert_eq!(
        bench
            .postmark_as("token", "/email", "{".to_owned())
            .await
            .code(),
        (422, 402)
    );
    let unknown = with(mail(), "Colour", json!("red"));
    assert_eq!(bench.postmark("/email", &unknown).await.code(), (422, 403));
    assert_eq!(
        bench
            .postmark("/email/batch", &json!([mail(), unknown]))
            .await
            .code(),
        (422, 403)
    );
    let many = Value::Array(vec![mail(); 501]);
    assert_eq!(
        bench.postmark("/email/batch", &many).await.code(),
        (422, 410)
    );
    let huge = with(mail(), "TextBody", json!("x".repeat(10 << 20)));
    let refused = bench.postmark("/email", &huge).await;
    assert_eq!(
        (refused.status.as_u16(), refused.header("content-type")),
        (413, Some("text/html"))
    );
    assert_eq!(bench.sandbox.count(), 0);
}

#[tokio::test]
async fn postmark_checks_every_field() {
    let bench = Bench::open().await;
    let attachment =
        json!([{"Name": "setup.EXE", "Content": "", "ContentType": "application/octet-stream"}]);
    let metadata = |fields: usize| -> Value {
        (0..fields)
            .map(|field| (format!("k{field}"), json!("v")))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let bodyless = with(with(mail(), "HtmlBody", Value::Null), "TextBody", json!(""));
    let cases = [
        (with(mail(), "From", json!("x")), 300),
        (with(mail(), "To", json!("nobody@")), 300),
        (with(mail(), "To", json!("")), 300),
        (
            with(mail(), "To", json!(vec!["a@example.org"; 51].join(","))),
            300,
        ),
        (with(mail(), "Subject", json!("x".repeat(2001))), 300),
        (bodyless, 300),
        (with(mail(), "TrackLinks", json!("All")), 300),
        (with(mail(), "Attachments", attachment), 411),
        (with(mail(), "MessageStream", json!("other")), 1235),
        (with(mail(), "Metadata", metadata(11)), 300),
        (with(mail(), "Metadata", json!({"k".repeat(21): "v"})), 300),
        (with(mail(), "Metadata", json!({"k": "v".repeat(81)})), 300),
        (with(mail(), "Metadata", json!({"k": "v", "K": "v"})), 300),
        (with(mail(), "Metadata", json!({"k": 1})), 300),
    ];
    for (mail, code) in &cases {
        assert_eq!(
            bench.postmark("/email", mail).await.code(),
            (422, *code),
            "{mail}"
        );
    }
    // In a batch: 200, two fields, in order.
    let batch = Value::Array(
        cases
            .iter()
            .map(|(mail, _)| mail.clone())
            .chain([mail()])
            .collect(),
    );
    let answer = bench.postmark("/email/batch", &batch).await;
    assert_eq!(answer.status, 200);
    let results = answer.json();
    for (place, (_, code)) in cases.iter().enumerate() {
        let result = results[place].as_object().expect("an object");
        assert_eq!((result.len(), &result["ErrorCode"]), (2, &json!(code)));
    }
    assert_eq!(results[cases.len()]["ErrorCode"], 0);
    assert_eq!(
        bench
            .postmark("/email", &with(mail(), "Metadata", metadata(10)))
            .await
            .status,
        200
    );
    assert_eq!(bench.sandbox.count(), 2);
}

#[tokio::test]
async fn an_unknown_stream_can_refuse_the_whole_batch() {
    let bench = Bench::open().await;
    bench
        .sandbox
        .change_settings(|settings| settings.unknown_stream = UnknownStream::Whole);
    let batch = json!([mail(), with(mail(), "MessageStream", json!("other"))]);
    assert_eq!(
        bench.postmark("/email/batch", &batch).await.code(),
        (422, 1235)
    );
    assert_eq!(bench.sandbox.count(), 0);
}

#[tokio::test]
async fn postmark_answers_as_documented() {
    let bench = Bench::open().await;
    let answer = bench.postmark("/email", &mail()).await.json();
    let fields: Vec<&String> = answer.as_object().expect("an object").keys().collect();
    assert_eq!(
        fields,
        ["ErrorCode", "Message", "MessageID", "SubmittedAt", "To"]
    );
    let submitted = answer["SubmittedAt"].as_str().expect("a time");
    assert!(
        submitted.ends_with("-04:00") || submitted.ends_with("-05:00"),
        "{submitted}"
    );
    let test = bench
        .postmark_as("POSTMARK_API_TEST", "/email", mail().to_string())
        .await
        .json();
    assert_eq!(test["Message"], "Test job accepted");
    assert_eq!(bench.sandbox.count(), 1);
    bench
        .sandbox
        .change_settings(|settings| settings.may_be_delayed = true);
    let delayed = bench.postmark("/email", &mail()).await.json();
    assert_eq!(
        (&delayed["ErrorCode"], delayed["MessageID"].is_string()),
        (&Value::Null, true)
    );
}

#[tokio::test]
async fn a_hard_bounce_suppresses_the_address_in_its_stream() {
    let bench = Bench::open().await;
    let to = |address: &str| with(mail(), "To", json!(address));
    let hard = to("HardBounce@bounce-testing.postmarkapp.com");
    assert_eq!(bench.postmark("/email", &hard).await.status, 200);
    assert_eq!(bench.postmark("/email", &hard).await.code(), (422, 406));
    assert_eq!(
        bench
            .postmark("/email", &with(hard, "MessageStream", json!("broadcast")))
            .await
            .status,
        200
    );
    let soft = to("soft_bounce@bounce-testing.postmarkapp.com");
    for _ in 0..2 {
        assert_eq!(bench.postmark("/email", &soft).await.status, 200);
    }
}

#[tokio::test]
async fn postmark_searches_by_every_filter() {
    let bench = Bench::open().await;
    let second = json!({"delivery": "d-2", "attempt": "a-1", "note": "n"});
    let second = with(
        with(mail(), "Metadata", second),
        "To",
        json!("Max@example.org"),
    );
    let second = with(
        with(second, "Tag", json!("E-SEC-01")),
        "Subject",
        json!("Alerte"),
    );
    let broadcast = with(mail(), "MessageStream", json!("broadcast"));
    let sent = bench
        .postmark("/email/batch", &json!([mail(), second, broadcast]))
        .await
        .json();
    for (query, found) in [
        ("", 2),
        ("&messagestream=broadcast", 1),
        ("&metadata_attempt=a-1", 2),
        ("&metadata_delivery=d-2", 1),
        ("&metadata_note=n", 1),
        ("&metadata_note=m", 0),
        ("&metadata_attempt=a-2", 0),
        ("&recipient=max@example.org", 1),
        ("&tag=E-SEC-01", 1),
        ("&subject=alert", 1),
        ("&fromemail=hello@mail.example.com", 2),
        ("&fromemail=other@mail.example.com", 0),
        ("&status=sent", 2),
        ("&status=processed", 2),
        ("&status=queued", 0),
        ("&fromdate=2026-01-01", 2),
        ("&fromdate=2999-01-01", 0),
        ("&todate=2026-01-01T00:00:00%2B02:00", 0),
        ("&todate=2999-01-01", 2),
    ] {
        let answer = bench
            .search(&format!("?count=500&offset=0{query}"))
            .await
            .json();
        assert_eq!(answer["TotalCount"], found, "{query}");
        assert_eq!(
            answer["Messages"].as_array().map(Vec::len),
            Some(found),
            "{query}"
        );
    }
    let paged = bench.search("?count=1&offset=1").await.json();
    assert_eq!(
        (&paged["TotalCount"], &paged["Messages"][0]["MessageID"]),
        (&json!(2), &sent[0]["MessageID"])
    );
    for query in [
        "",
        "?count=10",
        "?offset=0",
        "?count=501&offset=0",
        "?count=500&offset=9501",
        "?count=1&offset=0&metadata_a=1&metadata_b=2",
        "?count=1&offset=0&status=lost",
        "?count=1&offset=0&fromdate=soon",
    ] {
        assert_eq!(bench.search(query).await.status, 422, "{query}");
    }
    let id = sent[1]["MessageID"].as_str().expect("an id");
    let details = bench.search(&format!("/{id}/details")).await.json();
    assert_eq!(
        (&details["TextBody"], &details["Metadata"]["note"]),
        (&json!("Bonjour"), &json!("n"))
    );
    assert_eq!(details["MessageEvents"][0]["Type"], "Delivered");
    assert_eq!(
        bench
            .search(&format!("/{}/details", Uuid::new_v4()))
            .await
            .status,
        422
    );
}

#[tokio::test]
async fn the_search_sees_a_message_only_after_the_index_delay() {
    let bench = Bench::open().await;
    bench
        .sandbox
        .change_settings(|settings| settings.index_delay_ms = 60_000);
    bench.postmark("/email", &mail()).await;
    let query = "?count=1&offset=0&metadata_attempt=a-1";
    assert_eq!(bench.search(query).await.json()["TotalCount"], 0);
    bench
        .sandbox
        .change_settings(|settings| settings.clock_offset_seconds = 61);
    assert_eq!(bench.search(query).await.json()["TotalCount"], 1);
}

#[tokio::test]
async fn the_ledger_can_be_asked_over_http() {
    let bench = Bench::open().await;
    bench.resend("/emails", "", &email()).await;
    bench.resend("/emails", "", &email()).await;
    bench
        .postmark(
            "/email",
            &with(mail(), "Metadata", json!({"delivery": "d-2"})),
        )
        .await;
    let get = async |path: &str| bench.control(Method::GET, path, &Value::Null).await.json();
    assert_eq!(get("/ledger/count").await["messages"], 3);
    assert_eq!(get("/ledger/count").await["deliveries"], 2);
    assert_eq!(
        get("/ledger/duplicates").await,
        json!([{"delivery": "d-1", "count": 2}])
    );
    for (query, found) in [
        ("", 3),
        ("?delivery=d-1", 2),
        ("?delivery=d-1&provider=postmark", 0),
        ("?provider=postmark", 1),
        ("?type=E-TRX-01", 3),
        ("?to=lea@example.org&limit=1", 1),
        ("?from=2", 1),
    ] {
        let ledger = get(&format!("/ledger{query}")).await;
        assert_eq!(
            ledger["entries"].as_array().map(Vec::len),
            Some(found),
            "{query}"
        );
        assert_eq!(ledger["total"], 3);
    }
    assert_eq!(get("/requests").await.as_array().map(Vec::len), Some(3));
    assert_eq!(get("/requests").await[0]["path"], "/email");
    assert!(
        !get("/requests").await.to_string().contains("re_x"),
        "keys are not kept"
    );
}

#[tokio::test]
async fn faults_and_settings_can_be_changed_over_http() {
    let bench = Bench::open().await;
    let get = async |path: &str| bench.control(Method::GET, path, &Value::Null).await.json();
    let fault =
        json!({"kind": "status", "status": 503, "html": true, "path": "/emails*", "nth": 1});
    let id = bench.control(Method::POST, "/faults", &fault).await.json()["id"].clone();
    assert_eq!(bench.resend("/emails", "", &email()).await.status, 503);
    let listed = get("/faults").await;
    assert_eq!(
        (&listed[0]["id"], &listed[0]["kind"], &listed[0]["fired"]),
        (&id, &json!("status"), &json!(1))
    );
    let cleared = bench
        .control(Method::DELETE, &format!("/faults/{id}"), &Value::Null)
        .await
        .json();
    assert_eq!(cleared, json!({"cleared": 1}));
    assert_eq!(
        bench
            .control(Method::POST, "/faults", &json!({"kind": "explode"}))
            .await
            .status,
        422
    );

    let patched = bench
        .control(Method::PATCH, "/settings", &json!({"daily_quota": 0}))
        .await
        .json();
    assert_eq!(
        (&patched["daily_quota"], &patched["bad_key_status"]),
        (&json!(0), &json!(401))
    );
    assert_eq!(get("/settings").await, patched);
    let misspelt = bench
        .control(Method::PATCH, "/settings", &json!({"dayly_quota": 0}))
        .await;
    assert!(
        misspelt.status == 422 && misspelt.text.contains("dayly_quota"),
        "{}",
        misspelt.text
    );
}

#[tokio::test]
async fn suppressions_and_reset_work_over_http() {
    let bench = Bench::open().await;
    let get = async |path: &str| bench.control(Method::GET, path, &Value::Null).await.json();
    bench.resend("/emails", "", &email()).await;
    bench
        .sandbox
        .change_settings(|settings| settings.daily_quota = Some(0));
    let listed = json!({"provider": "postmark", "stream": "broadcast", "email": "Max@example.org"});
    assert_eq!(
        bench
            .control(Method::POST, "/suppressions", &listed)
            .await
            .status,
        204
    );
    assert_eq!(get("/suppressions").await[0]["email"], "max@example.org");
    assert_eq!(
        bench
            .control(Method::DELETE, "/suppressions", &listed)
            .await
            .status,
        204
    );
    assert_eq!(get("/suppressions").await, json!([]));

    assert_eq!(
        bench
            .control(Method::POST, "/reset", &Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(get("/ledger").await, json!({"total": 0, "entries": []}));
    assert_eq!(get("/settings").await["daily_quota"], 0, "settings stay");
}

#[tokio::test]
async fn the_inbox_shows_what_arrived_and_runs_nothing() {
    let bench = Bench::open().await;
    assert!(bench.get("/").await.text.contains("No letter yet"));
    let hostile = r#"<script>alert(1)</script> & "quotes""#;
    let letter = with(
        with(email(), "subject", json!(hostile)),
        "html",
        json!("<html><head></head><script>x()</script>"),
    );
    let id = bench.resend("/emails", "key-1", &letter).await.json()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    bench
        .postmark("/email", &with(mail(), "To", json!("max@example.org")))
        .await;

    let list = bench.get("/").await;
    assert!(
        list.text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
        "{}",
        list.text
    );
    assert!(!list.text.contains("<script"));
    let policy = list.header("content-security-policy").expect("a policy");
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("script-src"),
        "{policy}"
    );
    assert!(!list.text.contains("http-equiv"));
    assert!(
        bench
            .get("/?live=1")
            .await
            .text
            .contains(r#"http-equiv="refresh""#)
    );
    for (query, shown, hidden) in [
        ("/?q=max@", "max@example.org", "lea@example.org"),
        ("/?q=LEA", "lea@example.org", "max@example.org"),
        ("/?provider=postmark", "max@example.org", "lea@example.org"),
    ] {
        let text = bench.get(query).await.text;
        assert!(text.contains(shown) && !text.contains(hidden), "{query}");
    }
    assert!(
        bench
            .get("/?q=E-TRX-01")
            .await
            .text
            .contains("2 of 2 letters")
    );
    assert!(
        bench
            .get("/?q=%3Cb%3E")
            .await
            .text
            .contains("Nothing matches")
    );

    let page = bench.get(&format!("/inbox/{id}")).await.text;
    assert!(
        page.contains(r#"sandbox="allow-popups allow-popups-to-escape-sandbox""#),
        "{page}"
    );
    assert!(!page.contains("<script"));
    for (view, part) in [
        ("text", "Bonjour"),
        ("headers", "X-A"),
        ("headers", "key-1"),
        ("source", "&quot;from&quot;"),
    ] {
        let text = bench.get(&format!("/inbox/{id}?view={view}")).await.text;
        assert!(
            text.contains(part) && !text.contains("<script"),
            "{view}: {text}"
        );
    }
    let html = bench.get(&format!("/inbox/{id}/html")).await;
    assert_eq!(
        html.text,
        "<html><head><base target=\"_blank\"></head><script>x()</script>"
    );
    let policy = html.header("content-security-policy").expect("a policy");
    assert!(
        policy.starts_with("sandbox ") && policy.contains("default-src 'none'"),
        "{policy}"
    );
    assert!(!policy.contains("allow-scripts"));
    assert_eq!(
        bench
            .get(&format!("/inbox/{}", Uuid::new_v4()))
            .await
            .status,
        404
    );
    assert_eq!(bench.get("/nothing").await.status, 404);
}

#[tokio::test]
async fn the_list_has_pages() {
    let bench = Bench::open().await;
    for number in 0..60 {
        let letter = with(email(), "subject", json!(format!("letter {number:02}")));
        bench.resend("/emails", "", &letter).await;
    }
    let first = bench.get("/").await.text;
    assert!(
        first.contains("letter 59") && first.contains("letter 10") && !first.contains("letter 09")
    );
    let second = bench.get("/?before=10").await.text;
    assert!(
        first.contains("/?before=10")
            && second.contains("letter 09")
            && second.contains("letter 00")
    );
    assert!(
        !second.contains("letter 10") && second.contains("Newest") && !second.contains("Older")
    );
}

#[tokio::test]
async fn bodies_make_room_and_the_ledger_does_not() {
    let bench = Bench::with(SandboxOptions {
        keep_bodies: 2,
        ..SandboxOptions::default()
    })
    .await;
    let ids: Vec<Value> = {
        let batch = json!([email(), email(), email()]);
        let sent = bench.resend("/emails/batch", "", &batch).await.json();
        sent["data"]
            .as_array()
            .expect("ids")
            .iter()
            .map(|item| item["id"].clone())
            .collect()
    };
    let kept = |id: &Value| {
        let id = Uuid::parse_str(id.as_str().expect("an id")).expect("a UUID");
        bench.sandbox.source(id).is_some()
    };
    assert_eq!(
        (kept(&ids[0]), kept(&ids[1]), kept(&ids[2])),
        (false, true, true)
    );
    assert_eq!(bench.sandbox.count(), 3);
    let page = bench
        .get(&format!("/inbox/{}", ids[0].as_str().expect("an id")))
        .await
        .text;
    assert!(page.contains("no longer kept"), "{page}");
}

#[tokio::test]
async fn a_sandbox_can_be_waited_for_and_stopped() {
    let settings = Settings {
        daily_quota: Some(1),
        ..Settings::default()
    };
    let bench = Bench::with(SandboxOptions {
        settings,
        ..SandboxOptions::default()
    })
    .await;
    let arrived = tokio::time::timeout(Duration::from_secs(60), bench.sandbox.arrived(1));
    let sent = async { bench.resend("/emails", "", &email()).await.status };
    let (arrived, sent) = tokio::join!(arrived, sent);
    assert!(arrived.is_ok() && sent == 200);
    let addr: SocketAddr = bench.sandbox.addr();
    bench.sandbox.shutdown().await;
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
}
