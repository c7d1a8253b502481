//! The stand-in for Postmark refuses and finds as Postmark does.

use reqwest::Method;
use serde_json::Value;
use serde_json::json;
use standin::settings::UnknownStream;
use uuid::Uuid;

use super::{Bench, mail, with};

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
