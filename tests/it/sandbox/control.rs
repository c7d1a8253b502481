//! What the stand-in does for tests and readers: control over HTTP, the inbox, its end.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use serde_json::json;
use standin::SandboxOptions;
use standin::settings::Settings;
use uuid::Uuid;

use super::{Bench, email, mail, with};

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
