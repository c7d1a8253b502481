//! The throw-away Postgres itself: it survives what tests do to it, and leaves nothing behind.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use throwaway::cluster::{Cluster, ClusterError, StopMode};

use crate::support::{connect_to, wait_for};

#[tokio::test]
async fn data_and_port_survive_every_kind_of_restart() {
    let mut cluster = Cluster::builder()
        .database("app")
        .start()
        .expect("a cluster");
    let url = cluster.url("app");
    let client = connect_to(&url).await;
    client
        .batch_execute("create table t (n int)")
        .await
        .expect("a table");
    for (n, mode) in [StopMode::Fast, StopMode::Immediate, StopMode::Kill]
        .into_iter()
        .enumerate()
    {
        let client = connect_to(&url).await;
        client
            .batch_execute("insert into t values (1)")
            .await
            .expect("an insert");
        cluster
            .restart(mode)
            .unwrap_or_else(|error| panic!("restart after {mode:?}: {error}"));
        let row = connect_to(&url)
            .await
            .query_one("select count(*) from t", &[])
            .await
            .expect("a count");
        assert_eq!(
            row.get::<_, i64>(0),
            i64::try_from(n).expect("small") + 1,
            "after {mode:?}"
        );
    }
    let dir = cluster.dir().to_owned();
    drop(cluster);
    assert!(!dir.exists(), "{} is still there", dir.display());
}

#[tokio::test]
async fn a_setting_is_taken_up_by_reload() {
    let cluster = Cluster::builder().start().expect("a cluster");
    let client = connect_to(&cluster.url("postgres")).await;
    cluster
        .set("email.clock_offset", "3 days, it's a test")
        .expect("a reload");
    wait_for("the setting", async || {
        let row = client
            .query_one("select current_setting('email.clock_offset', true)", &[])
            .await
            .expect("a row");
        row.get::<_, Option<String>>(0).as_deref() == Some("3 days, it's a test")
    })
    .await;
}

#[test]
fn a_bad_setting_is_reported_with_the_servers_own_words() {
    let error = Cluster::builder()
        .setting("max_wal_senders", "many")
        .start()
        .expect_err("a bad setting");
    assert!(matches!(error, ClusterError::Start { .. }), "{error:?}");
    assert!(error.to_string().contains("max_wal_senders"), "{error}");
}

#[tokio::test]
async fn pg_cron_lives_in_the_database_it_was_asked_for() {
    if !Cluster::supports_pg_cron() {
        crate::support::skip("pg_cron is not installed (Debian: postgresql-15-cron)");
        return;
    }
    let cluster = Cluster::builder()
        .pg_cron("app")
        .start()
        .expect("a cluster");
    assert!(cluster.pg_cron_loaded());
    let client = connect_to(&cluster.url("app")).await;
    client
        .batch_execute("create extension pg_cron")
        .await
        .expect("pg_cron in its database");
    let row = client
        .query_one("select current_setting('cron.database_name')", &[])
        .await
        .expect("a row");
    assert_eq!(row.get::<_, String>(0), "app");
}

#[tokio::test]
async fn a_frozen_server_answers_only_when_thawed() {
    let cluster = Cluster::builder().start().expect("a cluster");
    let client = connect_to(&cluster.url("postgres")).await;
    client.batch_execute("select 1").await.expect("an answer");
    cluster.freeze().expect("SIGSTOP");
    let mut question = Box::pin(client.batch_execute("select 1"));
    let silence = tokio::time::timeout(Duration::from_millis(300), &mut question).await;
    assert!(silence.is_err(), "a frozen server answered");
    cluster.thaw().expect("SIGCONT");
    question.await.expect("the answer, late");
}

/// Not a test of its own: the process that the next test kills.
#[test]
#[ignore = "run by nothing_is_left_when_the_owner_is_killed"]
fn owns_a_cluster_until_killed() {
    let cluster = Cluster::builder().start().expect("a cluster");
    println!("\ncluster {} {}", cluster.port(), cluster.dir().display());
    std::thread::park();
}

#[tokio::test]
async fn nothing_is_left_when_the_owner_is_killed() {
    let mut owner = Command::new(std::env::current_exe().expect("this binary"))
        .args([
            "--exact",
            "cluster::owns_a_cluster_until_killed",
            "--ignored",
            "--nocapture",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a second test process");
    let lines = BufReader::new(owner.stdout.take().expect("its output")).lines();
    let (port, dir) = lines
        .map_while(Result::ok)
        .find_map(|line| {
            let (port, dir) = line.strip_prefix("cluster ")?.split_once(' ')?;
            Some((port.parse::<u16>().ok()?, PathBuf::from(dir)))
        })
        .expect("the line it prints");
    assert!(dir.join("data/postmaster.pid").exists());
    owner.kill().expect("SIGKILL");
    owner.wait().expect("its end");
    wait_for("the directory to go", async || !dir.exists()).await;
    wait_for("the port to close", async || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_err()
    })
    .await;
}
