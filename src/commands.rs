//! What the commands do: settings, then the module that does the work.

use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use pgconnect::connect;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

#[cfg(feature = "demo")]
use crate::cli::DemoArgs;
#[cfg(feature = "sandbox")]
use crate::cli::SandboxArgs;
use crate::cli::{MigrateArgs, PreviewArgs};
use crate::config::{self, Config, ConfigErrors, LogConfig, LogFormat, MigrateConfig};
use crate::db::version;
use crate::http::{self, HttpState};
use crate::migrate::{self as migrations, Finding};
use crate::vitals::Vitals;
use crate::{provider, worker};

/// What `enabled_needs.sql` asks.
const ENABLED_NEEDS: &str = include_str!("db/sql/enabled_needs.sql");
/// The longest pause between two attempts to reach the database at start.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Why a command failed, which decides the exit code.
#[derive(Debug)]
pub enum Failure {
    /// The environment or the usage is wrong: exit 2.
    Settings(String),
    /// Anything else: exit 1.
    Other(anyhow::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(text) => f.write_str(text),
            Self::Other(error) => write!(f, "{error:#}"),
        }
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self::Settings(errors.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

/// `migrate` and `migrate --check`.
pub async fn migrate(args: MigrateArgs) -> Result<ExitCode, Failure> {
    let config = MigrateConfig::read(&config::environment)?;
    start_logging(&config.log);
    if args.check {
        let findings = migrations::check(&config)
            .await
            .map_err(anyhow::Error::from)?;
        for finding in &findings {
            let pending = matches!(finding, Finding::Migration(_) | Finding::File(_));
            say!("{}{finding}", if pending { "pending  " } else { "" });
        }
        if findings.iter().any(Finding::counts) {
            return Ok(ExitCode::from(3));
        }
        say!("nothing pending, nothing drifted");
        return Ok(ExitCode::SUCCESS);
    }
    let did = migrations::migrate(&config, |finding| {
        let applied = matches!(finding, Finding::Migration(_) | Finding::File(_));
        say!("{}{finding}", if applied { "applied  " } else { "" });
    });
    if !did.await.map_err(anyhow::Error::from)? {
        say!("nothing to do: everything is applied");
    }
    Ok(ExitCode::SUCCESS)
}

/// `run`: the sidecar, until SIGTERM or Ctrl-C; a second one leaves at once.
pub async fn run() -> Result<ExitCode, Failure> {
    let config = Config::read(&config::environment)?;
    start_logging(&config.log);
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let stop = stop_signal()?;
    tokio::pin!(stop);
    tokio::select! {
        ready = wait_for_database(&config) => ready?,
        () = &mut stop => return Ok(ExitCode::SUCCESS),
    }
    let provider = provider::from_config(config.provider_kind, &config.provider)
        .map_err(|error| Failure::Settings(error.to_string()))?;
    let vitals = Arc::new(Vitals::new(config.poll));
    let stop_serving = CancellationToken::new();
    let server = match config.http_listen {
        None => None,
        Some(address) => {
            let server = http::Server::bind(address).await.map_err(|error| {
                Failure::Settings(format!(
                    "HTTP_LISTEN: {error}; for example HTTP_LISTEN=127.0.0.1:8025, or off"
                ))
            })?;
            let router = http::router(HttpState {
                vitals: Arc::clone(&vitals),
                backend: Arc::new(
                    http::Backend::new(&config, &vitals).map_err(anyhow::Error::from)?,
                ),
            });
            tracing::info!(address = %server.address(), "serving HTTP");
            Some(tokio::spawn(
                server.serve(router, stop_serving.clone().cancelled_owned()),
            ))
        }
    };
    let outcome = worker::run(config, provider, vitals, stop).await;
    stop_serving.cancel();
    if let Some(server) = server {
        server.await.context("the HTTP server ended badly")?;
    }
    outcome.map_err(anyhow::Error::from)?;
    Ok(ExitCode::SUCCESS)
}

/// `doctor`: one line per check, exit 1 when one fails.
pub async fn doctor() -> Result<ExitCode, Failure> {
    let config = Config::read(&config::environment)?;
    let healthy = crate::doctor::examine(&config).await;
    Ok(if healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// `preview`.
pub fn preview(args: &PreviewArgs) -> Result<ExitCode, Failure> {
    let letters = letters::preview::run(&args.codes, &args.out).map_err(anyhow::Error::from)?;
    say!(
        "{letters} letters; open {}",
        args.out.join("index.html").display()
    );
    Ok(ExitCode::SUCCESS)
}

/// `sandbox`: until Ctrl-C.
#[cfg(feature = "sandbox")]
pub async fn sandbox(args: SandboxArgs) -> Result<ExitCode, Failure> {
    start_logging(&LogConfig::read(&config::environment)?);
    let options = standin::SandboxOptions {
        listen: args.listen,
        settings: standin::settings::Settings {
            webhook_url: args.webhook_url,
            webhook_secret: args.webhook_secret,
            ..Default::default()
        },
        ..standin::SandboxOptions::default()
    };
    standin::run(options, stop_signal()?)
        .await
        .context(format!("cannot listen on {}", args.listen))?;
    Ok(ExitCode::SUCCESS)
}

/// `demo`: until Ctrl-C, or until done with `--exit`.
#[cfg(feature = "demo")]
pub async fn demo(args: DemoArgs) -> Result<ExitCode, Failure> {
    let complete = demo::run(args.exit, stop_signal()?)
        .await
        .map_err(anyhow::Error::from)?;
    Ok(if complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Waits for a database that is away, and refuses one this binary must not work on.
async fn wait_for_database(config: &Config) -> Result<(), Failure> {
    let mut pause = Duration::from_millis(500);
    let client = loop {
        match connect::connect(&config.database).await {
            Ok((client, connection)) => {
                tokio::spawn(connection);
                break client;
            }
            Err(error) if !error.is_transient() => return Err(anyhow::Error::from(error).into()),
            Err(error) => {
                tracing::warn!(retry_in_ms = pause.as_millis(), "{error}");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    };
    version::check(&client, migrations::newest_version())
        .await
        .map_err(anyhow::Error::from)?;
    if !config.provider_kind.really_sends() {
        return Ok(());
    }
    let needs = client
        .query_typed_one(ENABLED_NEEDS, &[])
        .await
        .context("cannot read email_types")?;
    let legal: Option<Vec<String>> = needs.get("postal_address");
    if let (None, Some(codes)) = (&config.site.postal_address, legal) {
        return Err(Failure::Settings(format!(
            "EMAIL_POSTAL_ADDRESS is missing: the footer of {} needs it by law; for example EMAIL_POSTAL_ADDRESS=\"SEQPULSE SAS, 12 rue de la Paix, 75002 Paris\" (or disable these types)",
            codes.join(", ")
        )));
    }
    if config.site.review_url.is_none() && needs.get::<_, Option<bool>>("review_url") == Some(true)
    {
        return Err(Failure::Settings(
            "EMAIL_REVIEW_URL is missing: E-ADV-02 asks promoters to write there; for example EMAIL_REVIEW_URL=https://www.g2.com/products/seqpulse/reviews (or disable E-ADV-02)".into(),
        ));
    }
    Ok(())
}

/// Resolves at the first SIGTERM or SIGINT; the second one ends the process.
fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
    let (told, stop) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut told = Some(told);
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            match told.take() {
                Some(told) => drop(told.send(())),
                None => std::process::exit(1),
            }
        }
    });
    Ok(async move { drop(stop.await) })
}

/// Lines go to standard error; standard output belongs to the console provider and to what commands print.
fn start_logging(log: &LogConfig) {
    // `migrate` prints each migration itself.
    let quiet = "refinery_core=warn".parse().expect("a valid directive");
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&log.filter).add_directive(quiet))
        .with_writer(std::io::stderr)
        .with_target(false);
    match log.format {
        LogFormat::Text => subscriber
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .init(),
        LogFormat::Json => subscriber.json().init(),
    }
}
