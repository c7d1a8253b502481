//! The stand-in for Resend refuses and remembers as Resend does.

use reqwest::Method;
use serde_json::Value;
use serde_json::json;
use standin::settings::BodyCompare;
use uuid::Uuid;

use super::{Bench, email, with};

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
