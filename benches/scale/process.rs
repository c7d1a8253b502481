//! Child processes and what they used, from `/proc`.

use std::ffi::OsString;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, SysconfVar, sysconf};
use throwaway::leash::Leash;

/// The program that is measured: the one people run (`make bench` names it), or else the one built beside this benchmark, which
/// is linked without looking across crates.
pub(crate) fn binary() -> OsString {
    std::env::var_os("BENCH_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_seqpulse-mailer").into())
}

/// The sum of two times of a `/proc/PID/stat`: the fields so many after the command's name, which may hold spaces and ends with
/// the last parenthesis.
pub(crate) fn ticks(stat: &str, after_name: usize) -> anyhow::Result<Duration> {
    let after = stat.rsplit_once(')').context("/proc/PID/stat")?.1;
    let ticks: u64 = after
        .split_whitespace()
        .skip(after_name)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    let hertz = sysconf(SysconfVar::CLK_TCK)?.context("clock ticks per second")?;
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    Ok(Duration::from_secs_f64(ticks as f64 / hertz as f64))
}

/// A child that ends with this value.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts it on the leash, with nothing of this process's environment.
    pub(crate) fn start(leash: &Leash, command: &mut Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::null());
        let child = leash
            .attach(command)
            .spawn()
            .context("a child does not start")?;
        Ok(Self { child })
    }

    /// The `run` of the binary, with the settings every measurement shares and these.
    pub(crate) fn sidecar(
        leash: &Leash,
        database: &str,
        provider: &str,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(binary());
        command.arg("run").env_clear().envs([
            ("DATABASE_URL", database),
            ("EMAIL_PROVIDER", "resend"),
            ("EMAIL_PROVIDER_URL", provider),
            ("EMAIL_API_KEY", "re_bench"),
            ("EMAIL_FROM", "SEQPULSE <bonjour@mail.seqpulse.test>"),
            ("EMAIL_RATE_PER_SECOND", "0"),
            (
                "EMAIL_POSTAL_ADDRESS",
                "SEQPULSE SAS, 1 rue de la Paix, 75002 Paris",
            ),
            ("EMAIL_REVIEW_URL", "https://reviews.example.com/seqpulse"),
            ("PUBLIC_URL", "http://127.0.0.1:8025"),
            ("HTTP_LISTEN", "off"),
            ("RUST_LOG", "warn"),
        ]);
        command.envs(settings.iter().copied());
        Self::start(leash, &mut command)
    }

    /// Processor time since its start, all threads.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        // utime and stime.
        ticks(&self.read("stat")?, 11)
    }

    /// Memory in use, and the most there ever was, in MiB.
    pub(crate) fn memory(&self) -> anyhow::Result<(f64, f64)> {
        let status = self.read("status")?;
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok())
                .map(|kib| kib / 1024.0)
                .with_context(|| format!("{name} in /proc/PID/status"))
        };
        Ok((field("VmRSS:")?, field("VmHWM:")?))
    }

    /// How many threads it has.
    pub(crate) fn threads(&self) -> anyhow::Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/task", self.child.id()))?.count())
    }

    /// SIGTERM, then waits.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?);
        kill(pid, Signal::SIGTERM)?;
        let status = self.child.wait()?;
        anyhow::ensure!(status.success(), "a sidecar ended with {status}");
        Ok(())
    }

    fn read(&self, file: &str) -> anyhow::Result<String> {
        Ok(fs::read_to_string(format!(
            "/proc/{}/{file}",
            self.child.id()
        ))?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails when it has ended already, which is fine.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
