//! What a running sidecar tells: metrics that Prometheus scrapes, and logs that hold no secret and no address.

use std::net::TcpListener;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Sidecar, TestDb, sandbox, wait_for};

/// An address nobody listens on at the moment.
pub(crate) fn free_address() -> String {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .to_string()
}

/// The body of an answer; `None` while nobody answers.
pub(crate) async fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some(body.to_owned())
}

#[tokio::test]
async fn metrics_show_what_the_sidecar_did_and_what_the_database_counts() {
    let db = TestDb::only(&["E-TRX-01", "E-RET-02"]).await;
    db.sign_up("Nassir Benali", "nassir@seqpulse.test").await;
    // Ended before the sidecar came: only the database knows.
    db.exec(
        "insert into public.email_outbox (email_type, user_id, dedupe_key, status, reason, finished_at) values
         ('E-RET-02', gen_random_uuid(), 'a', 'suppressed', 'opted out of marketing', now()),
         ('E-RET-02', gen_random_uuid(), 'b', 'suppressed', 'recovered since', now()),
         ('E-RET-02', gen_random_uuid(), 'c', 'suppressed', 'recovered since', now() - interval '2 hours'),
         ('E-RET-02', gen_random_uuid(), 'd', 'failed', 'unknown outcome', now())",
    )
    .await;
    let sandbox = sandbox().await;
    let address = free_address();
    let mut sidecar = Sidecar::builder(&db, "resend", &sandbox.url())
        .env("HTTP_LISTEN", &address)
        .spawn();
    db.wait_until("select exists (select from public.email_outbox where status = 'sent')")
        .await;
    let mut text = String::new();
    wait_for("the metrics", async || {
        text = get(&address, "/metrics").await.unwrap_or_default();
        text.contains("letters_total{")
            && text.contains("database_due")
            && text.contains("seqpulse_mailer_listening 1.0")
    })
    .await;
    for line in [
        "seqpulse_mailer_letters_total{email_type=\"E-TRX-01\",outcome=\"sent\"} 1",
        "seqpulse_mailer_provider_request_duration_seconds_count{provider=\"resend\"} 1",
        "seqpulse_mailer_provider_requests_total{provider=\"resend\",status=\"200\"} 1",
        "seqpulse_mailer_provider_answers_total{provider=\"resend\",outcome=\"sent\"} 1",
        "seqpulse_mailer_statement_duration_seconds_count{statement=\"settle\"} 1",
        "seqpulse_mailer_database_ended_last_hour{email_type=\"E-RET-02\",status=\"suppressed\",reason=\"opted out\"} 1.0",
        "seqpulse_mailer_database_ended_last_hour{email_type=\"E-RET-02\",status=\"suppressed\",reason=\"not true any more\"} 1.0",
        "seqpulse_mailer_database_ended_last_hour{email_type=\"E-RET-02\",status=\"failed\",reason=\"unknown outcome\"} 1.0",
        "seqpulse_mailer_database_failed 1.0",
        "seqpulse_mailer_armed 1.0",
        "seqpulse_mailer_paused 0.0",
        "seqpulse_mailer_ready 1.0",
    ] {
        assert!(
            text.lines().any(|got| got == line),
            "no line {line:?} in\n{text}"
        );
    }
    for name in [
        "claims_total{",
        "statement_duration_seconds_bucket{le=\"0.001\",statement=\"claim\"}",
        "pool_connections{pool=\"worker\"} ",
        "pool_connections_idle{pool=\"claims\"} ",
        "pool_connections_limit{pool=\"claims\"} 1.0",
        "pool_connections_limit{pool=\"http\"} 4.0",
        "pool_waiting{pool=\"worker\"} 0.0",
        "heartbeats_failed_total 0",
        "queue_lag_seconds ",
        "database_workers_alive ",
        "database_retries_waiting 0.0",
        "database_unresolved 0.0",
        "build_info{",
    ] {
        let name = format!("seqpulse_mailer_{name}");
        assert!(text.contains(&name), "no {name} in\n{text}");
    }
    // What the alerts ask for exists under that name.
    let page = include_str!("../../docs/monitoring.md");
    let rules = page.split("```yaml").nth(1).expect("the rules");
    let rules = rules.split("```").next().expect("their end");
    let asked: Vec<&str> = rules
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("seqpulse_mailer_"))
        .collect();
    assert!(asked.len() > 8, "{asked:?}");
    for name in asked {
        assert!(text.contains(name), "no {name} in\n{text}");
    }
    assert_eq!(text.lines().last(), Some("# EOF"));
    assert!(!text.contains("nassir"), "{text}");
    let ready = get(&address, "/readyz").await;
    assert_eq!(ready.as_deref(), Some("{\"status\":\"ready\"}"));
    sidecar.stop().await;
}

/// What must stand in no log, at no level.
const KEY: &str = "re_S3cr3tK3y_0123456789abcdef";
const WEBHOOK: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const DATABASE_PASSWORD: &str = "Pa55w0rd-of-the-database";

#[tokio::test]
async fn a_log_at_its_most_talkative_holds_no_secret_and_no_address() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    let user = db
        .sign_up("Zebrafish Quagga", "zebrafish@quagga.test")
        .await;
    let url = db
        .url()
        .replacen("postgres@", &format!("postgres:{DATABASE_PASSWORD}@"), 1);
    assert!(url.contains(DATABASE_PASSWORD), "{url}");
    for format in ["text", "json"] {
        db.exec(&format!(
            "insert into public.email_outbox (email_type, user_id, dedupe_key, to_email) values
             ('E-TRX-01', '{user}', 'bad {format}', 'not an address zebrafish@@quagga.test'),
             ('E-TRX-01', '{user}', 'good {format}', 'okapi@quagga.test')"
        ))
        .await;
        let mut sidecar = Sidecar::builder(&db, "resend", &sandbox.url())
            .env("DATABASE_URL", &url)
            .env("EMAIL_API_KEY", KEY)
            .env("EMAIL_WEBHOOK_SECRET", WEBHOOK)
            .env("LOG_FORMAT", format)
            .env("RUST_LOG", "trace")
            .spawn();
        db.wait_until(
            "select not exists (select from public.email_outbox where status in ('queued', 'sending'))",
        )
        .await;
        sidecar.stop().await;
        let log = sidecar.log();
        // What went wrong is told, and so is what libraries say.
        assert!(log.contains("not sent: "), "{log}");
        assert!(log.contains("pooling idle connection"), "{log}");
        if format == "json" {
            let lines: Vec<serde_json::Value> = log
                .lines()
                .map(|line| serde_json::from_str(line).expect("a line of JSON"))
                .collect();
            let refused = lines
                .iter()
                .find(|line| line.to_string().contains("not sent: "))
                .expect("the refusal");
            for field in ["batch", "deliveries", "first_id", "outcome"] {
                assert!(!refused["fields"][field].is_null(), "{field}: {refused}");
            }
        }
        for secret in [KEY, WEBHOOK, DATABASE_PASSWORD] {
            assert!(
                !log.contains(secret),
                "{format}: {secret} stands in the log"
            );
        }
        for person in ["zebrafish@", "okapi@", "Zebrafish", "Bonjour"] {
            let told: Vec<&str> = log.lines().filter(|line| line.contains(person)).collect();
            assert!(told.is_empty(), "{format}: {told:#?}");
        }
    }
}
