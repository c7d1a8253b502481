//! Every fault of the sandbox, one after the other and mixed: all letters settle rightly, none twice, none lost.

use standin::Sandbox;
use standin::fault::{DropAt, Fault, FaultRule};

use crate::outcomes::{impatient, sign_up_many};
use crate::support::{TestDb, sandbox, wait_for};

fn status(status: u16, accept: bool, html: bool) -> Fault {
    Fault::Status {
        status,
        html,
        accept,
        retry_after: (status == 429).then_some(1),
        name: None,
        code: None,
        message: None,
        location: None,
    }
}

/// What may befall a request that the account is not to blame for.
fn faults() -> Vec<Fault> {
    let mut faults: Vec<Fault> = [
        DropAt::BeforeStatus,
        DropAt::InStatus,
        DropAt::AfterStatus,
        DropAt::InBody,
    ]
    .map(|at| Fault::AcceptThenDrop { at })
    .into();
    faults.extend([
        Fault::AcceptThenDelay { ms: 1_500 },
        Fault::RefuseThenDrop,
        Fault::AcceptHalf,
        Fault::CutJson,
        Fault::WrongCount { more: false },
        Fault::WrongCount { more: true },
        Fault::Trickle {
            bytes: 100,
            every_ms: 1,
        },
        Fault::Latency { ms: 100 },
        Fault::MayBeDelayed,
        status(429, false, false),
        status(500, false, false),
        status(500, true, false),
        status(502, true, true),
        status(503, false, true),
        status(504, true, true),
    ]);
    faults
}

/// Waits until every row has ended, without waiting for backoffs, and holds the journal against the ledger.
async fn all_end_well(db: &TestDb, sandbox: &Sandbox, letters: i64, failed: i64) {
    wait_for("every row to end", async || {
        db.exec(
            "update public.email_outbox set retry_at = clock_timestamp()
             where id in (select id from public.email_outbox where retry_at > clock_timestamp() for update skip locked)",
        )
        .await;
        db.value::<i64>(
            "select count(*) from public.email_outbox where status in ('queued', 'sending')",
            &[],
        )
        .await
            == 0
    })
    .await;
    let row = db
        .query(
            "select count(*) filter (where status = 'sent'), count(*) filter (where status = 'failed'),
                    coalesce(min(error_message) filter (where status = 'failed'), '') from public.email_deliveries",
            &[],
        )
        .await
        .remove(0);
    let journal: (i64, i64) = (row.get(0), row.get(1));
    assert_eq!(
        journal,
        (letters - failed, failed),
        "{}",
        row.get::<_, &str>(2)
    );
    assert!(
        sandbox.duplicates().is_empty(),
        "{:?}",
        sandbox.duplicates()
    );
    assert_eq!(
        i64::try_from(sandbox.count()),
        Ok(letters - failed),
        "the ledger"
    );
}

async fn one_after_the_other(provider: &str) {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    for (nth, fault) in (1..).zip(faults()) {
        sandbox.add_fault(FaultRule {
            nth: Some(nth),
            ..FaultRule::always(fault)
        });
    }
    sign_up_many(&db, 120).await;
    let _sidecar = impatient(&db, provider, &sandbox)
        .env("EMAIL_BATCH_SIZE", "6")
        .spawn();
    all_end_well(&db, &sandbox, 120, 0).await;
}

#[tokio::test]
async fn every_fault_befalls_a_batch_for_resend() {
    one_after_the_other("resend").await;
}

#[tokio::test]
async fn every_fault_befalls_a_batch_for_postmark() {
    one_after_the_other("postmark").await;
}

/// Every fifth request goes wrong in some way, two sidecars drain, and some rows are poison.
async fn mixed(provider: &str) {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    let faults = faults();
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let probability = 0.2 / faults.len() as f64;
    for (seed, fault) in (1..).zip(faults) {
        sandbox.add_fault(FaultRule {
            probability: Some(probability),
            seed,
            ..FaultRule::always(fault)
        });
    }
    sign_up_many(&db, 400).await;
    db.exec("update public.users set email = 'not an address ' || id where id in (select id from public.users order by email limit 4)")
        .await;
    let _one = impatient(&db, provider, &sandbox)
        .env("EMAIL_BATCH_SIZE", "10")
        .spawn();
    let _two = impatient(&db, provider, &sandbox)
        .env("EMAIL_BATCH_SIZE", "10")
        .spawn();
    all_end_well(&db, &sandbox, 400, 4).await;
}

#[tokio::test]
async fn a_fifth_of_all_requests_goes_wrong_at_resend() {
    mixed("resend").await;
}

#[tokio::test]
async fn a_fifth_of_all_requests_goes_wrong_at_postmark() {
    mixed("postmark").await;
}
