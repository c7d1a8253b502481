//! The command line: what `--help` says. What the commands do is elsewhere.

#[cfg(feature = "sandbox")]
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config;

/// Sends SEQPULSE's lifecycle emails: Postgres decides, this program delivers.
#[derive(Debug, Parser)]
#[command(
    name = "seqpulse-mailer",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done; 1 failed; 2 wrong usage or settings; 3 `migrate --check` found something to do.\n\
                  Try it without a database: seqpulse-mailer demo"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Install or update the tables, functions and triggers in the database
    #[command(
        long_about = "Install or update the tables, functions and triggers in the database.\n\n\
                      Runs the versioned migrations that are missing, then the SQL files that changed since they were \
                      last applied. Safe to repeat: the second run changes nothing. Several at once wait for each \
                      other.",
        after_help = "See --help for the environment variables.",
        after_long_help = config::migrate_help()
    )]
    Migrate(MigrateArgs),

    /// Run the sidecar: wait for work, send it, record it
    #[command(
        long_about = "Run the sidecar: wait for work, send it, record it.\n\n\
                      Keeps no state of its own: it may be killed at any instant, and several may run at once. SIGTERM \
                      and Ctrl-C let what is in flight finish and then exit with 0.",
        after_help = "See --help for the environment variables.",
        after_long_help = config::run_help()
    )]
    Run,

    /// Check an installation, one line per check
    #[command(long_about = "Check an installation, one line per check.\n\n\
                            Reads the same environment as run, changes nothing, and exits with 1 when a check fails.")]
    Doctor,

    /// Render every email with sample data, without a database
    #[command(
        long_about = "Render every email with sample data, without a database.\n\n\
                            Writes index.html, and for each email CODE.html, CODE.txt and CODE.headers."
    )]
    Preview(PreviewArgs),

    #[cfg(feature = "sandbox")]
    /// Stand in for the Resend and Postmark APIs, with an inbox page
    #[command(
        long_about = "Stand in for the Resend and Postmark APIs on loopback, with an inbox page where a person \
                            reads what arrived.\n\n\
                            Point EMAIL_PROVIDER_URL of `run` at it. Nothing leaves this machine."
    )]
    Sandbox(SandboxArgs),

    #[cfg(feature = "demo")]
    /// Show everything at work on a private, throw-away Postgres
    #[command(
        long_about = "Show everything at work on a private, throw-away Postgres.\n\n\
                            Starts a Postgres cluster in a temporary directory, SEQPULSE's schema with sample data, \
                            the sandbox and the sidecar, and prints the address of the inbox. Needs the Postgres \
                            server programs, no settings. Ctrl-C leaves nothing behind."
    )]
    Demo(DemoArgs),
}

/// Arguments of `migrate`.
#[derive(Debug, Clone, Copy, Args)]
pub struct MigrateArgs {
    /// Change nothing: print what is pending or drifted, and exit with 3 when anything is
    #[arg(long)]
    pub check: bool,
}

/// Arguments of `preview`.
#[derive(Debug, Clone, Args)]
pub struct PreviewArgs {
    /// Emails to render, such as E-TRX-01; all of them when none is named
    #[arg(value_name = "CODE")]
    pub codes: Vec<String>,
    /// Directory to write into; created when missing
    #[arg(long, value_name = "DIR", default_value = "preview")]
    pub out: PathBuf,
}

/// Arguments of `sandbox`.
#[cfg(feature = "sandbox")]
#[derive(Debug, Clone, Args)]
pub struct SandboxArgs {
    /// Loopback address and port to listen on; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8026", value_parser = loopback)]
    pub listen: SocketAddr,
    /// Where to report what happens to letters, such as <http://127.0.0.1:8025/webhooks/resend>
    #[arg(long, value_name = "URL", requires = "webhook_secret", value_parser = webhook_url)]
    pub webhook_url: Option<String>,
    /// `EMAIL_WEBHOOK_SECRET` of the receiver: `whsec_…` for Resend's events, `user:password` for Postmark's
    #[arg(long, value_name = "SECRET", requires = "webhook_url", value_parser = webhook_secret)]
    pub webhook_secret: Option<String>,
}

/// Arguments of `demo`.
#[cfg(feature = "demo")]
#[derive(Debug, Clone, Copy, Args)]
pub struct DemoArgs {
    /// Stop when done; exit with 0 only if every email arrived
    #[arg(long)]
    pub exit: bool,
}

/// The sandbox shows letters and takes any key, so it is never offered to the network.
#[cfg(feature = "sandbox")]
fn loopback(value: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = value
        .parse()
        .map_err(|_| "not an address with a port, such as 127.0.0.1:8026".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("the sandbox listens on loopback only".into())
    }
}

#[cfg(feature = "sandbox")]
fn webhook_url(value: &str) -> Result<String, String> {
    if standin::is_on_this_machine(value) {
        Ok(value.to_owned())
    } else {
        Err(
            "not an http address on this machine, such as http://127.0.0.1:8025/webhooks/resend"
                .into(),
        )
    }
}

#[cfg(feature = "sandbox")]
fn webhook_secret(value: &str) -> Result<String, String> {
    if value.starts_with("whsec_") || value.contains(':') {
        Ok(value.to_owned())
    } else {
        Err("neither whsec_… (Resend) nor user:password (Postmark)".into())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use clap::error::ErrorKind;

    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split(' ')).map(|cli| cli.command)
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn commands_that_people_rely_on() {
        assert!(matches!(
            parse("x migrate --check"),
            Ok(Command::Migrate(MigrateArgs { check: true }))
        ));
        assert!(matches!(parse("x run"), Ok(Command::Run)));
        assert!(matches!(parse("x doctor"), Ok(Command::Doctor)));
        assert!(matches!(
            parse("x demo --exit"),
            Ok(Command::Demo(DemoArgs { exit: true }))
        ));
        let Ok(Command::Preview(args)) = parse("x preview E-TRX-01 E-BILL-01 --out d") else {
            panic!("preview")
        };
        assert_eq!((args.codes.len(), args.out), (2, PathBuf::from("d")));
        let Ok(Command::Sandbox(args)) = parse("x sandbox --listen 127.0.0.1:0") else {
            panic!("sandbox")
        };
        assert_eq!(args.listen.port(), 0);
    }

    #[test]
    fn usage_errors_exit_with_2() {
        for line in [
            "x send",
            "x run --fast",
            "x sandbox --listen 0.0.0.0:80",
            "x sandbox --listen 8026",
            "x sandbox --webhook-url http://127.0.0.1:1/webhooks/resend",
            "x sandbox --webhook-url http://example.com/ --webhook-secret u:p",
            "x sandbox --webhook-url http://127.0.0.1:1/ --webhook-secret hunter2",
            "x",
        ] {
            let error = parse(line).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn help_and_version_exit_with_0() {
        assert_eq!(parse("x --version").expect_err("version").exit_code(), 0);
        let help = parse("x run --help").expect_err("help");
        assert_eq!((help.kind(), help.exit_code()), (ErrorKind::DisplayHelp, 0));
        let text = help.to_string();
        for variable in config::VARIABLES {
            assert!(
                text.contains(variable.name),
                "{} is not in run --help",
                variable.name
            );
        }
        assert!(
            parse("x migrate --help")
                .expect_err("help")
                .to_string()
                .contains("DATABASE_URL")
        );
    }
}
