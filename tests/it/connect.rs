//! Connecting to real servers as libpq would: several hosts, and errors that say what to do.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

use pgconnect::connect::{ConnectError, Reason, connect, manager};
use pgconnect::url::DbConfig;
use throwaway::cluster::{Cluster, StopMode};

use crate::certificates::Identity;

/// Whether the connection is encrypted, by the server's word.
pub(crate) async fn is_encrypted(url: &str) -> Result<bool, ConnectError> {
    let config = DbConfig::parse(url, &|_| None).unwrap_or_else(|error| panic!("{url} {error}"));
    let (client, connection) = connect(&config).await?;
    let task = tokio::spawn(connection);
    let row = client
        .query_one(
            "select ssl from pg_stat_ssl where pid = pg_backend_pid()",
            &[],
        )
        .await;
    let encrypted = row.expect("pg_stat_ssl").get(0);
    drop(client);
    task.await
        .expect("the connection's task")
        .expect("a clean end");
    Ok(encrypted)
}

/// Writes beside `postgresql.conf`, readable only by the server's user.
pub(crate) fn write_to_pgdata(cluster: &Cluster, name: &str, text: &str) {
    let path = cluster.pgdata().join(name);
    fs::write(&path, text).expect("write");
    let owner = fs::metadata(cluster.pgdata()).expect("PGDATA");
    chown(&path, Some(owner.uid()), Some(owner.gid())).expect("chown");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("chmod");
}

pub(crate) fn allow(cluster: &Cluster, lines: &str) {
    let path = cluster.pgdata().join("pg_hba.conf");
    let before = fs::read_to_string(path).expect("pg_hba.conf");
    write_to_pgdata(cluster, "pg_hba.conf", &format!("{lines}\n{before}"));
}

pub(crate) fn present(cluster: &mut Cluster, identity: &Identity) {
    write_to_pgdata(cluster, "server.crt", &identity.certificate);
    write_to_pgdata(cluster, "server.key", &identity.key);
    cluster.restart(StopMode::Fast).expect("restart");
}

/// A port of 127.0.0.1 where nobody listens.
fn dead_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .port()
}

#[tokio::test]
async fn hosts_are_tried_in_turn_until_one_takes_writes() {
    let standby_like = Cluster::builder()
        .setting("default_transaction_read_only", "on")
        .start()
        .expect("a cluster");
    let primary = Cluster::builder().start().expect("a cluster");
    // Accepts and never answers, as a frozen server does.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent_port = silent.local_addr().expect("an address").port();
    let (dead, standby, primary) = (dead_port(), standby_like.port(), primary.port());
    let hosts = |ports: &[u16]| {
        let list: Vec<String> = ports
            .iter()
            .map(|port| format!("127.0.0.1:{port}"))
            .collect();
        format!(
            "postgres://postgres@{}/postgres?connect_timeout=1",
            list.join(",")
        )
    };
    let port_of = async |url: String| {
        let config = DbConfig::parse(&url, &|_| None).expect("url");
        let (client, connection) = connect(&config).await?;
        tokio::spawn(connection);
        let row = client
            .query_one("select inet_server_port()", &[])
            .await
            .expect("a port");
        Ok::<i32, ConnectError>(row.get(0))
    };
    for url in [
        hosts(&[dead, primary]),
        hosts(&[dead, standby, primary]) + "&target_session_attrs=read-write",
        hosts(&[standby, silent_port, primary]),
        hosts(&[primary, dead, standby]) + "&load_balance_hosts=random",
        format!(
            "host=nowhere.invalid,127.0.0.1 port={dead},{primary} user=postgres dbname=postgres"
        ),
    ] {
        assert_eq!(
            port_of(url.clone()).await.ok(),
            Some(i32::from(primary)),
            "{url}"
        );
    }
    assert_eq!(
        port_of(hosts(&[standby])).await.ok(),
        Some(i32::from(standby)),
        "one host: any session will do"
    );

    let error = port_of(hosts(&[dead, standby]))
        .await
        .expect_err("nobody takes writes");
    assert_eq!(
        (error.reason(), error.is_transient()),
        (Reason::ReadOnly, true)
    );
    let text = error.to_string();
    assert!(
        text.contains(&format!("127.0.0.1:{dead}: ")) && text.contains("standby"),
        "{text}"
    );
    let error = port_of(hosts(&[dead, silent_port]))
        .await
        .expect_err("nobody answers");
    assert_eq!(
        (error.reason(), error.is_transient()),
        (Reason::Unreachable, true)
    );
    assert!(
        error.to_string().contains("no answer within 1 s"),
        "{error}"
    );
}

#[tokio::test]
async fn errors_say_what_to_do_and_never_the_password() {
    let mut cluster = Cluster::builder().start().expect("a cluster");
    allow(
        &cluster,
        "host all secret 127.0.0.1/32 scram-sha-256\nhost all banned 127.0.0.1/32 reject\n",
    );
    cluster.restart(StopMode::Fast).expect("restart");
    let superuser = DbConfig::parse(&cluster.url("postgres"), &|_| None).expect("url");
    let (client, connection) = connect(&superuser).await.expect("connected");
    tokio::spawn(connection);
    let roles = "create role secret login password 'correct'; create role banned login";
    client.batch_execute(roles).await.expect("roles");
    let port = cluster.port();
    let dead = dead_port();
    for (url, reason, words) in [
        (
            format!("postgres://secret:hunter2@127.0.0.1:{port}/postgres"),
            Reason::Password,
            "%40",
        ),
        (
            format!("postgres://secret@127.0.0.1:{port}/postgres"),
            Reason::Password,
            "PGPASSWORD",
        ),
        (
            format!("postgres://banned:hunter2@127.0.0.1:{port}/postgres"),
            Reason::Refused,
            "pg_hba.conf",
        ),
        (
            format!("postgres://postgres:hunter2@127.0.0.1:{port}/nothing"),
            Reason::NoDatabase,
            "nothing",
        ),
        (
            format!("postgres://postgres:hunter2@127.0.0.1:{dead}/postgres"),
            Reason::Unreachable,
            "firewall",
        ),
        (
            format!("postgres://postgres:hunter2@nowhere.invalid:{port}/x"),
            Reason::Unreachable,
            "resolved",
        ),
        // A wrong password is the same on every host: the second one is not asked.
        (
            format!("postgres://secret:hunter2@127.0.0.1:{port},127.0.0.1:{dead}/x"),
            Reason::Password,
            "secret@",
        ),
    ] {
        let config = DbConfig::parse(&url, &|_| None).expect("url");
        let error = connect(&config)
            .await
            .err()
            .unwrap_or_else(|| panic!("{url} connected"));
        assert_eq!(error.reason(), reason, "{url}: {error}");
        let text = error.to_string();
        assert!(text.contains(words), "{url}: {text}");
        assert!(!text.contains("hunter2") && !text.contains('\n'), "{text}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
    let url = format!("postgres://secret:correct@127.0.0.1:{port}/postgres");
    assert_eq!(is_encrypted(&url).await.ok(), Some(false));
}

#[tokio::test]
async fn a_pool_connects_the_same_way_and_passes_errors_on() {
    let cluster = Cluster::builder().start().expect("a cluster");
    let pool = |url: &str| {
        let config = DbConfig::parse(url, &|_| None)
            .expect("url")
            .fallback_application_name("a_test");
        let manager = manager(&config, deadpool_postgres::ManagerConfig::default());
        deadpool_postgres::Pool::builder(manager)
            .max_size(2)
            .build()
            .expect("a pool")
    };
    let (dead, port) = (dead_port(), cluster.port());
    let good = pool(&format!(
        "postgres://postgres@127.0.0.1:{dead},127.0.0.1:{port}/postgres"
    ));
    let client = good.get().await.expect("a client");
    let row = client.query_one(
        "select application_name from pg_stat_activity where pid = pg_backend_pid()",
        &[],
    );
    assert_eq!(row.await.expect("a row").get::<_, &str>(0), "a_test");

    let describe = async |url: &str| {
        let error = pool(url).get().await.expect_err("no connection");
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    };
    let text = describe(&format!(
        "postgres://postgres:hunter2@127.0.0.1:{dead}/postgres"
    ))
    .await;
    assert!(
        text.contains(&format!("127.0.0.1:{dead}")) && !text.contains("hunter2"),
        "{text}"
    );
    let text = describe(&format!("postgres://postgres@127.0.0.1:{port}/nothing")).await;
    assert!(
        text.contains("database \"nothing\" does not exist"),
        "{text}"
    );
}
