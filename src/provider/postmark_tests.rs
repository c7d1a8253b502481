//! The bytes of a request and the table of docs/providers.md#postmark-errors.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use super::super::samples;
use super::ErrorKind::{Address, BatchRefused, Permanent};
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

fn error_answer(status: u16, code: i64, message: &str) -> Answer {
    answer(
        status,
        &serde_json::json!({"ErrorCode": code, "Message": message}).to_string(),
    )
}

fn postmark() -> Postmark {
    Postmark::new(&samples::config()).unwrap()
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
    let request = postmark().encode(&samples::batch(vec![samples::message(
        1,
        Category::Security,
    )]));
    assert_eq!(request.path, "/email");
    assert_eq!(
        String::from_utf8(request.body).unwrap(),
        concat!(
            r#"{"From":"SeqPulse <hello@mail.example.com>","To":"lea1@example.org","ReplyTo":"support@example.com","#,
            r#""Subject":"Bienvenue à bord","Tag":"E-TRX-01","HtmlBody":"<p>Bonjour Léa</p>","TextBody":"Bonjour Léa","#,
            r#""MessageStream":"outbound","Metadata":{"delivery":"00000000-0000-0000-0000-000000000001","#,
            r#""attempt":"00000000-0000-0000-0000-00000000000b"},"TrackOpens":false,"TrackLinks":"None","#,
            r#""Headers":[{"Name":"X-Entity-Ref-ID","Value":"1"},{"Name":"Auto-Submitted","Value":"auto-generated"}]}"#,
        )
    );
}

#[test]
fn the_category_picks_the_stream_and_consent_the_tracking() {
    let messages = [
        Category::Security,
        Category::Transactional,
        Category::Product,
        Category::Marketing,
    ];
    let batch = samples::batch(
        messages
            .map(|category| samples::message(1, category))
            .to_vec(),
    );
    let request = postmark().encode(&batch);
    assert_eq!((request.path, request.messages), ("/email/batch", 4));
    let items: Vec<serde_json::Value> = serde_json::from_slice(&request.body).unwrap();
    let streams: Vec<_> = items
        .iter()
        .map(|item| item["MessageStream"].as_str().unwrap())
        .collect();
    assert_eq!(streams, ["outbound", "outbound", "broadcast", "broadcast"]);
    let tracked: Vec<_> = items
        .iter()
        .map(|item| (item["TrackOpens"].clone(), item["TrackLinks"].clone()))
        .collect();
    assert_eq!(tracked[2], (false.into(), "None".into()));
    assert_eq!(tracked[3], (true.into(), "HtmlAndText".into()));
}

#[test]
fn refusals_are_classified_by_error_code() {
    // Status, ErrorCode, Message; the class for one message and for a batch.
    let table = [
        (401, 10, "", SENDER, SENDER),
        (503, 100, "maintenance", TRANSIENT, TRANSIENT),
        (500, 101, "", UNKNOWN, UNKNOWN),
        (422, 300, "Invalid 'To' address", Permanent, BatchRefused),
        (422, 300, "Invalid 'From' address", SENDER, SENDER),
        (422, 400, "", SENDER, SENDER),
        (422, 401, "", SENDER, SENDER),
        (422, 402, "", Permanent, BatchRefused),
        (422, 403, "", Permanent, BatchRefused),
        (422, 405, "", SENDER, SENDER),
        (422, 406, "", Address, BatchRefused),
        (422, 409, "", SENDER, SENDER),
        (422, 410, "", Permanent, BatchRefused),
        (422, 411, "", Permanent, BatchRefused),
        (422, 412, "", SENDER, SENDER),
        (422, 413, "", SENDER, SENDER),
        (422, 422, "", SENDER, SENDER),
        (422, 429, "", Permanent, BatchRefused),
        (422, 500, "", SENDER, SENDER),
        (422, 503, "", SENDER, SENDER),
        (422, 523, "", SENDER, SENDER),
        (422, 1101, "", Permanent, BatchRefused),
        (422, 1235, "", SENDER, SENDER),
        (422, 1236, "", SENDER, SENDER),
        (422, 1480, "", SENDER, SENDER),
        (422, 9999, "", Permanent, BatchRefused),
        (413, 0, "", Permanent, BatchRefused),
        (415, 0, "", SENDER, SENDER),
        (503, 0, "", UNKNOWN, UNKNOWN),
    ];
    for (status, code, message, single, batch) in table {
        let answer = error_answer(status, code, message);
        assert_eq!(
            only_kind(&postmark().results(&answer, 1), 1),
            single,
            "{status} {code} single"
        );
        assert_eq!(
            only_kind(&postmark().results(&answer, 3), 3),
            batch,
            "{status} {code} batch"
        );
    }
}

#[test]
fn answers_that_are_not_the_apis_are_classified_by_status() {
    for (status, kind) in [
        (302, SENDER),
        (400, SENDER),
        (403, SENDER),
        (404, SENDER),
        (408, UNKNOWN),
        (413, ErrorKind::BatchRefused),
        (418, ErrorKind::BatchRefused),
        (429, ErrorKind::TooFast { retry_after: None }),
        (500, UNKNOWN),
        (502, UNKNOWN),
        (504, UNKNOWN),
    ] {
        let results = postmark().results(&answer(status, "<html><h1>nginx</h1>"), 2);
        assert_eq!(only_kind(&results, 2), kind, "{status}");
        assert!(
            !results[0].clone().unwrap_err().detail.contains('<'),
            "no HTML in the journal"
        );
    }
}

#[test]
fn a_rate_limit_is_waited_for_as_long_as_it_says() {
    let retry_after = Some(Duration::from_secs(4));
    let answer = Answer {
        retry_after,
        ..answer(429, "")
    };
    assert_eq!(
        only_kind(&postmark().results(&answer, 1), 1),
        ErrorKind::TooFast { retry_after }
    );
}

#[test]
fn a_message_id_without_an_error_code_means_accepted() {
    let body = r#"{"Message":"Message accepted, but delivery may be delayed.","MessageID":"m-1","SubmittedAt":"x","To":"y"}"#;
    assert_eq!(
        postmark().results(&answer(200, body), 1),
        [Ok(Accepted {
            message_id: "m-1".to_owned()
        })]
    );
}

#[test]
fn a_batch_is_judged_item_by_item() {
    let body = r#"[{"To":"a","MessageID":"m-1","ErrorCode":0,"Message":"OK"},
        {"ErrorCode":406,"Message":"Found inactive addresses: max@example.org. Inactive recipients are"},
        {"ErrorCode":300,"Message":"Invalid 'To' address: 'nobody@'."},
        {"ErrorCode":1235,"Message":"no such stream"},
        {"Message":"Message accepted, but delivery may be delayed.","MessageID":"m-5"},
        {"ErrorCode":0,"Message":"OK"}]"#;
    let results = postmark().results(&answer(200, body), 6);
    let kinds: Vec<_> = results
        .iter()
        .map(|result| result.as_ref().map_err(|error| error.kind).err())
        .collect();
    let expected = [
        None,
        Some(ErrorKind::Address),
        Some(ErrorKind::Permanent),
        Some(SENDER),
        None,
        Some(UNREADABLE),
    ];
    assert_eq!(kinds, expected);
    let detail = results[1].clone().unwrap_err().detail;
    assert_eq!(
        detail,
        "HTTP 200, Postmark error 406: Found inactive addresses: <address>. Inactive recipients are"
    );
}

#[test]
fn a_success_that_cannot_be_read_is_unknown() {
    let cut = Answer {
        cut: true,
        ..answer(200, r#"{"MessageID":"m-1"}"#)
    };
    assert_eq!(only_kind(&postmark().results(&cut, 1), 1), UNREADABLE);
    for (body, expected) in [
        (r#"{"MessageID":"m-1""#, 1),
        (r#"{"MessageID":""}"#, 1),
        ("{}", 1),
        ("<html>", 1),
        (r#"[{"MessageID":"m-1"}]"#, 2),
        (
            r#"[{"MessageID":"m-1"},{"MessageID":"m-2"},{"MessageID":"m-3"}]"#,
            2,
        ),
        (r#"{"MessageID":"m-1"}"#, 2),
    ] {
        assert_eq!(
            only_kind(&postmark().results(&answer(200, body), expected), expected),
            UNREADABLE,
            "{body}"
        );
    }
}

#[test]
fn a_refusal_whose_reason_was_cut_off_is_tried_again() {
    let cut = Answer {
        cut: true,
        ..answer(422, r#"{"ErrorC"#)
    };
    assert_eq!(only_kind(&postmark().results(&cut, 2), 2), TRANSIENT);
}
