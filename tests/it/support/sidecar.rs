//! The real binary as a child process, as an operator runs it.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread::JoinHandle;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use throwaway::leash::Leash;

use super::database::{BINARY, TestDb};
use super::wait::wait_for;

/// Ends the children of this test run with it, also when it is killed.
static LEASH: LazyLock<Leash> = LazyLock::new(|| Leash::new().expect("a shell"));

/// A running `seqpulse-mailer`; killed when dropped.
#[derive(Debug)]
pub(crate) struct Sidecar {
    child: Child,
    log: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Sidecar {
    /// Settings of a `run` against `db` that sends to a provider at `provider_url`; add or replace with
    /// [`SidecarBuilder::env`].
    pub(crate) fn builder(db: &TestDb, provider: &str, provider_url: &str) -> SidecarBuilder {
        Self::builder_at(db.url(), provider, provider_url)
    }

    /// As [`Sidecar::builder`], against the database at this address.
    pub(crate) fn builder_at(url: &str, provider: &str, provider_url: &str) -> SidecarBuilder {
        let env = [
            ("DATABASE_URL", url),
            ("EMAIL_PROVIDER", provider),
            ("EMAIL_PROVIDER_URL", provider_url),
            ("EMAIL_API_KEY", "re_test_key_000000000000"),
            ("EMAIL_FROM", "SeqPulse <bonjour@mail.seqpulse.test>"),
            ("EMAIL_REPLY_TO", "support@seqpulse.test"),
            ("EMAIL_RATE_PER_SECOND", "0"),
            (
                "EMAIL_POSTAL_ADDRESS",
                "SeqPulse SAS, 1 rue de la Paix, 75002 Paris",
            ),
            ("EMAIL_REVIEW_URL", "https://avis.example/seqpulse"),
            ("PUBLIC_URL", "http://127.0.0.1:8025"),
            ("HTTP_LISTEN", "off"),
            ("RUST_LOG", "info,seqpulse_mailer=debug"),
        ];
        SidecarBuilder {
            args: vec!["run".to_owned()],
            env: env
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        }
    }

    /// A `run` with those settings that has registered itself in `email_workers`.
    pub(crate) async fn start(db: &TestDb, provider: &str, provider_url: &str) -> Self {
        let before: i64 = db
            .value("select count(*) from public.email_workers", &[])
            .await;
        let sidecar = Self::builder(db, provider, provider_url).spawn();
        wait_for("the sidecar to register itself", async || {
            sidecar.log.lock().is_ok()
                && db
                    .value::<i64>("select count(*) from public.email_workers", &[])
                    .await
                    > before
        })
        .await;
        sidecar
    }

    /// Process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a process id fits i32"))
    }

    /// What it has printed so far, both streams.
    pub(crate) fn log(&self) -> String {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Polls until the log contains `text`.
    pub(crate) async fn wait_for_log(&self, text: &str) {
        wait_for(text, async || self.log().contains(text)).await;
    }

    /// Sends a signal, such as SIGTERM to drain or SIGSTOP to make it a zombie worker.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the sidecar is running");
    }

    /// SIGTERM, then waits: the orderly end.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait_exit().await
    }

    /// Whether it has ended, by itself or by a signal.
    pub(crate) fn has_ended(&mut self) -> bool {
        let status = self.child.try_wait().expect("a child can be waited for");
        status.is_some()
    }

    /// SIGKILL, then waits: nothing is drained. Nothing happens to one that has ended already.
    pub(crate) async fn kill9(&mut self) {
        self.child.kill().expect("the sidecar can be signalled");
        self.wait_exit().await;
    }

    /// Waits until it ends by itself, and for its last words.
    pub(crate) async fn wait_exit(&mut self) -> ExitStatus {
        let mut status = None;
        wait_for("the process to end", async || {
            status = self.child.try_wait().expect("a child can be waited for");
            status.is_some()
        })
        .await;
        for reader in self.readers.drain(..) {
            reader.join().expect("the log reader does not panic");
        }
        status.expect("it has ended")
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // Fails when it has ended already, which is fine.
        let _ended = self.child.kill();
        let _status = self.child.wait();
        if std::thread::panicking() {
            eprintln!(
                "--- log of seqpulse-mailer ({})\n{}---",
                self.child.id(),
                self.log()
            );
        }
    }
}

/// Arguments and environment of a child; nothing else of this process's environment reaches it.
#[derive(Debug, Clone)]
pub(crate) struct SidecarBuilder {
    args: Vec<String>,
    env: Vec<(String, String)>,
}

impl SidecarBuilder {
    /// Any command with an empty environment.
    pub(crate) fn command(args: &[&str]) -> Self {
        Self {
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            env: Vec::new(),
        }
    }

    /// Sets one variable; the last value of a name wins.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Takes one variable away.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.env.retain(|(known, _)| known != name);
        self
    }

    /// Starts it without waiting for anything.
    pub(crate) fn spawn(self) -> Sidecar {
        self.spawn_program(Path::new(BINARY))
    }

    /// The same for another build of the program.
    pub(crate) fn spawn_program(self, program: &Path) -> Sidecar {
        let mut command = Command::new(program);
        command
            .args(&self.args)
            .env_clear()
            .envs(self.env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = LEASH
            .attach(&mut command)
            .spawn()
            .expect("the binary starts");
        let log = Arc::new(Mutex::new(String::new()));
        let readers = vec![
            collect(child.stdout.take().expect("piped"), Arc::clone(&log)),
            collect(child.stderr.take().expect("piped"), Arc::clone(&log)),
        ];
        Sidecar {
            child,
            log,
            readers,
        }
    }

    /// Starts it, waits for its end, and gives the exit status with everything it printed.
    pub(crate) async fn run(self) -> (ExitStatus, String) {
        let mut child = self.spawn();
        let status = child.wait_exit().await;
        (status, child.log())
    }
}

/// Reads a stream line by line into the log until it ends.
fn collect(stream: impl Read + Send + 'static, log: Arc<Mutex<String>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push_str(&line);
            log.push('\n');
        }
    })
}
