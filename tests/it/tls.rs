//! TLS to a real server: every `sslmode`, with certificates that are right, wrong, odd and missing.

use std::fs;
use std::path::{Path, PathBuf};

use pgconnect::connect::{ConnectError, Reason, connect};
use pgconnect::url::DbConfig;
use tempfile::TempDir;
use throwaway::cluster::Cluster;

use crate::certificates::{Authority, self_signed};
use crate::connect::{allow, is_encrypted, present};
use crate::support::BINARY;

const NAME: &str = "db.example.com";
const PLAIN: Result<bool, Reason> = Ok(false);
const SECURE: Result<bool, Reason> = Ok(true);
const REFUSED: Result<bool, Reason> = Err(Reason::Tls);

struct Case<'a> {
    mode: &'a str,
    root: Option<&'a Path>,
    host: &'a str,
    expected: Result<bool, Reason>,
}

async fn check(cluster: &Cluster, server: &str, cases: &[Case<'_>]) {
    for Case {
        mode,
        root,
        host,
        expected,
    } in cases
    {
        let root = root
            .map(|path| format!("&sslrootcert={}", path.display()))
            .unwrap_or_default();
        let url = format!(
            "postgres://postgres@/postgres?host={host}&hostaddr=127.0.0.1&port={}&sslmode={mode}{root}",
            cluster.port()
        );
        let result = is_encrypted(&url).await;
        let outcome = result.as_ref().copied().map_err(ConnectError::reason);
        let detail = result
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert_eq!(
            outcome, *expected,
            "{server}, sslmode={mode}, {root}, host {host}: {detail}"
        );
    }
}

fn case<'a>(
    mode: &'a str,
    root: Option<&'a Path>,
    host: &'a str,
    expected: Result<bool, Reason>,
) -> Case<'a> {
    Case {
        mode,
        root,
        host,
        expected,
    }
}

/// Two authorities, of which the server's certificates are signed by the first.
struct Roots {
    directory: TempDir,
    ours: Authority,
    right: PathBuf,
    wrong: PathBuf,
}

impl Roots {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (ours, theirs) = (Authority::new("our root"), Authority::new("their root"));
        let [right, wrong] = ["ours.crt", "theirs.crt"].map(|name| directory.path().join(name));
        fs::write(&right, ours.certificate()).expect("write");
        fs::write(&wrong, theirs.certificate()).expect("write");
        Self {
            directory,
            ours,
            right,
            wrong,
        }
    }
}

fn cluster_with_tls() -> Cluster {
    let cluster = Cluster::builder().start().expect("a cluster");
    // Takes effect with the restart that presents the first certificate.
    cluster.append_conf("ssl = on\n").expect("postgresql.conf");
    cluster
}

#[tokio::test]
async fn a_server_without_tls() {
    let cluster = Cluster::builder().start().expect("a cluster");
    let roots = Roots::new();
    let right = Some(&*roots.right);
    let cases = [
        case("disable", None, NAME, PLAIN),
        case("allow", None, NAME, PLAIN),
        case("prefer", None, NAME, PLAIN),
        case("require", None, NAME, REFUSED),
        case("verify-ca", right, NAME, REFUSED),
        case("verify-full", right, NAME, REFUSED),
    ];
    check(&cluster, "a server without TLS", &cases).await;
}

#[tokio::test]
async fn every_mode_with_right_and_wrong_roots_and_names() {
    let mut cluster = cluster_with_tls();
    let roots = Roots::new();
    let (right, wrong) = (Some(&*roots.right), Some(&*roots.wrong));
    present(
        &mut cluster,
        &roots
            .ours
            .issue(&[NAME, "*.internal.example.com", "127.0.0.1"]),
    );
    let cases = [
        case("disable", wrong, NAME, PLAIN),
        case("allow", wrong, NAME, PLAIN),
        case("prefer", None, NAME, SECURE),
        case("prefer", right, "elsewhere", SECURE),
        // The chain is checked when a root is there; prefer then goes on without TLS, as libpq does.
        case("prefer", wrong, NAME, PLAIN),
        case("require", None, NAME, SECURE),
        case(
            "require",
            Some(Path::new("/nowhere/root.crt")),
            NAME,
            SECURE,
        ),
        case("require", right, "elsewhere", SECURE),
        case("require", wrong, NAME, REFUSED),
        case("verify-ca", right, NAME, SECURE),
        case("verify-ca", right, "elsewhere", SECURE),
        case("verify-ca", wrong, NAME, REFUSED),
        case("verify-full", right, NAME, SECURE),
        case("verify-full", right, "DB.EXAMPLE.COM", SECURE),
        case("verify-full", right, "a.internal.example.com", SECURE),
        case("verify-full", right, "a.b.internal.example.com", REFUSED),
        case("verify-full", right, "127.0.0.1", SECURE),
        case("verify-full", right, "elsewhere", REFUSED),
        case("verify-full", wrong, NAME, REFUSED),
    ];
    check(&cluster, "a good certificate", &cases).await;

    present(&mut cluster, &roots.ours.issue_expired(&[NAME]));
    let cases = [
        case("require", None, NAME, SECURE),
        case("verify-ca", right, NAME, REFUSED),
        case("verify-full", right, NAME, REFUSED),
    ];
    check(&cluster, "an expired certificate", &cases).await;

    present(
        &mut cluster,
        &roots.ours.issue_contradicting(NAME, &["other.example.com"]),
    );
    let cases = [
        case("verify-full", right, "other.example.com", SECURE),
        case("verify-full", right, NAME, REFUSED),
    ];
    check(
        &cluster,
        "a common name that the alternative names do not repeat",
        &cases,
    )
    .await;
}

/// What the recipes of Postgres' manual produce, and webpki alone would refuse.
#[tokio::test]
async fn certificates_that_openssl_accepts() {
    let mut cluster = cluster_with_tls();
    let roots = Roots::new();
    let (right, wrong) = (Some(&*roots.right), Some(&*roots.wrong));
    let cases = [
        case("require", right, NAME, SECURE),
        case("verify-ca", right, "elsewhere", SECURE),
        case("verify-full", right, NAME, SECURE),
        case("verify-full", right, "elsewhere", REFUSED),
        case("verify-ca", wrong, NAME, REFUSED),
    ];
    present(&mut cluster, &roots.ours.issue_common_name(NAME));
    check(&cluster, "the host only as common name", &cases).await;
    for newest in ["TLSv1.3", "TLSv1.2"] {
        let line = format!("ssl_max_protocol_version = '{newest}'\n");
        cluster.append_conf(&line).expect("postgresql.conf");
        present(&mut cluster, &roots.ours.issue_version_1(NAME));
        check(
            &cluster,
            &format!("a certificate of version 1 over {newest}"),
            &cases,
        )
        .await;
    }

    let own = self_signed(NAME);
    let path = roots.directory.path().join("own.crt");
    fs::write(&path, &own.certificate).expect("write");
    let root = Some(&*path);
    present(&mut cluster, &own);
    let cases = [
        case("require", None, NAME, SECURE),
        case("verify-ca", root, "elsewhere", SECURE),
        case("verify-full", root, NAME, SECURE),
        case("verify-full", root, "elsewhere", REFUSED),
        case("verify-ca", right, NAME, REFUSED),
        case("require", right, NAME, REFUSED),
    ];
    check(
        &cluster,
        "a self-signed certificate that is the root",
        &cases,
    )
    .await;
}

#[tokio::test]
async fn allow_and_prefer_take_the_kind_of_connection_that_the_server_accepts() {
    let mut cluster = Cluster::builder().start().expect("a cluster");
    allow(
        &cluster,
        "hostssl all secure 127.0.0.1/32 trust\nhostnossl all secure 127.0.0.1/32 reject\n\
         hostnossl all plain 127.0.0.1/32 trust\nhostssl all plain 127.0.0.1/32 reject\n",
    );
    cluster.append_conf("ssl = on\n").expect("postgresql.conf");
    present(&mut cluster, &self_signed("localhost"));
    let superuser = DbConfig::parse(&cluster.url("postgres"), &|_| None).expect("url");
    let (client, connection) = connect(&superuser).await.expect("connected");
    tokio::spawn(connection);
    client
        .batch_execute("create role secure login; create role plain login")
        .await
        .expect("roles");
    for (user, mode, expected) in [
        ("secure", "disable", Err(Reason::Refused)),
        ("secure", "allow", Ok(true)),
        ("secure", "prefer", Ok(true)),
        ("plain", "allow", Ok(false)),
        ("plain", "prefer", Ok(false)),
        ("plain", "require", Err(Reason::Refused)),
    ] {
        let url = format!("{}?sslmode={mode}", cluster.url_as(user, "postgres"));
        let outcome = is_encrypted(&url).await.map_err(|error| error.reason());
        assert_eq!(outcome, expected, "{user} {mode}");
    }
}

/// `sslrootcert=system` through the real binary, whose "system" store `SSL_CERT_FILE` replaces.
#[tokio::test]
async fn the_system_store_is_trusted_when_asked_for() {
    let mut cluster = cluster_with_tls();
    let roots = Roots::new();
    present(&mut cluster, &roots.ours.issue(&[NAME]));
    let check = |host: &str, root: &Path| {
        let url = format!(
            "postgres://postgres@/postgres?host={host}&hostaddr=127.0.0.1&port={}&sslrootcert=system",
            cluster.port()
        );
        let mut command = std::process::Command::new(BINARY);
        command.args(["migrate", "--check"]).env_clear();
        let output = command
            .env("DATABASE_URL", url)
            .env("SSL_CERT_FILE", root)
            .output();
        let output = output.expect("the binary runs");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    // Connected: the refusal is about what the database holds.
    let (code, text) = check(NAME, &roots.right);
    assert!(
        code == Some(1) && text.contains("lacks SEQPULSE's tables"),
        "{text}"
    );
    let (code, text) = check("elsewhere", &roots.right);
    assert!(
        code == Some(1) && text.contains("not for the host name"),
        "{text}"
    );
    let (code, text) = check(NAME, &roots.wrong);
    assert!(
        code == Some(1) && text.contains("not signed by any of the root"),
        "{text}"
    );
}
