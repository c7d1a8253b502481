//! The bytes of a request and the table of docs/providers.md#resend-errors.

#![expect(clippy::unwrap_used, reason = "tests")]

use letters::Category;

use super::super::samples;
use super::ErrorKind::{BatchRefused, KeyConflict, Permanent};
use super::answer::CONCURRENT_WAIT;
use super::*;

const TRANSIENT: ErrorKind = ErrorKind::transient(true, None);
const UNKNOWN: ErrorKind = ErrorKind::unknown(true, None);
const UNREADABLE: ErrorKind = ErrorKind::unknown(false, None);
const SENDER: ErrorKind = ErrorKind::SenderWide { until: None };

fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status,
        retry_after: None,
        body: body.as_bytes().to_vec(),
        cut: false,
    }
}

fn error_answer(status: u16, name: &str, message: &str) -> Answer {
    answer(
        status,
        &serde_json::json!({"statusCode": status, "name": name, "message": message}).to_string(),
    )
}

fn resend() -> Resend {
    Resend::new(&samples::config()).unwrap()
}

fn only_kind(results: &[SendResult], expected: usize) -> ErrorKind {
    assert_eq!(results.len(), expected);
    let kinds: Vec<ErrorKind> = results
        .iter()
        .map(|result| result.clone().unwrap_err().kind)
        .collect();
    assert!(kinds.iter().all(|kind| *kind == kinds[0]), "{kinds:?}");
    kinds[0]
}

#[test]
fn a_single_request_is_this_very_text() {
    let request = resend().encode(&samples::batch(vec![samples::message(
        1,
        Category::Transactional,
    )]));
    assert_eq!(request.path, "/emails");
    assert_eq!(
        String::from_utf8(request.body).unwrap(),
        concat!(
            r#"{"from":"SeqPulse <hello@mail.example.com>","to":["lea1@example.org"],"subject":"Bienvenue à bord","#,
            r#""html":"<p>Bonjour Léa</p>","text":"Bonjour Léa","reply_to":"support@example.com","#,
            r#""headers":{"X-Entity-Ref-ID":"1","Auto-Submitted":"auto-generated"},"#,
            r#""tags":[{"name":"delivery","value":"00000000-0000-0000-0000-000000000001"},"#,
            r#"{"name":"type","value":"E-TRX-01"}]}"#,
        )
    );
}

#[test]
fn several_messages_go_to_the_batch_endpoint_in_order() {
    let messages = (1..=3)
        .map(|n| samples::message(n, Category::Marketing))
        .collect();
    let batch = samples::batch(messages);
    let request = resend().encode(&batch);
    assert_eq!((request.path, request.messages), ("/emails/batch", 3));
    assert_eq!(request.idempotency_key, batch.idempotency_key);
    assert_eq!(request.body, resend().encode(&batch).body);
    let items: Vec<serde_json::Value> = serde_json::from_slice(&request.body).unwrap();
    let recipients: Vec<_> = items
        .iter()
        .map(|item| item["to"][0].as_str().unwrap())
        .collect();
    assert_eq!(
        recipients,
        ["lea1@example.org", "lea2@example.org", "lea3@example.org"]
    );
}

#[test]
fn tag_values_keep_to_the_legal_characters() {
    assert_eq!(tag_value("E-TRX-01"), "E-TRX-01");
    assert_eq!(tag_value("été 1/2"), "_t__1_2");
    assert_eq!(tag_value(&"x".repeat(300)).len(), 256);
}

#[test]
fn refusals_are_classified() {
    // Status, name, message; the class for one message and for a batch.
    let table = [
        (400, "invalid_idempotency_key", "", Permanent, BatchRefused),
        (
            400,
            "validation_error",
            "bad field",
            Permanent,
            BatchRefused,
        ),
        (
            400,
            "validation_error",
            "API key is invalid",
            SENDER,
            SENDER,
        ),
        (
            401,
            "validation_error",
            "API key is invalid",
            SENDER,
            SENDER,
        ),
        (401, "missing_api_key", "", SENDER, SENDER),
        (401, "restricted_api_key", "", SENDER, SENDER),
        (403, "suspended_api_key", "", SENDER, SENDER),
        (
            403,
            "validation_error",
            "The mail.example.com domain is not verified",
            SENDER,
            SENDER,
        ),
        (404, "not_found", "", SENDER, SENDER),
        (405, "method_not_allowed", "", SENDER, SENDER),
        (408, "", "", UNKNOWN, UNKNOWN),
        (
            409,
            "invalid_idempotent_request",
            "",
            KeyConflict,
            KeyConflict,
        ),
        (409, "resource_locked", "", TRANSIENT, TRANSIENT),
        (413, "", "", Permanent, BatchRefused),
        (422, "missing_required_field", "", Permanent, BatchRefused),
        (422, "invalid_from_address", "", Permanent, BatchRefused),
        (422, "validation_error", "", Permanent, BatchRefused),
        (429, "monthly_quota_exceeded", "", SENDER, SENDER),
        (451, "security_error", "", Permanent, BatchRefused),
        (418, "teapot", "", Permanent, BatchRefused),
        (500, "application_error", "", UNKNOWN, UNKNOWN),
        (503, "service_unavailable", "", UNKNOWN, UNKNOWN),
    ];
    for (status, name, message, single, batch) in table {
        let answer = error_answer(status, name, message);
        assert_eq!(
            only_kind(&resend().results(&answer, 1), 1),
            single,
            "{status} {name} single"
        );
        assert_eq!(
            only_kind(&resend().results(&answer, 3), 3),
            batch,
            "{status} {name} batch"
        );
    }
}

#[test]
fn answers_that_are_not_the_apis_are_classified_by_status() {
    let html = "<!DOCTYPE html><title>Attention Required!</title>";
    for (status, kind) in [
        (301, SENDER),
        (308, SENDER),
        (400, SENDER),
        (403, SENDER),
        (429, ErrorKind::TooFast { retry_after: None }),
        (500, UNKNOWN),
        (502, UNKNOWN),
        (504, UNKNOWN),
        (520, UNKNOWN),
        (524, UNKNOWN),
    ] {
        let results = resend().results(&answer(status, html), 2);
        assert_eq!(only_kind(&results, 2), kind, "{status}");
        assert!(
            !results[0].clone().unwrap_err().detail.contains('<'),
            "no HTML in the journal"
        );
    }
}

#[test]
fn a_running_twin_is_waited_for() {
    let mut answer = error_answer(409, "concurrent_idempotent_requests", "");
    let wait = |kind| match kind {
        ErrorKind::Unknown {
            counts: false,
            retry_after,
        } => retry_after.unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        wait(only_kind(&resend().results(&answer, 1), 1)),
        CONCURRENT_WAIT
    );
    answer.retry_after = Some(Duration::from_secs(7));
    assert_eq!(
        wait(only_kind(&resend().results(&answer, 1), 1)),
        Duration::from_secs(7)
    );
}

#[test]
fn limits_wait_as_long_as_they_say_and_the_daily_quota_until_midnight() {
    let now = "2026-12-31T22:15:00Z".parse().unwrap();
    let kind = |name: &str, retry_after| {
        let answer = Answer {
            retry_after,
            ..error_answer(429, name, "")
        };
        let error = ApiError {
            name: name.to_owned(),
            message: String::new(),
        };
        classify(&answer, Some(&error), true, now)
    };
    let wait = Some(Duration::from_secs(1));
    assert_eq!(
        kind("rate_limit_exceeded", wait),
        ErrorKind::TooFast { retry_after: wait }
    );
    let midnight = "2027-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(
        kind("daily_quota_exceeded", wait),
        ErrorKind::SenderWide {
            until: Some(midnight)
        }
    );
}

#[test]
fn accepted_answers_give_ids_in_order() {
    let ids = |answer, expected| -> Vec<String> {
        resend()
            .results(&answer, expected)
            .into_iter()
            .map(|result| result.unwrap().message_id)
            .collect()
    };
    assert_eq!(ids(answer(200, r#"{"id":"a"}"#), 1), ["a"]);
    assert_eq!(
        ids(answer(202, r#"{"data":[{"id":"a"},{"id":"b"}]}"#), 2),
        ["a", "b"]
    );
}

#[test]
fn a_permissive_answer_is_understood_though_not_asked_for() {
    let body = r#"{"data":[{"id":"a"},{"id":"c"}],"errors":[{"index":1,"message":"`to` of x@y.z is bad"}]}"#;
    let results = resend().results(&answer(200, body), 3);
    assert_eq!(
        results[0],
        Ok(Accepted {
            message_id: "a".to_owned()
        })
    );
    assert_eq!(
        results[2],
        Ok(Accepted {
            message_id: "c".to_owned()
        })
    );
    let error = results[1].clone().unwrap_err();
    assert_eq!(
        (error.kind, error.detail.as_str()),
        (
            ErrorKind::Permanent,
            "not created: `to` of <address> is bad"
        )
    );
}

#[test]
fn a_success_that_cannot_be_read_is_unknown() {
    let cut = Answer {
        cut: true,
        ..answer(200, r#"{"data":[{"id":"a"},{"id":"b"}]}"#)
    };
    assert_eq!(only_kind(&resend().results(&cut, 2), 2), UNREADABLE);
    for (body, expected) in [
        (r#"{"id":"a"#, 1),
        (r#"{"id":""}"#, 1),
        (r#"{"data":[{"id":"a"}]}"#, 1),
        ("<html>", 1),
        ("", 1),
        (r#"{"data":[{"id":"a"}]}"#, 2),
        (r#"{"data":[{"id":"a"},{"id":"b"},{"id":"c"}]}"#, 2),
        (r#"{"data":[{"id":"a"},{"id":""}]}"#, 2),
        (
            r#"{"data":[{"id":"a"}],"errors":[{"index":2,"message":"x"}]}"#,
            2,
        ),
        (
            r#"{"data":[],"errors":[{"index":1,"message":"x"},{"index":1,"message":"x"}]}"#,
            2,
        ),
    ] {
        assert_eq!(
            only_kind(&resend().results(&answer(200, body), expected), expected),
            UNREADABLE,
            "{body}"
        );
    }
}

#[test]
fn a_refusal_whose_reason_was_cut_off_is_tried_again() {
    for status in [400, 422] {
        let cut = Answer {
            cut: true,
            ..answer(status, r#"{"statusCode":4"#)
        };
        assert_eq!(
            only_kind(&resend().results(&cut, 2), 2),
            TRANSIENT,
            "{status}"
        );
    }
}

#[test]
fn details_hold_neither_key_nor_address() {
    let answer = error_answer(
        403,
        "validation_error",
        "key re_secret_key may not write to lea@example.org",
    );
    let detail = resend().results(&answer, 1).remove(0).unwrap_err().detail;
    assert_eq!(
        detail,
        "HTTP 403 validation_error: key <key> may not write to <address>"
    );
    assert!(!format!("{:?}", resend()).contains("re_secret_key"));
}

#[test]
fn settings_that_cannot_work_name_their_variable() {
    let refusal = |key: &str, url: &str| {
        let config = ProviderConfig {
            api_key: key.into(),
            base_url: url.to_owned(),
            ..samples::config()
        };
        Resend::new(&config).unwrap_err().to_string()
    };
    assert!(
        refusal("re_a\nb", "https://api.resend.com")
            .starts_with("EMAIL_API_KEY: holds a character")
    );
    assert!(refusal("", "https://api.resend.com").starts_with("EMAIL_API_KEY: is empty"));
    assert!(refusal("re_a", "api.resend.com").starts_with("EMAIL_PROVIDER_URL: is not a URL"));
    assert!(refusal("re_a", "smtp://api.resend.com").starts_with("EMAIL_PROVIDER_URL: must start"));
}
