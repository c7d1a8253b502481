//! Speed and scale, measured with the real binary: `make bench`, and `make bench-full` for the long parts.
//!
//! A Postgres of its own with fsync and `synchronous_commit` on, the sandbox and the sidecars in processes of their own, and
//! in the same run a yardstick: the smallest honest program that does the same without policy, journal and rendering. Every
//! figure is the median of several runs (`--runs`, 3 by default), yardstick and sidecar taking turns.
//!
//! | module | job |
//! |---|---|
//! | [`stage`] | Postgres, the sandbox, the letters to send |
//! | [`process`] | sidecars as child processes: their time, memory and end |
//! | [`yardstick`] | the practical limit |
//! | [`drain`] | how fast a queue is emptied |
//! | [`arrivals`] | from commit to provider, one letter at a time |
//! | [`producers`] | what enqueuing costs the application |
//! | [`rest`] | an idle sidecar, and its start |
//! | [`history`] | ten minutes at a thousand letters a second |
//! | [`table`] | medians and columns |

mod arrivals;
mod drain;
mod history;
mod process;
mod producers;
mod rest;
mod server;
mod stage;
mod table;
mod yardstick;

use std::process::ExitCode;

use stage::Stage;

/// What to measure, and how often.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Of each figure.
    pub(crate) runs: usize,
    /// Letters in a queue that is drained.
    pub(crate) letters: u32,
    /// The long parts too.
    pub(crate) full: bool,
    parts: Vec<String>,
}

impl Options {
    fn read(arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut options = Self {
            runs: 3,
            letters: 20_000,
            full: false,
            parts: Vec::new(),
        };
        for argument in arguments {
            match argument.split_once('=') {
                Some(("--runs", runs)) => options.runs = runs.parse()?,
                Some(("--letters", letters)) => options.letters = letters.parse()?,
                None if argument == "--full" => options.full = true,
                // What cargo adds by itself.
                None if argument == "--bench" => {}
                None if PARTS.contains(&argument.as_str()) => options.parts.push(argument),
                _ => anyhow::bail!(
                    "unknown argument {argument}; known are --full, --runs=N, --letters=N and {}",
                    PARTS.join(", ")
                ),
            }
        }
        Ok(options)
    }

    fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|wanted| wanted == part)
    }
}

/// In the order they are measured.
const PARTS: [&str; 7] = [
    "drain",
    "sidecars",
    "flat",
    "arrivals",
    "rest",
    "producers",
    "history",
];

fn main() -> ExitCode {
    // An error means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads");
    let outcome = runtime.block_on(async {
        if let Some(("--yardstick", plan)) =
            arguments.first().and_then(|first| first.split_once('='))
        {
            return yardstick::child(plan).await;
        }
        let options = Options::read(arguments.into_iter())?;
        measure(&options).await
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let started = std::time::Instant::now();
    let stage = Stage::set(options.letters).await?;
    println!("{}", stage.describe().await?);
    if options.wants("drain") {
        drain::limits(&stage, options).await?;
        drain::ways(&stage, options).await?;
    }
    if options.wants("sidecars") {
        drain::sidecars(&stage, options).await?;
    }
    if options.wants("arrivals") {
        arrivals::measure(&stage, options).await?;
    }
    if options.wants("rest") {
        rest::measure(&stage, options).await?;
    }
    if options.wants("producers") {
        producers::measure(&stage, options).await?;
    }
    // The journal of five million rows stays, so this comes last.
    if options.wants("flat") {
        drain::flat(&stage, options).await?;
    }
    if options.full && options.wants("history") {
        history::measure(&stage).await?;
    }
    println!("\n{:.0} s in all", started.elapsed().as_secs_f64());
    Ok(())
}
