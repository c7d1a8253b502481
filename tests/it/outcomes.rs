//! What becomes of a letter when the provider's answer is lost, late, half, or a refusal: once in the inbox, or never.

use standin::Sandbox;
use standin::fault::{DropAt, Fault, FaultRule};

use crate::delivery::settled;
use crate::support::{Sidecar, SidecarBuilder, TestDb, sandbox};

/// A sidecar that is impatient enough for a test.
pub(crate) fn impatient(db: &TestDb, provider: &str, sandbox: &Sandbox) -> SidecarBuilder {
    Sidecar::builder(db, provider, &sandbox.url())
        .env("EMAIL_TIMEOUT_SECONDS", "1")
        .env("EMAIL_RECONCILE_SECONDS", "3")
        .env("EMAIL_POLL_SECONDS", "1")
}

pub(crate) async fn sign_up_many(db: &TestDb, letters: u32) {
    db.exec(&format!(
        "insert into public.users (name, email, hashed_password)
         select 'Nadia', 'nadia' || n || '@seqpulse.test', 'x' from generate_series(1, {letters}) n"
    ))
    .await;
}

const NOTHING_TWICE_NOTHING_OPEN: &str =
    "select not exists (select from public.email_batches where state <> 'settled')";

#[tokio::test]
async fn an_answer_that_postmark_never_gave_is_found_by_searching() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    sandbox.add_fault(FaultRule::once(Fault::AcceptThenDrop {
        at: DropAt::BeforeStatus,
    }));
    let _sidecar = impatient(&db, "postmark", &sandbox).spawn();
    sign_up_many(&db, 10).await;
    settled(&db, &sandbox, 10).await;
    db.wait_until(NOTHING_TWICE_NOTHING_OPEN).await;
    let ids: i64 = db
        .value(
            "select count(distinct provider_message_id) from public.email_deliveries where status = 'sent'",
            &[],
        )
        .await;
    assert_eq!(ids, 10, "each with the id the search told");
}

#[tokio::test]
async fn what_postmark_does_not_have_is_sent_again_and_only_that() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    // Half is accepted, then the server fails; and another request is lost before it arrives.
    sandbox.add_fault(FaultRule::once(Fault::AcceptHalf));
    sandbox.add_fault(FaultRule {
        nth: Some(2),
        ..FaultRule::always(Fault::RefuseThenDrop)
    });
    sign_up_many(&db, 10).await;
    let _sidecar = impatient(&db, "postmark", &sandbox).spawn();
    settled(&db, &sandbox, 10).await;
    let counted: i64 = db
        .value(
            "select count(*) from public.email_outbox where attempts = 1",
            &[],
        )
        .await;
    assert_eq!(
        counted, 10,
        "the server error counts, the lost request does not"
    );
}

#[tokio::test]
async fn a_search_that_lags_behind_is_waited_for() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    sandbox.change_settings(|settings| settings.index_delay_ms = 1_500);
    sandbox.add_fault(FaultRule::once(Fault::CutJson));
    let _sidecar = impatient(&db, "postmark", &sandbox).spawn();
    sign_up_many(&db, 3).await;
    settled(&db, &sandbox, 3).await;
    let searches: i32 = db
        .value("select max(searches) from public.email_batches", &[])
        .await;
    assert!(searches > 1, "the first search found nothing");
}

#[tokio::test]
async fn a_repetition_with_other_bytes_is_left_to_a_sidecar_that_matches() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    sandbox.add_fault(FaultRule::always(Fault::AcceptThenDrop {
        at: DropAt::InStatus,
    }));
    let mut first = impatient(&db, "resend", &sandbox).spawn();
    sign_up_many(&db, 3).await;
    db.wait_until("select bool_or(state = 'unknown') from public.email_batches")
        .await;
    first.kill9().await;
    sandbox.clear_faults();

    let other = impatient(&db, "resend", &sandbox)
        .env("FRONTEND_URL", "https://app.example")
        .spawn();
    other.wait_for_log("not repeated").await;
    db.wait_until(
        "select bool_and(mismatched_by like '%app.example%' and state = 'unknown') from public.email_batches",
    )
    .await;
    let open: i64 = db
        .value(
            "select count(*) from public.email_outbox where status = 'sending'",
            &[],
        )
        .await;
    assert_eq!(open, 3, "it waits");
    let doctor: String = db
        .value(
            "select detail from public.email_doctor() where check_name = 'requests being resolved'",
            &[],
        )
        .await;
    assert!(
        doctor.contains(
            "are being resolved; 1 wait for a sidecar of another version or other settings"
        ),
        "{doctor}"
    );
    drop(other);

    let _like_the_first = impatient(&db, "resend", &sandbox).spawn();
    settled(&db, &sandbox, 3).await;
}

#[tokio::test]
async fn what_resend_can_no_longer_tell_is_never_sent_blindly() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    sandbox.add_fault(FaultRule::always(Fault::AcceptThenDrop {
        at: DropAt::BeforeStatus,
    }));
    let mut first = impatient(&db, "resend", &sandbox).spawn();
    sign_up_many(&db, 2).await;
    db.wait_until("select bool_or(state = 'unknown') from public.email_batches")
        .await;
    first.kill9().await;
    sandbox.clear_faults();
    db.exec("update public.email_batches set first_sent_at = first_sent_at - interval '23 hours', resolve_until = clock_timestamp()")
        .await;
    let _second = impatient(&db, "resend", &sandbox).spawn();
    db.wait_until("select bool_and(status = 'failed' and reason = 'unknown outcome') from public.email_outbox")
        .await;
    assert_eq!(sandbox.count(), 2, "what was accepted stays accepted, once");
    let journal: i64 = db
        .value("select count(*) from public.email_deliveries where status = 'failed' and payload_json ->> 'reason' = 'unknown outcome'", &[])
        .await;
    assert_eq!(journal, 2);

    // A webhook may still tell.
    let told: bool = db
        .value("select bool_and(public.email_settle_unknown(id, 'told-' || id, now())) from public.email_deliveries", &[])
        .await;
    assert!(told);
    settled(&db, &sandbox, 2).await;
}

#[tokio::test]
async fn a_refusal_of_a_repetition_says_nothing_about_the_first_request() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    sandbox.add_fault(FaultRule::once(Fault::AcceptThenDrop {
        at: DropAt::AfterStatus,
    }));
    // Refused before the key is looked at: it was accepted all the same.
    for (nth, status) in [(2, 429), (3, 429)] {
        sandbox.add_fault(FaultRule {
            nth: Some(nth),
            ..FaultRule::always(Fault::Status {
                status,
                html: false,
                accept: false,
                retry_after: Some(1),
                name: None,
                code: None,
                message: None,
                location: None,
            })
        });
    }
    let _sidecar = impatient(&db, "resend", &sandbox).spawn();
    sign_up_many(&db, 5).await;
    settled(&db, &sandbox, 5).await;
    let attempt: i32 = db
        .value("select attempt from public.email_batches", &[])
        .await;
    assert_eq!(attempt, 4, "the same request four times");
}

#[tokio::test]
async fn one_message_probes_and_the_pause_ends_by_itself() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    sandbox.change_settings(|settings| settings.revoked_keys = vec!["*".into()]);
    let _sidecar = impatient(&db, "resend", &sandbox).spawn();
    sign_up_many(&db, 30).await;
    db.wait_until("select paused_by = 'provider' and probe_at > clock_timestamp() + interval '30 seconds' from public.email_settings")
        .await;

    // The first probe is refused too: the next one comes later.
    let before = sandbox.requests().len();
    db.exec("update public.email_settings set probe_at = clock_timestamp()")
        .await;
    db.wait_until("select probes = 1 and probe_at > clock_timestamp() + interval '90 seconds' from public.email_settings")
        .await;
    assert_eq!(
        sandbox.requests().len(),
        before + 1,
        "one request, of one message"
    );

    sandbox.change_settings(|settings| settings.revoked_keys.clear());
    db.exec("update public.email_settings set probe_at = clock_timestamp()")
        .await;
    settled(&db, &sandbox, 30).await;
    let attempts: i64 = db
        .value("select sum(attempts) from public.email_outbox", &[])
        .await;
    assert_eq!(attempts, 0);
    db.wait_until("select paused_at is null and probes = 0 from public.email_settings")
        .await;
}

#[tokio::test]
async fn a_persons_pause_is_never_probed() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    db.exec("select public.email_pause(null, 'holiday')").await;
    let sidecar = impatient(&db, "resend", &sandbox).spawn();
    sign_up_many(&db, 2).await;
    sidecar.wait_for_log("nothing is sent: holiday").await;
    db.wait_until(
        "select last_seen_at > started_at + interval '3 seconds' from public.email_workers",
    )
    .await;
    assert_eq!(sandbox.requests().len(), 0);
    db.exec("select public.email_resume()").await;
    settled(&db, &sandbox, 2).await;
}

#[tokio::test]
async fn a_claim_that_a_failover_forgot_meets_its_own_key() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    sign_up_many(&db, 3).await;
    let mut first = impatient(&db, "resend", &sandbox).spawn();
    settled(&db, &sandbox, 3).await;
    first.stop().await;
    // What was committed last did not reach the new primary: claim, journal, intent and outcome.
    db.exec(
        "delete from public.email_batches;
         delete from public.email_deliveries;
         update public.email_outbox set status = 'queued', claims = 0, batch_id = null, batch_position = null, claimed_at = null,
             batch_attempts = null, finished_at = null",
    )
    .await;
    let _second = impatient(&db, "resend", &sandbox).spawn();
    settled(&db, &sandbox, 3).await;
    assert_eq!(
        sandbox.requests().len(),
        2,
        "one request, and the same again"
    );
}
