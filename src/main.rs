//! The binary: parse, dispatch, exit code.
//!
//! 0 done, 1 failed, 2 wrong usage or settings, 3 `migrate --check` found something to do.

use std::process::ExitCode;

use clap::Parser as _;
use seqpulse_mailer::cli::{Cli, Command};
use seqpulse_mailer::commands::{self, Failure};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("seqpulse-mailer: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        match cli.command {
            Command::Migrate(args) => commands::migrate(args).await,
            Command::Run => commands::run().await,
            Command::Doctor => commands::doctor().await,
            Command::Preview(args) => commands::preview(&args),
            #[cfg(feature = "sandbox")]
            Command::Sandbox(args) => commands::sandbox(args).await,
            #[cfg(feature = "demo")]
            Command::Demo(args) => commands::demo(args).await,
        }
    });
    // A second signal, or a database that hangs, must not keep the process alive.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("seqpulse-mailer: {failure}");
            ExitCode::from(match failure {
                Failure::Settings(_) => 2,
                Failure::Other(_) => 1,
            })
        }
    }
}
