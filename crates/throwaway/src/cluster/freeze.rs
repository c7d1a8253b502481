//! Freezing and thawing the whole server.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::error::ClusterError;
use super::server::Cluster;

impl Cluster {
    /// Freezes the whole server (SIGSTOP of the postmaster and its children), as a half-open connection looks.
    ///
    /// [`thaw`](Self::thaw) ends it.
    pub fn freeze(&self) -> Result<(), ClusterError> {
        // The postmaster first, so that it starts nobody new while its children are being stopped.
        self.signal_postmaster(Signal::SIGSTOP)?;
        self.signal_children(Signal::SIGSTOP);
        Ok(())
    }

    /// Ends [`freeze`](Self::freeze).
    pub fn thaw(&self) -> Result<(), ClusterError> {
        self.signal_children(Signal::SIGCONT);
        self.signal_postmaster(Signal::SIGCONT)
    }

    fn signal_children(&self, what: Signal) {
        let Some(server) = &self.server else { return };
        let path = format!("/proc/{0}/task/{0}/children", server.id());
        for pid in fs::read_to_string(path)
            .unwrap_or_default()
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
        {
            // A backend may end by itself in between.
            let _gone = kill(Pid::from_raw(pid), what);
        }
    }
}
