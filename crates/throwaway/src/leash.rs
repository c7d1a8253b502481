//! Child processes that cannot outlive this one, not even when it is killed.
//!
//! Linux's parent-death signal needs code between fork and exec, which is unsafe in Rust. Instead a small shell script leads
//! a process group and reads from a pipe that only this process holds open: when the pipe closes, for whatever reason, the
//! script ends the group.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Ignores what a terminal or a service manager sends to end its owner: its owner's end is what it waits for. Then ends
/// everybody in its group, itself included.
const KILL: &str = "trap '' HUP INT QUIT TERM; while read -r _; do :; done; kill -KILL 0";

/// The leader of a process group that ends with this value or with this process, whichever comes first.
#[derive(Debug)]
pub struct Leash {
    script: Child,
    /// Its process group, whose leader the script is.
    group: i32,
    /// Never written to. None only while dropping.
    pipe: Option<ChildStdin>,
}

impl Leash {
    /// Kills (SIGKILL) the child when it is dropped: stop a child that needs time to end before.
    pub fn new() -> io::Result<Self> {
        Self::with_script(KILL, &[])
    }

    /// Runs another script with these arguments.
    pub(crate) fn with_script(script: &str, args: &[&OsStr]) -> io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", script, "seqpulse-leash"])
            .args(args)
            .current_dir("/")
            .process_group(0);
        // It must not keep the terminal, or the pipe that this process's output goes to, open.
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut script = command.spawn()?;
        let pipe = script.stdin.take();
        let group = i32::try_from(script.id()).map_err(io::Error::other)?;
        Ok(Self {
            script,
            group,
            pipe,
        })
    }

    /// Puts a command that is about to be spawned on the leash. It also keeps Ctrl-C in a terminal from reaching it: its
    /// owner decides how it ends.
    pub fn attach<'command>(&self, command: &'command mut Command) -> &'command mut Command {
        command.process_group(self.group)
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _status = self.script.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_child_ends_with_its_leash() {
        let leash = Leash::new().expect("a shell");
        let mut command = Command::new("sleep");
        let mut child = leash
            .attach(command.arg("1000"))
            .spawn()
            .expect("sleep runs");
        drop(leash);
        assert_eq!(child.wait().expect("its end").signal(), Some(9));
    }
}
