//! Every setting from a map, never from the process environment, which tests share.

use std::collections::HashMap;

use super::*;

const RESEND: &[(&str, &str)] = &[
    (
        "DATABASE_URL",
        "postgres://mailer:hunter2@db.example.com/seqpulse",
    ),
    ("EMAIL_PROVIDER", "resend"),
    ("EMAIL_FROM", "SEQPULSE <hello@mail.example.com>"),
    ("EMAIL_API_KEY", "re_hunter2"),
    ("PUBLIC_URL", "https://mail.example.com/"),
];

fn read_with(base: &[(&str, &str)], more: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let map: HashMap<String, String> = base
        .iter()
        .chain(more)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Config::read(&|name| map.get(name).cloned())
}

fn resend(more: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    read_with(RESEND, more)
}

/// The faults, which must never contain a secret, must be one line each and give an example.
fn faults(result: Result<Config, ConfigErrors>) -> Vec<String> {
    let errors = result.expect_err("should be refused");
    let lines: Vec<String> = errors.to_string().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), errors.0.len(), "{lines:?}");
    for (line, error) in lines.iter().zip(&errors.0) {
        assert!(line.starts_with(error.name), "{line}");
        assert!(
            line.contains(&format!("; for example {}=", error.name)),
            "{line}"
        );
        assert!(!line.contains("hunter2"), "{line}");
    }
    lines
}

#[test]
fn a_database_url_is_enough_for_the_console() {
    let config = read_with(&RESEND[..1], &[]).expect("complete");
    assert_eq!(config.provider_kind, ProviderKind::Console);
    assert_eq!(config.rate_per_second, None);
    assert_eq!(
        config.site.public_url.as_deref(),
        Some("http://127.0.0.1:8025")
    );
    assert_eq!(config.site.cta_onboarding_path, "/dashboard/projects/new");
    assert_eq!(config.site.frontend_url, "http://localhost:3000");
    assert_eq!(config.lease, Duration::from_secs(60));
    assert_eq!(
        config.log,
        LogConfig {
            format: LogFormat::Text,
            filter: "info".into()
        }
    );
    assert!(config.warnings().is_empty());
}

#[test]
fn everything_set() {
    let config = resend(&[
        ("EMAIL_REPLY_TO", "Support <support@example.com>"),
        ("EMAIL_PROVIDER_URL", "http://127.0.0.1:9000/"),
        ("EMAIL_RATE_PER_SECOND", "0"),
        ("EMAIL_BATCH_SIZE", "1"),
        ("EMAIL_CONCURRENCY", "64"),
        ("EMAIL_TIMEOUT_SECONDS", "3"),
        ("HTTP_LISTEN", "off"),
        ("EMAIL_WEBHOOK_SECRET", "whsec_aHVudGVyMg=="),
        ("LOG_FORMAT", "json"),
        ("RUST_LOG", "warn,seqpulse_mailer=debug"),
    ])
    .expect("valid");
    assert_eq!(config.provider.base_url, "http://127.0.0.1:9000");
    assert_eq!(config.provider.timeout, Duration::from_secs(3));
    assert_eq!(
        config.site.public_url.as_deref(),
        Some("https://mail.example.com")
    );
    assert_eq!(
        config.site.support_address.as_deref(),
        Some("support@example.com")
    );
    assert_eq!(config.rate_per_second, None);
    assert_eq!((config.batch_size, config.concurrency), (1, 64));
    assert_eq!(config.http_listen, None);
    assert_eq!(config.log.format, LogFormat::Json);
    let key = config
        .webhook_secret
        .as_ref()
        .and_then(WebhookSecret::signing_key);
    assert_eq!(key.as_deref(), Some(b"hunter2".as_slice()));
    let debug = format!("{config:?}");
    assert!(
        !debug.contains("hunter2") && !debug.contains("aHVudGVyMg"),
        "{debug}"
    );
}

#[test]
fn defaults_follow_the_provider() {
    let config = resend(&[]).expect("valid");
    assert_eq!(config.provider.base_url, "https://api.resend.com");
    assert_eq!(
        (config.batch_size, config.rate_per_second),
        (100, NonZeroU32::new(10))
    );
    let token = "b9d2c7d0-7f5e-4c39-9f3b-0c3f0d9f2a11";
    let config =
        resend(&[("EMAIL_PROVIDER", "postmark"), ("EMAIL_API_KEY", token)]).expect("valid");
    assert_eq!(config.provider.base_url, "https://api.postmarkapp.com");
    assert_eq!(config.batch_size, 500);
    assert_eq!(config.provider.stream_marketing, "broadcast");
}

#[test]
fn missing_values_are_all_named_at_once() {
    let lines = faults(read_with(&[("EMAIL_PROVIDER", "postmark")], &[]));
    let names: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        ["DATABASE_URL", "EMAIL_FROM", "EMAIL_API_KEY", "PUBLIC_URL"]
    );
    assert_eq!(
        lines[1],
        "EMAIL_FROM is missing: EMAIL_PROVIDER=postmark needs it; \
         for example EMAIL_FROM='SEQPULSE <hello@mail.example.com>'"
    );
}

#[test]
fn an_empty_value_counts_as_unset() {
    assert_eq!(
        resend(&[("EMAIL_BATCH_SIZE", ""), ("HTTP_LISTEN", " ")])
            .expect("valid")
            .batch_size,
        100
    );
    assert!(faults(resend(&[("EMAIL_API_KEY", "")]))[0].starts_with("EMAIL_API_KEY is missing"));
}

#[test]
fn a_trailing_newline_of_a_secret_file_is_no_fault() {
    let config = resend(&[("EMAIL_API_KEY", "re_key\n")]).expect("valid");
    assert_eq!(config.provider.api_key.expose_secret(), "re_key");
}

#[test]
fn bad_values_name_their_variable() {
    for (name, value) in [
        ("DATABASE_URL", "mysql://mailer:hunter2@db/seqpulse"),
        ("DATABASE_URL", "postgres://mailer:hunter2@db:port/seqpulse"),
        (
            "EMAIL_LISTEN_URL",
            "postgres://mailer:hunter2@db/seqpulse?sslmode=perhaps",
        ),
        ("EMAIL_PROVIDER", "sendgrid"),
        ("EMAIL_FROM", "SEQPULSE"),
        (
            "EMAIL_FROM",
            "SEQPULSE\r\nBcc: x@example.com <hello@example.com>",
        ),
        ("EMAIL_REPLY_TO", "a@example.com, b@example.com"),
        ("EMAIL_API_KEY", "re_hunter2 re_hunter2"),
        ("EMAIL_API_KEY", "re_\u{fffd}hunter2"),
        ("EMAIL_PROVIDER_URL", "http://api.resend.com"),
        ("EMAIL_PROVIDER_URL", "api.resend.com"),
        ("EMAIL_MESSAGE_STREAM_MARKETING", "my stream"),
        ("EMAIL_RATE_PER_SECOND", "ten"),
        ("EMAIL_RATE_PER_SECOND", "-1"),
        ("EMAIL_BATCH_SIZE", "101"),
        ("EMAIL_BATCH_SIZE", "0"),
        ("EMAIL_CONCURRENCY", "0"),
        ("EMAIL_LEASE_SECONDS", "0"),
        ("EMAIL_TIMEOUT_SECONDS", "1.5"),
        ("EMAIL_POLL_SECONDS", "99999999999"),
        ("FRONTEND_URL", "app.example.com"),
        ("EMAIL_CTA_PRICING_PATH", "pricing"),
        ("EMAIL_SUPPORT_ADDRESS", "support"),
        ("EMAIL_REVIEW_URL", "javascript:alert(1)"),
        ("EMAIL_POSTAL_ADDRESS", "1 rue\nParis"),
        ("PUBLIC_URL", "http://mail.example.com"),
        ("HTTP_LISTEN", "8025"),
        ("EMAIL_WEBHOOK_SECRET", "hunter2"),
        ("LOG_FORMAT", "xml"),
        ("RUST_LOG", "seqpulse_mailer=loud"),
    ] {
        let lines = faults(resend(&[(name, value)]));
        assert_eq!(lines.len(), 1, "{name}={value}: {lines:?}");
        assert!(lines[0].starts_with(name), "{name}={value}: {}", lines[0]);
    }
}

#[test]
fn a_mail_server_needs_a_url_and_no_key() {
    let smtp = [("EMAIL_PROVIDER", "smtp"), ("EMAIL_API_KEY", "")];
    let with = |url| resend(&[smtp[0], smtp[1], ("EMAIL_PROVIDER_URL", url)]);
    let config = with("smtps://lea:hunter2@mail.example.com").expect("valid");
    assert_eq!(config.provider.base_url, "smtps://mail.example.com");
    assert_eq!((config.batch_size, config.rate_per_second), (1, None));
    assert!(!format!("{config:?}").contains("hunter2"));
    let lines = faults(resend(&smtp));
    assert!(
        lines[0].starts_with("EMAIL_PROVIDER_URL is missing"),
        "{lines:?}"
    );
    let lines = faults(with("smtp://lea:hunter2@mail.example.com"));
    assert!(lines[0].contains("in the clear"), "{lines:?}");
}

#[test]
fn likely_mistakes_are_warnings() {
    let config = resend(&[
        ("EMAIL_API_KEY", "sk_hunter2"),
        ("PUBLIC_URL", "http://localhost:8025"),
    ])
    .expect("valid");
    let warnings = config.warnings();
    let about: Vec<&str> = warnings
        .iter()
        .filter_map(|text| text.split(' ').next())
        .collect();
    let expected = [
        "FRONTEND_URL",
        "PUBLIC_URL",
        "EMAIL_WEBHOOK_SECRET",
        "EMAIL_API_KEY",
    ];
    assert_eq!(about, expected);
    assert!(warnings.iter().all(|warning| !warning.contains("hunter2")));
}

#[test]
fn every_example_is_accepted() {
    let examples: Vec<(&str, &str)> = VARIABLES
        .iter()
        .map(|variable| (variable.name, variable.example))
        .collect();
    // The database example asks for verify-full, whose root certificate this machine need not have.
    read_with(&examples, &[("DATABASE_URL", RESEND[0].1)])
        .expect("the examples form a whole configuration");
}

#[test]
fn migrate_prefers_the_direct_connection() {
    let read = |listen: Option<&str>| {
        let listen = listen.map(str::to_owned);
        MigrateConfig::read(&|name| match name {
            "DATABASE_URL" => Some("postgres://a@pooler:6432/db".into()),
            "EMAIL_LISTEN_URL" => listen.clone(),
            _ => None,
        })
        .expect("valid")
        .database
        .to_string()
    };
    assert!(read(None).contains("pooler:6432"));
    assert!(read(Some("postgres://a@direct/db")).contains("direct:5432"));
}
