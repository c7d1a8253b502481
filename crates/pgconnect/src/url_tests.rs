//! libpq's own examples, and what must not leak.

use std::collections::HashMap;

use super::*;

fn parse_with(url: &str, environment: &[(&str, &str)]) -> Result<DbConfig, UrlError> {
    let map: HashMap<&str, &str> = environment.iter().copied().collect();
    DbConfig::parse(url, &|name| map.get(name).map(|value| (*value).to_owned()))
        .map(|config| config.fallback_application_name("fallback"))
}

fn parse(url: &str) -> DbConfig {
    parse_with(url, &[]).unwrap_or_else(|error| panic!("{url}: {error}"))
}

fn refused(url: &str) -> String {
    match parse_with(url, &[]) {
        Ok(config) => panic!("{url} was taken as {config}"),
        Err(error) => error.to_string(),
    }
}

fn endpoints_of(config: &DbConfig) -> Vec<String> {
    config.endpoints().iter().map(ToString::to_string).collect()
}

#[test]
fn a_plain_url() {
    let config = parse("postgres://mailer:hunter2@db.example.com:6543/seqpulse");
    assert_eq!(
        config.to_string(),
        "mailer@db.example.com:6543/seqpulse (sslmode prefer)"
    );
    assert_eq!(
        (config.user(), config.dbname()),
        (Some("mailer"), Some("seqpulse"))
    );
    assert_eq!(config.base.get_password(), Some(b"hunter2".as_slice()));
    assert_eq!(config.base.get_application_name(), Some("fallback"));
    assert_eq!(config.connect_timeout, Some(CONNECT_TIMEOUT));
    assert_eq!(
        config.base.get_target_session_attrs(),
        TargetSessionAttrs::Any
    );
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn several_hosts() {
    let config = parse("postgresql://u@a,b:6543,[::1]:7/db?target_session_attrs=read-write");
    assert_eq!(endpoints_of(&config), ["a:5432", "b:6543", "[::1]:7"]);
    assert_eq!(
        config.base.get_target_session_attrs(),
        TargetSessionAttrs::ReadWrite
    );
    let config = parse("host=a,b port=1,2 user=u dbname=db target_session_attrs=any");
    assert_eq!(endpoints_of(&config), ["a:1", "b:2"]);
    assert_eq!(
        config.base.get_target_session_attrs(),
        TargetSessionAttrs::Any
    );
    let config = parse("host=a,b port=7 user=u");
    assert_eq!(endpoints_of(&config), ["a:7", "b:7"]);
    assert_eq!(
        config.base.get_target_session_attrs(),
        TargetSessionAttrs::ReadWrite,
        "the default with several hosts"
    );
    assert!(refused("host=a,b,c port=1,2").contains("3 hosts but 2 ports"));
    assert!(refused("host=a,b hostaddr=127.0.0.1").contains("2 hosts but 1 hostaddrs"));
}

#[test]
fn sockets_and_no_host_at_all() {
    assert_eq!(
        endpoints_of(&parse("postgres:///db?host=/tmp/pg&port=7")),
        ["/tmp/pg/.s.PGSQL.7"]
    );
    assert_eq!(
        endpoints_of(&parse("postgres://%2Ftmp%2Fpg/db")),
        ["/tmp/pg/.s.PGSQL.5432"]
    );
    assert_eq!(
        endpoints_of(&parse("postgres:///db")),
        ["/var/run/postgresql/.s.PGSQL.5432"]
    );
    let config = parse_with(
        "postgres:///db",
        &[
            ("PGHOST", "elsewhere"),
            ("PGUSER", "me"),
            ("PGPASSWORD", "hunter2"),
        ],
    );
    let config = config.expect("valid");
    assert_eq!(config.to_string(), "me@elsewhere:5432/db (sslmode prefer)");
    assert_eq!(config.base.get_password(), Some(b"hunter2".as_slice()));
}

#[test]
fn key_value_form() {
    let config =
        parse(r"host = 'db' user=u password = 'a b\'c\\d' dbname=seqpulse sslmode=require");
    assert_eq!(config.base.get_password(), Some(br"a b'c\d".as_slice()));
    assert_eq!(config.tls().mode, SslMode::Require);
    let config = parse(r"host=db password=http://x\ y user='' ");
    assert_eq!(config.base.get_password(), Some(b"http://x y".as_slice()));
    assert!(refused("host='db").contains("closing '"));
    assert!(refused("host=db seqpulse").contains("without ="));
    assert!(refused("seqpulse").contains("neither"));
}

#[test]
fn escapes_in_urls() {
    let config = parse(
        "postgres://a%40b:p%40%3F%2F%25@db/s%20p?application_name=a%26b%20c&options=-c%20geqo%3Doff",
    );
    assert_eq!(config.user(), Some("a@b"));
    assert_eq!(config.base.get_password(), Some(b"p@?/%".as_slice()));
    assert_eq!(config.dbname(), Some("s p"));
    assert_eq!(config.base.get_application_name(), Some("a&b c"));
    assert_eq!(config.base.get_options(), Some("-c geqo=off"));
    let config = parse("postgres://u:what?ever&x=1@db/seqpulse?sslmode=disable");
    assert_eq!(
        config.base.get_password(),
        Some(b"what?ever&x=1".as_slice())
    );
    let config = parse("postgres:///db?host=h&user=me@example&password=p");
    assert_eq!(config.user(), Some("me@example"));
}

#[test]
fn every_sslmode() {
    for mode in ["disable", "allow", "prefer", "require"] {
        assert_eq!(
            parse(&format!("postgres://db/x?sslmode={mode}"))
                .tls()
                .mode
                .to_string(),
            mode
        );
        assert_eq!(
            parse(&format!("host=db sslmode={mode}"))
                .tls()
                .mode
                .to_string(),
            mode
        );
    }
    assert!(refused("postgres://db/x?sslmode=yes").contains("verify-full"));
    let config = parse_with("postgres://db/x", &[("PGSSLMODE", "require")]).expect("valid");
    assert_eq!(config.tls().mode, SslMode::Require);
    let config = parse_with(
        "postgres://db/x?sslmode=disable",
        &[("PGSSLMODE", "require")],
    )
    .expect("valid");
    assert_eq!(config.tls().mode, SslMode::Disable);
}

#[test]
fn root_certificates_are_looked_for_as_libpq_does() {
    let root = |url, environment: &[(&str, &str)]| {
        parse_with(url, environment)
            .expect("valid")
            .tls()
            .root
            .clone()
    };
    let environment = [("PGSSLROOTCERT", "/env.crt"), ("HOME", "/home/me")];
    assert_eq!(
        root("postgres://db/x?sslrootcert=/url.crt", &environment),
        RootCert::File("/url.crt".into())
    );
    assert_eq!(
        root("postgres://db/x", &environment),
        RootCert::File("/env.crt".into())
    );
    let default = RootCert::Default(Some("/home/me/.postgresql/root.crt".into()));
    assert_eq!(root("postgres://db/x", &environment[1..]), default);
    for mode in ["verify-ca", "verify-full"] {
        let error = parse_with(
            &format!("postgres://db/x?sslmode={mode}"),
            &[("HOME", "/home/me")],
        );
        let error = error.expect_err("there is no such file").to_string();
        assert!(
            error.contains(mode) && error.contains("/home/me/.postgresql/root.crt"),
            "{error}"
        );
    }
    let error = refused("postgres://db/x?sslmode=require&sslrootcert=system");
    assert!(error.contains("verify-full"), "{error}");
}

#[test]
fn times() {
    let config = parse("postgres://db/x?connect_timeout=0&tcp_user_timeout=0&keepalives_idle=7");
    assert_eq!(config.connect_timeout, None);
    assert_eq!(config.base.get_tcp_user_timeout(), None);
    assert_eq!(config.base.get_keepalives_idle(), Duration::from_secs(7));
    let config = parse("postgres://db/x?connect_timeout=2&tcp_user_timeout=2500");
    assert_eq!(config.connect_timeout, Some(Duration::from_secs(2)));
    assert_eq!(
        config.base.get_tcp_user_timeout(),
        Some(&Duration::from_millis(2500)),
        "milliseconds, as in libpq"
    );
    assert_eq!(config.base.get_keepalives_idle(), KEEPALIVES_IDLE);
    let config = parse("postgres://db/x?keepalives_count=9");
    assert_eq!(
        config.base.get_keepalives_retries(),
        Some(9),
        "libpq's name"
    );
    assert!(refused("postgres://db/x?connect_timeout=soon").contains("connect_timeout"));
}

#[test]
fn parameters_libpq_has_and_we_need_not() {
    parse(
        "postgres://db/x?gssencmode=disable&client_encoding=UTF8&fallback_application_name=x&sslsni=1",
    );
    assert!(refused("postgres://db/x?gssencmode=require").contains("gssencmode"));
    assert!(
        refused("postgres://db/x?target_session_attrs=standby").contains("target_session_attrs")
    );
    assert!(refused("postgres://db/x?service=prod").contains("parameter service"));
    assert!(refused("postgres://db/x?sslcert=/a").contains("sslkey"));
}

#[test]
fn nothing_that_may_be_a_password_is_repeated() {
    for url in [
        "mysql://u:hunter2@db/x",
        "postgresql+asyncpg://u:hunter2@db/x",
        "postgres://u:pa@hunter2@db/x",
        "postgres://u:pa/hunter2@db/x",
        "postgres://u:hunter2@db:port/x",
        "postgres://u:hunter2@db/x?Hunter2",
        "postgres://u:p@db/x?hunter2=%ff",
        "postgres://u:p@db/x?hunter2&b=1",
        "host=db password='hunter2",
        "host=db port=x password=hunter2",
        "hunter2",
    ] {
        let error = refused(url);
        assert!(!error.to_lowercase().contains("hunter2"), "{url}: {error}");
    }
    assert!(refused("postgresql+asyncpg://u:p@db/x").contains("without the part from the +"));
}
