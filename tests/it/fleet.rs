//! Several sidecars at once: one account limit, and what a lost one leaves behind.

use nix::sys::signal::Signal;
use standin::fault::{Fault, FaultRule};

use crate::delivery::settled;
use crate::outcomes::{impatient, sign_up_many};
use crate::support::{Sidecar, TestDb, sandbox, wait_for};

#[tokio::test]
async fn a_killed_sidecar_is_missed_at_once_and_not_only_when_its_lease_is_over() {
    for provider in ["resend", "postmark"] {
        let db = TestDb::only(&["E-TRX-01"]).await;
        let sandbox = sandbox().await;
        sandbox.add_fault(FaultRule::once(Fault::AcceptThenDelay { ms: 600_000 }));
        let mut first = Sidecar::builder(&db, provider, &sandbox.url())
            .env("EMAIL_LEASE_SECONDS", "3600")
            .env("EMAIL_TIMEOUT_SECONDS", "300")
            .spawn();
        db.wait_until("select bool_or(session_pid is not null) from public.email_workers")
            .await;
        sign_up_many(&db, 5).await;
        wait_for("the provider to have them", async || sandbox.count() == 5).await;
        let _second = impatient(&db, provider, &sandbox)
            .env("EMAIL_LEASE_SECONDS", "3600")
            .spawn();
        db.wait_until(
            "select count(*) = 2 from public.email_workers where session_pid is not null",
        )
        .await;
        let holder: String = db
            .value("select min(worker) from public.email_batches", &[])
            .await;
        first.kill9().await;
        sandbox.clear_faults();
        db.wait_until(&format!(
            "select bool_or(locked_by <> '{holder}') or bool_or(status = 'sent') from public.email_outbox"
        ))
        .await;
        if provider == "postmark" {
            settled(&db, &sandbox, 5).await;
        }
    }
}

#[tokio::test]
async fn what_was_claimed_and_never_sent_goes_back_to_the_queue() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    sign_up_many(&db, 3).await;
    db.exec("select count(*) from public.email_claim('gone', 'resend', 100, '0 seconds')")
        .await;
    let _sidecar = impatient(&db, "resend", &sandbox).spawn();
    settled(&db, &sandbox, 3).await;
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_found_by_the_sidecar_itself() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    sign_up_many(&db, 3).await;
    db.exec("select count(*) from public.email_claim('self', 'resend', 2, '1 hour')")
        .await;
    let known = "array(select batch_id from public.email_outbox where batch_id is not null)";
    for (busy, waiting) in [(known, 1), ("'{}'", 3)] {
        db.exec(&format!(
            "select count(*) from public.email_take_over('self', 'resend', '1 hour', {busy})"
        ))
        .await;
        let queued: i64 = db
            .value(
                "select count(*) from public.email_outbox where status = 'queued'",
                &[],
            )
            .await;
        assert_eq!(queued, waiting);
    }
}

#[tokio::test]
async fn many_sidecars_obey_one_limit() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    sandbox.change_settings(|settings| settings.resend_rate_per_second = Some(10));
    sign_up_many(&db, 200).await;
    let fleet: Vec<Sidecar> = (0..5)
        .map(|_| {
            Sidecar::builder(&db, "resend", &sandbox.url())
                .env("EMAIL_BATCH_SIZE", "5")
                .env("EMAIL_RATE_PER_SECOND", "10")
                .spawn()
        })
        .collect();
    settled(&db, &sandbox, 200).await;
    drop(fleet);
    let refused: i64 = db
        .value(
            "select coalesce(sum(limited), 0)::bigint from public.email_rates",
            &[],
        )
        .await;
    assert!(refused <= 2, "{refused} of 40 requests were too many");
    let told: Option<f64> = db
        .value("select provider_limit from public.email_rates", &[])
        .await;
    assert_eq!(told, Some(10.0), "the header was heard");
}

#[tokio::test]
async fn too_many_requests_slow_everybody_down_and_cost_no_attempt() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    sandbox.change_settings(|settings| settings.postmark_rate_per_second = Some(5));
    sign_up_many(&db, 60).await;
    let _sidecar = Sidecar::builder(&db, "postmark", &sandbox.url())
        .env("EMAIL_BATCH_SIZE", "3")
        .env("EMAIL_RATE_PER_SECOND", "50")
        .spawn();
    settled(&db, &sandbox, 60).await;
    let row = db
        .query("select r.limited > 0, r.per_second < r.ceiling, (select sum(attempts) from public.email_outbox) from public.email_rates r", &[])
        .await
        .remove(0);
    assert!(row.get::<_, bool>(0), "it was told");
    assert!(row.get::<_, bool>(1), "it goes slower");
    assert_eq!(row.get::<_, i64>(2), 0, "no attempt is spent");
}

#[tokio::test]
async fn an_urgent_letter_never_waits_behind_bulk_mail() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    sandbox.change_settings(|settings| settings.resend_rate_per_second = Some(10));
    sign_up_many(&db, 400).await;
    db.exec("update public.email_outbox set priority = 10")
        .await;
    let _fleet = [(); 2].map(|()| {
        Sidecar::builder(&db, "resend", &sandbox.url())
            .env("EMAIL_BATCH_SIZE", "4")
            .env("EMAIL_RATE_PER_SECOND", "10")
            .spawn()
    });
    wait_for("the drain to be under way", async || sandbox.count() > 40).await;
    db.sign_up("Urgent", "urgent@seqpulse.test").await;
    let before = sandbox.count();
    wait_for("the urgent letter", async || {
        sandbox
            .entries()
            .iter()
            .any(|entry| &*entry.to == "urgent@seqpulse.test")
    })
    .await;
    let place = sandbox
        .entries()
        .iter()
        .position(|entry| &*entry.to == "urgent@seqpulse.test")
        .expect("it is there");
    // Six bulk requests were claimed already; two of them may have had their turns.
    assert!(
        place - before < 40,
        "{} bulk letters went out first",
        place - before
    );
}

#[tokio::test]
async fn a_sidecar_that_stood_still_sends_nothing_when_it_comes_back() {
    for provider in ["resend", "postmark"] {
        let db = TestDb::only(&["E-TRX-01"]).await;
        let sandbox = sandbox().await;
        sandbox.add_fault(FaultRule::once(Fault::AcceptThenDelay { ms: 1_500 }));
        let zombie = impatient(&db, provider, &sandbox)
            .env("EMAIL_LEASE_SECONDS", "1")
            .env("EMAIL_TIMEOUT_SECONDS", "2")
            .spawn();
        sign_up_many(&db, 5).await;
        wait_for("the provider to have them", async || sandbox.count() == 5).await;
        zombie.signal(Signal::SIGSTOP);
        let _other = impatient(&db, provider, &sandbox)
            .env("EMAIL_TIMEOUT_SECONDS", "2")
            .spawn();
        settled(&db, &sandbox, 5).await;
        zombie.signal(Signal::SIGCONT);
        zombie.wait_for_log("the lease was lost meanwhile").await;
        settled(&db, &sandbox, 5).await;
    }
}

#[tokio::test]
async fn a_second_sigterm_leaves_at_once_and_the_rest_is_taken_over() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    sandbox.add_fault(FaultRule::once(Fault::AcceptThenDelay { ms: 3_000 }));
    let mut hasty = Sidecar::builder(&db, "resend", &sandbox.url())
        .env("EMAIL_TIMEOUT_SECONDS", "300")
        .env("EMAIL_LEASE_SECONDS", "3600")
        .spawn();
    sign_up_many(&db, 5).await;
    wait_for("the provider to have them", async || sandbox.count() == 5).await;
    hasty.signal(Signal::SIGTERM);
    hasty.wait_for_log("draining").await;
    hasty.signal(Signal::SIGTERM);
    let status = hasty.wait_exit().await;
    assert!(!status.success(), "it did not drain: {status}");
    let _other = impatient(&db, "resend", &sandbox).spawn();
    settled(&db, &sandbox, 5).await;
}
