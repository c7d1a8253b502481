//! Exim as Debian packages it, one private process per connection: no daemon, no port of its own, its own configuration,
//! spool and mailbox in a directory of the test. It delivers into that mailbox and can deliver nowhere else.

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

use crate::certificates::Authority;

pub(crate) const PASSWORD: &str = "s3cr3t:/";

/// Where Debian puts it.
const EXIM: &str = "/usr/sbin/exim4";

#[derive(Debug)]
pub(crate) struct Exim {
    directory: Arc<TempDir>,
    /// Whose certificate clients must trust.
    pub(crate) root: PathBuf,
}

impl Exim {
    /// `None` when it is not installed.
    pub(crate) fn new() -> Option<Self> {
        if !Path::new(EXIM).exists() {
            return None;
        }
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        let authority = Authority::new("the mail server's root");
        let identity = authority.issue(&["localhost"]);
        let root = path.join("root.crt");
        let files = [
            ("root.crt", authority.certificate()),
            ("server.crt", identity.certificate),
            ("server.key", identity.key),
            ("exim.conf", configuration(path)),
        ];
        for (name, text) in files {
            fs::write(path.join(name), text).expect("a file");
        }
        if nix::unistd::geteuid().is_root() {
            // Exim gives its privileges up; its configuration must stay root's.
            shell("chown", &["-R", "Debian-exim", &path.display().to_string()]);
            shell(
                "chown",
                &["root", &path.join("exim.conf").display().to_string()],
            );
        }
        Some(Self {
            directory: Arc::new(directory),
            root,
        })
    }

    /// A port where every connection gets an Exim; `options` such as `-tls-on-connect`.
    pub(crate) fn listen(&self, options: &'static [&'static str]) -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        // The directory must outlive the processes that work in it.
        let directory = Arc::clone(&self.directory);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let input = OwnedFd::from(stream);
                let output = input.try_clone().expect("a file descriptor");
                let child = Command::new(EXIM)
                    .arg("-C")
                    .arg(directory.path().join("exim.conf"))
                    .args(["-bs", "-odb"])
                    .args(options)
                    .stdin(Stdio::from(input))
                    .stdout(Stdio::from(output))
                    .stderr(Stdio::null())
                    .spawn();
                let mut child = child.expect("exim starts");
                std::thread::spawn(move || child.wait());
            }
        });
        port
    }

    /// The letters that arrived, in no particular order.
    pub(crate) fn mailbox(&self) -> Vec<String> {
        let Ok(files) = fs::read_dir(self.directory.path().join("maildir/new")) else {
            return Vec::new();
        };
        let read = |file: std::io::Result<fs::DirEntry>| {
            // A letter is moved here when it is complete.
            fs::read_to_string(file.ok()?.path()).ok()
        };
        files.filter_map(read).collect()
    }

    /// For the message of a failed assertion.
    pub(crate) fn log(&self) -> String {
        let log = |name| fs::read_to_string(self.directory.path().join(name)).unwrap_or_default();
        log("mainlog") + &log("rejectlog") + &log("paniclog")
    }
}

fn shell(command: &str, arguments: &[&str]) {
    let status = Command::new(command).args(arguments).status();
    assert!(
        status.expect("a command").success(),
        "{command} {arguments:?}"
    );
}

/// Everything with a login is accepted and goes into one mailbox; nothing here can send anything anywhere.
fn configuration(directory: &Path) -> String {
    let user = if nix::unistd::geteuid().is_root() {
        "Debian-exim".to_owned()
    } else {
        nix::unistd::geteuid().to_string()
    };
    let dir = directory.display();
    format!(
        "primary_hostname = mail.seqpulse.test
exim_user = {user}
spool_directory = {dir}/spool
log_file_path = {dir}/%slog
disable_ipv6 = true
smtp_accept_queue_per_connection = 0
host_lookup =
deliver_drop_privilege = true
auth_advertise_hosts = *
tls_advertise_hosts = *
tls_certificate = {dir}/server.crt
tls_privatekey = {dir}/server.key
acl_smtp_rcpt = recipient
acl_smtp_data = letter

begin acl
recipient:
  deny !authenticated = *
       message = 530 5.7.0 log in first
  deny local_parts = nobody
       message = 550 5.1.1 no such mailbox
  defer local_parts = later
       message = 450 4.2.0 mailbox busy
  accept
letter:
  deny condition = ${{if match{{$h_subject:}}{{viagra}}}}
       message = 550 5.7.1 spam
  accept

begin routers
everything:
  driver = accept
  transport = mailbox

begin transports
mailbox:
  driver = appendfile
  directory = {dir}/maildir
  create_directory
  maildir_format
  user = {user}
  envelope_to_add
  return_path_add

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{lea@seqpulse.test}}}}{{eq{{$auth3}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth2
"
    )
}
