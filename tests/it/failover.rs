//! Postgres goes away in the middle of a drain: it goes on by itself, nothing is lost, nothing goes out twice.

use std::sync::Arc;

use standin::Sandbox;
use standin::fault::{Fault, FaultRule};
use throwaway::cluster::{Cluster, StopMode};
use throwaway::pg_bin::PgBin;
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::Client;

use crate::delivery::settled;
use crate::outcomes::{impatient, sign_up_many};
use crate::support::{
    SEQPULSE_SCHEMA, Sidecar, SidecarBuilder, TestDb, connect_to, migrate, sandbox, shared_cluster,
    skip, wait_for,
};

const LETTERS: usize = 300;

/// SEQPULSE with the mailer and as many sign-ups, in a cluster of its own.
async fn install(cluster: &Cluster) -> Client {
    let url = cluster.url("seqpulse");
    let client = connect_to(&url).await;
    client
        .batch_execute(SEQPULSE_SCHEMA)
        .await
        .expect("SEQPULSE's schema loads");
    migrate(&url).await.expect("it migrates");
    client
        .batch_execute(&format!(
            "update public.email_types set enabled = false where code <> 'E-TRX-01';
             insert into public.users (name, email, hashed_password)
             select 'Nadia', 'nadia' || n || '@seqpulse.test', 'x' from generate_series(1, {LETTERS}) n"
        ))
        .await
        .expect("sign-ups");
    client
}

/// Requests take a while, so that some are always under way.
fn slow(sandbox: &Sandbox) {
    sandbox.add_fault(FaultRule::always(Fault::Latency { ms: 100 }));
}

fn drain(url: &str, provider: &str, sandbox: &Sandbox) -> SidecarBuilder {
    Sidecar::builder_at(url, provider, &sandbox.url())
        .env("EMAIL_BATCH_SIZE", "6")
        .env("EMAIL_CONCURRENCY", "2")
        .env("EMAIL_TIMEOUT_SECONDS", "1")
        .env("EMAIL_RECONCILE_SECONDS", "3")
        .env("EMAIL_LEASE_SECONDS", "3")
        .env("EMAIL_POLL_SECONDS", "1")
}

async fn some_are_out(sandbox: &Sandbox) {
    wait_for("a part to be sent", async || sandbox.count() > 30).await;
    assert!(sandbox.count() < LETTERS, "in the middle of it");
}

async fn all_sent_once(url: &str, sandbox: &Sandbox) {
    let client = connect_to(url).await;
    wait_for("every letter to be sent", async || {
        let row = client
            .query_one(
                "select count(*) filter (where status = 'sent'), count(*) filter (where status = 'failed') from public.email_deliveries",
                &[],
            )
            .await
            .expect("counts");
        assert_eq!(row.get::<_, i64>(1), 0, "none is given up");
        usize::try_from(row.get::<_, i64>(0)) == Ok(LETTERS)
    })
    .await;
    assert!(
        sandbox.duplicates().is_empty(),
        "{:?}",
        sandbox.duplicates()
    );
    assert_eq!(sandbox.count(), LETTERS);
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("no panic")
}

#[tokio::test]
async fn an_immediate_restart_in_the_middle_of_a_drain() {
    for provider in ["resend", "postmark"] {
        let mut cluster = blocking(|| {
            Cluster::builder()
                .fsync(true)
                .database("seqpulse")
                .start()
                .expect("a cluster")
        })
        .await;
        drop(install(&cluster).await);
        let sandbox = sandbox().await;
        slow(&sandbox);
        let url = cluster.url("seqpulse");
        let _one = drain(&url, provider, &sandbox).spawn();
        let _two = drain(&url, provider, &sandbox).spawn();
        some_are_out(&sandbox).await;
        let cluster = blocking(move || {
            cluster.restart(StopMode::Immediate).expect("it comes back");
            cluster
        })
        .await;
        all_sent_once(&url, &sandbox).await;
        drop(cluster);
    }
}

#[tokio::test]
async fn a_failover_to_a_synchronous_standby_in_the_middle_of_a_drain() {
    let bin = PgBin::find().expect("a server");
    if !bin.program("pg_basebackup").exists() {
        return skip("this PostgreSQL comes without pg_basebackup");
    }
    for provider in ["resend", "postmark"] {
        let (primary, standby) = blocking(|| {
            let primary = Cluster::builder()
                .database("seqpulse")
                .start()
                .expect("a primary");
            let standby = Cluster::builder()
                .standby_of(&primary)
                .start()
                .expect("a standby");
            (primary, standby)
        })
        .await;
        primary
            .set("synchronous_standby_names", "*")
            .expect("what is committed is on both");
        drop(install(&primary).await);
        let sandbox = sandbox().await;
        slow(&sandbox);
        let url = format!(
            "postgres://postgres@127.0.0.1:{},127.0.0.1:{}/seqpulse?target_session_attrs=read-write",
            primary.port(),
            standby.port()
        );
        let _one = drain(&url, provider, &sandbox).spawn();
        let _two = drain(&url, provider, &sandbox).spawn();
        some_are_out(&sandbox).await;
        blocking(move || {
            let mut primary = primary;
            primary.stop(StopMode::Immediate)
        })
        .await
        .expect("the primary is gone");
        standby
            .set("synchronous_standby_names", "")
            .expect("nobody to wait for any more");
        let promoted: bool = connect_to(&standby.url("seqpulse"))
            .await
            .query_one("select pg_promote()", &[])
            .await
            .expect("it promotes")
            .get(0);
        assert!(promoted);
        all_sent_once(&standby.url("seqpulse"), &sandbox).await;
        drop(standby);
    }
}

/// Passes bytes on, until it is told to swallow them: as a firewall that has forgotten a connection.
struct Swallower {
    port: u16,
    generation: Arc<tokio::sync::watch::Sender<u32>>,
}

impl Swallower {
    async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let own = listener.local_addr().expect("bound").port();
        let generation = Arc::new(tokio::sync::watch::Sender::new(0));
        let swallow = Arc::clone(&generation);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut swallow = swallow.subscribe();
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else {
                        return;
                    };
                    let passing = tokio::io::copy_bidirectional(&mut near, &mut far);
                    tokio::select! {
                        _ = passing => return,
                        _ = swallow.changed() => {}
                    }
                    // Neither side hears of it.
                    std::future::pending::<()>().await;
                    drop((near, far));
                });
            }
        });
        Self {
            port: own,
            generation,
        }
    }

    /// All connections of now go silent; new ones work.
    fn swallow(&self) {
        self.generation.send_modify(|n| *n += 1);
    }
}

#[tokio::test]
async fn half_open_connections_are_noticed_and_replaced() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    let proxy = Swallower::before(shared_cluster().port()).await;
    let url = db.url().replace(
        &shared_cluster().port().to_string(),
        &proxy.port.to_string(),
    );
    slow(&sandbox);
    sign_up_many(&db, 100).await;
    let _sidecar = impatient(&db, "postmark", &sandbox)
        .env("DATABASE_URL", &url)
        .env("EMAIL_BATCH_SIZE", "5")
        .env("EMAIL_CONCURRENCY", "2")
        .spawn();
    wait_for("a part to be sent", async || sandbox.count() > 10).await;
    proxy.swallow();
    settled(&db, &sandbox, 100).await;
}

#[tokio::test]
async fn all_backends_are_terminated_again_and_again() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    slow(&sandbox);
    sign_up_many(&db, 200).await;
    let _one = impatient(&db, "resend", &sandbox)
        .env("EMAIL_BATCH_SIZE", "5")
        .env("EMAIL_CONCURRENCY", "2")
        .spawn();
    for part in [20, 80, 140] {
        wait_for("a part to be sent", async || sandbox.count() > part).await;
        db.exec("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
            .await;
    }
    settled(&db, &sandbox, 200).await;
}
