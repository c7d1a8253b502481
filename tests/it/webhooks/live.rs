//! The real sidecar sending to the sandbox, which reports back over HTTP: both providers, with everything in between.

use serde_json::json;
use standin::fault::{DropAt, Fault, FaultRule};
use standin::settings::PostmarkRetries;
use standin::{Happening, Reader, Sandbox};
use uuid::Uuid;

use super::{BASIC, SECRET};
use crate::support::{Sidecar, TestDb, sandbox, wait_for};

/// A sandbox and a sidecar that hear each other.
struct Live {
    db: TestDb,
    sandbox: Sandbox,
    sidecar: Sidecar,
    endpoint: String,
}

impl Live {
    async fn start(provider: &str, codes: &[&str]) -> Self {
        let db = TestDb::only(codes).await;
        let secret = if provider == "resend" { SECRET } else { BASIC };
        let sandbox = sandbox().await;
        let role = format!("mailer_of_{}", db.name());
        db.exec(&format!("create role {role} login in role email_worker"))
            .await;
        let sidecar = Sidecar::builder(&db, provider, &sandbox.url())
            .env("DATABASE_URL", &db.url_as(&role))
            .env("HTTP_LISTEN", "127.0.0.1:0")
            .env("EMAIL_WEBHOOK_SECRET", secret)
            .spawn();
        sidecar.wait_for_log("serving HTTP").await;
        sidecar.wait_for_log("listening").await;
        let log = sidecar.log();
        let line = log
            .lines()
            .find(|line| line.contains("serving HTTP"))
            .expect("the line just waited for");
        let address = line.rsplit("address=").next().expect("an address").trim();
        let endpoint = format!("http://{address}/webhooks/{provider}");
        sandbox.change_settings(|settings| {
            settings.webhook_url = Some(endpoint.clone());
            settings.webhook_secret = Some(secret.to_owned());
            settings.webhook_retry_ms = Some(vec![20; 500]);
        });
        Self {
            db,
            sandbox,
            sidecar,
            endpoint,
        }
    }

    /// Waits until a letter to this address has exactly these events.
    async fn wait_for_events(&self, address: &str, expected: &str) {
        let events = "select coalesce(string_agg(e.event_type, ' ' order by e.event_type), '')
             from public.email_events e join public.email_deliveries d on d.id = e.email_delivery_id
             where d.payload_json ->> 'to_email' = $1";
        wait_for(&format!("{address}: {expected}"), async || {
            self.db.value::<String>(events, &[&address]).await == expected
        })
        .await;
    }

    /// The provider's id of the newest message to this address.
    fn message(&self, address: &str) -> Uuid {
        let entries = self.sandbox.entries();
        let newest = entries.iter().rev().find(|entry| &*entry.to == address);
        newest.expect("a message").id
    }

    async fn suppression(&self, address: &str) -> Option<String> {
        let reason = "select reason from public.email_suppressions where email = $1";
        let rows = self.db.query(reason, &[&address]).await;
        rows.first().map(|row| row.get(0))
    }
}

#[tokio::test]
async fn resend_reports_what_became_of_letters() {
    let live = Live::start("resend", &["E-TRX-01", "E-SEC-01"]).await;
    for (name, address) in [
        ("Lea", "lea@example.com"),
        ("Bea", "bounced+bea@resend.dev"),
        ("Cid", "complained@resend.dev"),
        ("Sue", "suppressed@resend.dev"),
    ] {
        live.db.sign_up(name, address).await;
    }
    live.wait_for_events("lea@example.com", "delivered sent")
        .await;
    live.wait_for_events("bounced+bea@resend.dev", "bounced sent")
        .await;
    live.wait_for_events("complained@resend.dev", "complained delivered sent")
        .await;
    live.wait_for_events("suppressed@resend.dev", "suppressed")
        .await;
    assert_eq!(live.suppression("lea@example.com").await, None);
    assert_eq!(
        live.suppression("complained@resend.dev").await.as_deref(),
        Some("complained")
    );
    let status = "select status || ': ' || (payload_json ->> 'reason') from public.email_deliveries where payload_json ->> 'to_email' = 'suppressed@resend.dev'";
    assert_eq!(
        live.db.value::<String>(status, &[]).await,
        "suppressed: on the provider's suppression list: previous_bounce"
    );

    // A bounced address gets security mail only.
    assert_eq!(
        live.suppression("bounced+bea@resend.dev").await.as_deref(),
        Some("bounced")
    );
    let letters = live.sandbox.count();
    live.db
        .exec("update public.users set twofa_enabled = true, is_active = false where name = 'Bea'")
        .await;
    live.sandbox.arrived(letters + 1).await;
    live.db.exec("update public.email_deliveries set dedupe_key = 'old:' || dedupe_key; delete from public.email_outbox").await;
    live.db
        .exec("update public.users set is_active = true where name = 'Bea'")
        .await;
    live.db
        .wait_until("select reason = 'address suppressed: bounced' from public.email_outbox where email_type = 'E-TRX-01'")
        .await;
    assert_eq!(live.sandbox.count(), letters + 1);
}

#[tokio::test]
async fn a_lost_answer_is_found_by_its_report() {
    let live = Live::start("resend", &["E-TRX-01"]).await;
    live.sandbox
        .add_fault(FaultRule::once(Fault::AcceptThenDrop {
            at: DropAt::BeforeStatus,
        }));
    live.sandbox
        .add_fault(FaultRule::always(Fault::RefuseThenDrop));
    live.db.sign_up("Lea", "lea@example.com").await;
    live.wait_for_events("lea@example.com", "delivered sent")
        .await;
    let settled =
        "select d.status = 'sent' and o.status = 'sent' and d.provider_message_id is not null
         from public.email_deliveries d join public.email_outbox o on o.dedupe_key = d.dedupe_key";
    live.db.wait_until(settled).await;
    assert_eq!(live.sandbox.count(), 1);
}

#[tokio::test]
async fn reports_come_again_under_the_same_id_until_they_are_taken() {
    let live = Live::start("resend", &["E-TRX-01"]).await;
    live.sandbox.change_settings(|settings| {
        settings.webhook_url = Some("http://127.0.0.1:1/webhooks/resend".to_owned());
        settings.webhook_copies = 2;
        settings.webhook_old_secret = Some("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".to_owned());
    });
    live.db.sign_up("Lea", "lea@example.com").await;
    wait_for("attempts in vain", async || {
        live.sandbox.webhooks().len() > 6
    })
    .await;
    live.sandbox
        .change_settings(|settings| settings.webhook_url = Some(live.endpoint.clone()));
    live.wait_for_events("lea@example.com", "delivered sent")
        .await;
    // Both copies of both.
    wait_for("all copies to be taken", async || {
        live.sandbox
            .webhooks()
            .iter()
            .filter(|attempt| attempt.taken)
            .count()
            == 4
    })
    .await;
    live.wait_for_events("lea@example.com", "delivered sent")
        .await;
    let attempts = live.sandbox.webhooks();
    let mut ids: Vec<&str> = attempts.iter().map(|attempt| attempt.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 2, "one id per event, whatever was tried");
    let stored: i64 = live
        .db
        .value(
            "select count(*) from public.email_events where provider_event_id = any($1)",
            &[&ids],
        )
        .await;
    assert_eq!(stored, 2);

    // Sent again by hand: known.
    let taken = live.sandbox.webhooks().len();
    assert!(live.sandbox.replay(ids[0]));
    wait_for("the replay", async || {
        live.sandbox.webhooks().len() >= taken + 2
    })
    .await;
    live.wait_for_events("lea@example.com", "delivered sent")
        .await;
}

#[tokio::test]
async fn postmark_reports_what_became_of_letters() {
    let live = Live::start("postmark", &["E-TRX-01"]).await;
    live.db.sign_up("Lea", "lea@example.com").await;
    live.db
        .sign_up("Hal", "hardbounce@bounce-testing.postmarkapp.com")
        .await;
    live.db
        .sign_up("Sol", "soft_bounce@bounce-testing.postmarkapp.com")
        .await;
    live.wait_for_events("lea@example.com", "delivered").await;
    live.wait_for_events("hardbounce@bounce-testing.postmarkapp.com", "bounced")
        .await;
    live.wait_for_events("soft_bounce@bounce-testing.postmarkapp.com", "bounced")
        .await;
    let reason = live
        .suppression("hardbounce@bounce-testing.postmarkapp.com")
        .await;
    assert_eq!(reason.as_deref(), Some("bounced"));
    assert_eq!(
        live.suppression("soft_bounce@bounce-testing.postmarkapp.com")
            .await,
        None
    );

    // Opens only with consent; leaving at Postmark and coming back.
    let message = live.message("lea@example.com");
    let report = |happening| {
        let event = live.sandbox.report(message, happening, &Reader::default());
        event.expect("Postmark has this event")
    };
    let taken = async |event: String| {
        wait_for("the report to be taken", async || {
            live.sandbox
                .webhooks()
                .iter()
                .any(|attempt| attempt.id == event && attempt.status == Some(200))
        })
        .await;
    };
    taken(report(Happening::Opened)).await;
    live.wait_for_events("lea@example.com", "delivered").await;
    live.db
        .exec("insert into public.email_preferences (user_id, tracking_consent) select id, true from public.users where name = 'Lea'
               on conflict (user_id) do update set tracking_consent = true")
        .await;
    taken(report(Happening::Opened)).await;
    taken(report(Happening::Clicked)).await;
    live.wait_for_events("lea@example.com", "clicked delivered opened")
        .await;
    taken(report(Happening::Unsubscribed)).await;
    let opted_in = "select marketing_opt_in from public.email_preferences p join public.users u on u.id = p.user_id where u.name = 'Lea'";
    assert!(!live.db.value::<bool>(opted_in, &[]).await);
    taken(report(Happening::Resubscribed)).await;
    assert!(live.db.value::<bool>(opted_in, &[]).await);
}

#[tokio::test]
async fn postmark_gets_exactly_200_when_it_verifies_the_address() {
    let live = Live::start("postmark", &["E-TRX-01"]).await;
    live.sandbox.change_settings(|settings| {
        settings.postmark_retries = PostmarkRetries::August;
        settings.postmark_trace_ids = false;
    });
    let client = reqwest::Client::new();
    let url = format!("{}/_sandbox/webhooks/verify", live.sandbox.url());
    client.post(url).send().await.expect("accepted");
    wait_for("six calls", async || live.sandbox.webhooks().len() == 6).await;
    let statuses: Vec<_> = live
        .sandbox
        .webhooks()
        .iter()
        .map(|attempt| attempt.status)
        .collect();
    assert_eq!(statuses, vec![Some(200); 6]);
    assert_eq!(
        live.db
            .value::<i64>("select count(*) from public.email_suppressions", &[])
            .await,
        0
    );
}

#[tokio::test]
async fn anything_can_be_reported_by_hand() {
    let live = Live::start("postmark", &["E-TRX-01"]).await;
    live.db.sign_up("Lea", "lea@example.com").await;
    live.wait_for_events("lea@example.com", "delivered").await;
    let delivery = live.sandbox.entries()[0].delivery.clone().expect("our id");
    let client = reqwest::Client::new();
    let report = async |body: serde_json::Value| {
        let url = format!("{}/_sandbox/webhooks", live.sandbox.url());
        let answer = client.post(url).body(body.to_string()).send().await;
        answer.expect("an answer").status().as_u16()
    };
    assert_eq!(
        report(json!({"delivery": delivery, "event": "failed"})).await,
        202
    );
    live.wait_for_events("lea@example.com", "delivered failed")
        .await;
    let raw = json!({"RecordType": "Bounce", "Type": "SoftBounce", "ID": 1, "Metadata": {"delivery": delivery}});
    assert_eq!(
        report(json!({"provider": "postmark", "body": raw})).await,
        202
    );
    live.wait_for_events("lea@example.com", "bounced delivered failed")
        .await;
    for wrong in [
        json!({"delivery": delivery}),
        json!({"delivery": Uuid::new_v4(), "event": "failed"}),
        json!({"delivery": delivery, "event": "sent"}),
        json!({"delivery": delivery, "event": "exploded"}),
    ] {
        assert_eq!(report(wrong.clone()).await, 422, "{wrong}");
    }
}

#[tokio::test]
async fn the_log_says_what_was_refused_and_names_nobody() {
    let live = Live::start("resend", &["E-TRX-01"]).await;
    live.db.sign_up("Lea", "lea@example.com").await;
    live.wait_for_events("lea@example.com", "delivered sent")
        .await;
    let token: Uuid = live
        .db
        .value("select public.email_token(id) from public.users", &[])
        .await;
    let client = reqwest::Client::new();
    let post = |path: &str, body: &'static str| {
        let base = live.endpoint.trim_end_matches("/webhooks/resend");
        client.post(format!("{base}{path}")).body(body)
    };
    let forged = "{\"type\":\"email.bounced\",\"data\":{\"to\":[\"lea@example.com\"]}}";
    post("/webhooks/resend", forged)
        .send()
        .await
        .expect("an answer");
    post(&format!("/unsubscribe/{token}"), "")
        .send()
        .await
        .expect("an answer");
    post("/preferences/not-a-token", "save=1")
        .send()
        .await
        .expect("an answer");
    live.sandbox.report(
        live.message("lea@example.com"),
        Happening::Bounced,
        &Reader::default(),
    );
    live.wait_for_events("lea@example.com", "bounced delivered sent")
        .await;
    live.sidecar
        .wait_for_log("an unsubscribe link was used")
        .await;
    live.sidecar
        .wait_for_log("a preferences link with an unknown token")
        .await;
    // The event is in the database before its line is written.
    live.sidecar.wait_for_log("event=\"bounced\"").await;
    let log = live.sidecar.log();
    assert!(log.contains("a webhook was not taken"), "{log}");
    for secret in ["lea@example.com", &token.to_string(), "not-a-token", SECRET] {
        assert!(!log.contains(secret), "{secret} in\n{log}");
    }
}
