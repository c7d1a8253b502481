//! The one list of environment variables: `--help`, `docs/configuration.md` and the error messages are made from it.

use std::fmt::Write as _;

/// One environment variable.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// As it is written in the environment.
    pub name: &'static str,
    /// What holds without it, in words when it is not a plain value.
    pub default: &'static str,
    /// What it does, for a person who sets it.
    pub meaning: &'static str,
    /// A value that is accepted.
    pub example: &'static str,
    /// Whether `migrate` reads it too, or only `run`.
    pub migrate: bool,
}

const fn variable(
    name: &'static str,
    default: &'static str,
    example: &'static str,
    meaning: &'static str,
) -> Variable {
    Variable {
        name,
        default,
        meaning,
        example,
        migrate: false,
    }
}

const fn shared(
    name: &'static str,
    default: &'static str,
    example: &'static str,
    meaning: &'static str,
) -> Variable {
    Variable {
        name,
        default,
        meaning,
        example,
        migrate: true,
    }
}

/// Every variable this program reads, in the order a person sets them up.
pub const VARIABLES: &[Variable] = &[
    shared(
        "DATABASE_URL",
        "required",
        "postgres://mailer:secret@db1.example.com,db2.example.com/seqpulse?sslmode=verify-full",
        "libpq-style URL (or key=value form) of SEQPULSE's database. Several hosts, target_session_attrs, sslmode disable to \
         verify-full and sslrootcert work as in libpq; PGSSLMODE, PGSSLROOTCERT and PGPASSWORD fill what it leaves out.",
    ),
    shared(
        "EMAIL_LISTEN_URL",
        "DATABASE_URL",
        "postgres://mailer:secret@db1.example.com/seqpulse",
        "A direct connection for LISTEN and for migrations, where DATABASE_URL goes through a pooler such as pgbouncer.",
    ),
    variable(
        "EMAIL_PROVIDER",
        "console",
        "resend",
        "resend, postmark, smtp (any mail server) or console (prints, sends nothing).",
    ),
    variable(
        "EMAIL_FROM",
        "required unless console",
        "SEQPULSE <hello@mail.example.com>",
        "The sender, an RFC 5322 mailbox at a domain the provider has verified.",
    ),
    variable(
        "EMAIL_REPLY_TO",
        "none: answers go to EMAIL_FROM",
        "SEQPULSE Support <support@example.com>",
        "Where answers go, an RFC 5322 mailbox.",
    ),
    variable(
        "EMAIL_API_KEY",
        "required for resend and postmark",
        "re_xxxxxxxx",
        "The provider's API key (Resend) or server token (Postmark); smtp has its login in EMAIL_PROVIDER_URL. Never logged, never in an error.",
    ),
    variable(
        "EMAIL_PROVIDER_URL",
        "the provider's public address; required for smtp",
        "https://api.resend.com",
        "Base URL of the provider's API. Plain http only for loopback, because the key travels with every request. For smtp: \
         smtps://user:password@host (implicit TLS, port 465) or smtp://user:password@host?tls=required (STARTTLS, port 587); \
         without a login also ?tls=opportunistic or nothing (port 25).",
    ),
    variable(
        "EMAIL_MESSAGE_STREAM_TRANSACTIONAL",
        "outbound",
        "outbound",
        "Postmark stream of security and transactional letters.",
    ),
    variable(
        "EMAIL_MESSAGE_STREAM_MARKETING",
        "broadcast",
        "broadcast",
        "Postmark stream of product and marketing letters.",
    ),
    variable(
        "EMAIL_RATE_PER_SECOND",
        "resend 10, postmark 10, smtp 0, console 0",
        "10",
        "API requests (smtp: letters) a second for the whole fleet of sidecars; lowered by what 429s and rate headers say; 0 = unlimited.",
    ),
    variable(
        "EMAIL_BATCH_SIZE",
        "the provider's maximum: resend 100, postmark 500, smtp 1, console 100",
        "50",
        "Most messages in one API request.",
    ),
    variable(
        "EMAIL_CONCURRENCY",
        "4",
        "4",
        "API requests (smtp: connections) in flight, 1 to 64.",
    ),
    variable(
        "EMAIL_LEASE_SECONDS",
        "60",
        "60",
        "How long a claim holds without renewal, 1 to 3600: what a crashed sidecar held is taken up by another after it.",
    ),
    variable(
        "EMAIL_TIMEOUT_SECONDS",
        "10",
        "10",
        "One provider request, whole, 1 to 300; database statements have a limit of their own derived from it. smtp: each step of \
         the dialogue, and ten times as long for the answer to the final dot.",
    ),
    variable(
        "EMAIL_RECONCILE_SECONDS",
        "600",
        "600",
        "How long a Postmark search may find nothing before a message of unknown outcome counts as not accepted, 0 to 86400.",
    ),
    variable(
        "EMAIL_POLL_SECONDS",
        "5",
        "5",
        "Backstop that always runs, 1 to 3600; otherwise the sidecar sleeps until a notification or the next due row.",
    ),
    variable(
        "FRONTEND_URL",
        "http://localhost:3000",
        "https://app.example.com",
        "Where the letters' buttons point.",
    ),
    variable(
        "EMAIL_CTA_DASHBOARD_PATH",
        "/dashboard",
        "/dashboard",
        "Path of the dashboard below FRONTEND_URL.",
    ),
    variable(
        "EMAIL_CTA_PRICING_PATH",
        "/pricing",
        "/pricing",
        "Path of the prices below FRONTEND_URL.",
    ),
    variable(
        "EMAIL_CTA_ONBOARDING_PATH",
        "/dashboard/projects/new",
        "/dashboard/projects/new",
        "Path of the first step of a new user below FRONTEND_URL.",
    ),
    variable(
        "EMAIL_SUPPORT_ADDRESS",
        "the address of EMAIL_REPLY_TO",
        "support@example.com",
        "Shown in every footer, and where a button leads when the application has no page for what the letter asks.",
    ),
    variable(
        "EMAIL_REVIEW_URL",
        "none; required if E-ADV-02 is enabled",
        "https://reviews.example.com/seqpulse",
        "Where a promoter is asked to write.",
    ),
    variable(
        "PUBLIC_URL",
        "required unless console",
        "https://mail.example.com",
        "Where the world reaches this sidecar's HTTP (unsubscribe, preferences, survey, answers, webhooks): https, or loopback for trying out.",
    ),
    variable(
        "HTTP_LISTEN",
        "127.0.0.1:8025",
        "0.0.0.0:8025",
        "Address and port of the HTTP server; off disables it.",
    ),
    variable(
        "EMAIL_WEBHOOK_SECRET",
        "none: webhooks answer 503, so that the provider tries again",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "Resend: the endpoint's signing secret (whsec_ and base64). Postmark: user:password of the webhook URL.",
    ),
    variable(
        "EMAIL_POSTAL_ADDRESS",
        "required when a product or marketing type is enabled and the provider really sends",
        "SEQPULSE SAS, 1 rue de la Paix, 75002 Paris, France",
        "Legal footer of product and marketing letters, on one line.",
    ),
    shared(
        "LOG_FORMAT",
        "text",
        "json",
        "text for people, json for machines (one object a line).",
    ),
    shared(
        "RUST_LOG",
        "info",
        "info,seqpulse_mailer=debug",
        "What is logged, in the syntax of tracing-subscriber's EnvFilter.",
    ),
    variable(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "none: no traces",
        "http://127.0.0.1:4318",
        "Where traces of deliveries go: the base URL of an OpenTelemetry collector that takes OTLP over HTTP; /v1/traces is appended.",
    ),
    variable(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "OTEL_EXPORTER_OTLP_ENDPOINT and /v1/traces",
        "http://127.0.0.1:4318/v1/traces",
        "The same as a whole URL, for traces only.",
    ),
    variable(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "none",
        "authorization=Bearer%20xxxxxxxx",
        "Sent with every export: name=value, several separated by commas, percent-encoded. Never logged.",
    ),
    variable(
        "OTEL_SERVICE_NAME",
        "seqpulse-mailer",
        "seqpulse-mailer",
        "service.name of every span. OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG work as everywhere.",
    ),
];

/// The row of [`VARIABLES`] with this name.
///
/// # Panics
/// When there is none: every name that is read is in the table, which a test checks.
pub(super) fn find(name: &str) -> &'static Variable {
    VARIABLES
        .iter()
        .find(|variable| variable.name == name)
        .unwrap_or_else(|| panic!("{name} is not in VARIABLES"))
}

/// The part of `run --help` that lists the environment.
pub fn run_help() -> String {
    help(|_| true)
}

/// The part of `migrate --help` that lists the environment.
pub fn migrate_help() -> String {
    help(|variable| variable.migrate)
}

fn help(wanted: impl Fn(&Variable) -> bool) -> String {
    let mut text = String::from("Environment (an empty value counts as not set):\n");
    for variable in VARIABLES.iter().filter(|variable| wanted(variable)) {
        let Variable {
            name,
            default,
            meaning,
            example,
            ..
        } = variable;
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n  {name}  [{default}]\n      {meaning}\n      e.g. {name}={}\n",
            quoted(example)
        );
    }
    text
}

/// As a shell takes it: quoted only where a shell would need it.
pub(super) fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+=,".contains(c);
    if value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{value}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_row_is_complete() {
        for (at, variable) in VARIABLES.iter().enumerate() {
            assert!(
                VARIABLES[..at]
                    .iter()
                    .all(|other| other.name != variable.name),
                "{} twice",
                variable.name
            );
            for text in [variable.default, variable.meaning, variable.example] {
                assert!(
                    !text.is_empty() && !text.contains("  ") && !text.contains('\n'),
                    "{}: {text:?}",
                    variable.name
                );
            }
        }
    }

    #[test]
    fn the_documentation_has_the_same_table() {
        let expected: Vec<String> = VARIABLES.iter().map(row).collect();
        let document = include_str!("../../docs/configuration.md");
        let found: Vec<&str> = document
            .lines()
            .filter(|line| line.starts_with("| `"))
            .collect();
        assert_eq!(
            found,
            expected,
            "docs/configuration.md should have these rows:\n{}",
            expected.join("\n")
        );
    }

    fn row(variable: &Variable) -> String {
        let Variable {
            name,
            default,
            meaning,
            example,
            ..
        } = variable;
        format!("| `{name}` | {default} | {meaning} | `{example}` |")
    }

    #[test]
    fn help_lists_each_variable_with_an_example() {
        let text = run_help();
        for variable in VARIABLES {
            assert!(
                text.contains(&format!("  {}  [", variable.name)),
                "{} is missing",
                variable.name
            );
        }
        assert!(text.contains("e.g. EMAIL_FROM='SEQPULSE <hello@mail.example.com>'"));
        assert!(migrate_help().contains("DATABASE_URL"));
        assert!(!migrate_help().contains("EMAIL_API_KEY"));
    }
}
