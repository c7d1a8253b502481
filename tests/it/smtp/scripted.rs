//! A mail server that misbehaves as it is told, once per fault, and remembers what it was told.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where in the dialogue a fault happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    Greeting,
    Ehlo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// After the server asked for the letter and before it reads it.
    Letter,
    /// After the final dot; the letter is not stored unless the act says so.
    Dot,
    /// RSET and the like.
    Other,
}

/// What happens there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    /// This reply instead of the right one.
    Say(&'static str),
    HangUp,
    /// No answer, and the connection stays open.
    KeepSilent,
    /// At the dot: stores the letter, then hangs up.
    StoreAndHangUp,
}

#[derive(Debug, Default)]
struct Seen {
    faults: VecDeque<(At, Act)>,
    connections: usize,
    commands: Vec<String>,
    letters: Vec<String>,
}

/// Listens on loopback until the test process ends.
#[derive(Debug, Clone)]
pub(crate) struct Scripted {
    port: u16,
    seen: Arc<Mutex<Seen>>,
}

impl Scripted {
    pub(crate) fn start(faults: &[(At, Act)]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let server = Self {
            port: listener.local_addr().expect("bound").port(),
            seen: Arc::default(),
        };
        server.seen().faults = faults.iter().copied().collect();
        let shared = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let server = shared.clone();
                std::thread::spawn(move || {
                    // A client that goes away is part of the tests.
                    let _gone = server.serve(&stream);
                });
            }
        });
        server
    }

    /// One more fault, after those that are still due.
    pub(crate) fn add(&self, at: At, act: Act) {
        self.seen().faults.push_back((at, act));
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn letters(&self) -> Vec<String> {
        self.seen().letters.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen().connections
    }

    pub(crate) fn count(&self, command: &str) -> usize {
        let seen = self.seen();
        let same = |line: &&String| line.to_uppercase().starts_with(command);
        seen.commands.iter().filter(same).count()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault that is due at this point, if the next one is for here.
    fn due(&self, at: At) -> Option<Act> {
        let mut seen = self.seen();
        match seen.faults.front() {
            Some((point, act)) if *point == at => {
                let act = *act;
                seen.faults.pop_front();
                Some(act)
            }
            _ => None,
        }
    }

    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        self.seen().connections += 1;
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut out = stream;
        // Answers, or tells that this connection is over.
        let mut say = |at: At, usual: &str| -> std::io::Result<bool> {
            match self.due(at) {
                None => {
                    out.write_all(format!("{usual}\r\n").as_bytes())?;
                    Ok(true)
                }
                Some(Act::Say(reply)) => {
                    out.write_all(format!("{reply}\r\n").as_bytes())?;
                    Ok(!reply.starts_with("421"))
                }
                Some(Act::HangUp | Act::StoreAndHangUp) => Ok(false),
                Some(Act::KeepSilent) => Ok(true),
            }
        };
        if !say(At::Greeting, "220 mail.seqpulse.test ESMTP")? {
            return Ok(());
        }
        let mut line = String::new();
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let command = line.trim_end().to_owned();
            self.seen().commands.push(command.clone());
            let verb = command.split(' ').next().unwrap_or_default().to_uppercase();
            let goes_on = match verb.as_str() {
                "EHLO" => say(At::Ehlo, "250-mail.seqpulse.test\r\n250 AUTH PLAIN")?,
                "STARTTLS" => say(At::StartTls, "454 4.7.0 not now")?,
                "AUTH" => say(At::Auth, "235 2.7.0 welcome")?,
                "MAIL" => say(At::Mail, "250 2.1.0 ok")?,
                "RCPT" => say(At::Rcpt, "250 2.1.5 ok")?,
                "DATA" => {
                    let before = self.seen().faults.len();
                    if !say(At::Data, "354 go ahead")? {
                        return Ok(());
                    }
                    if self.seen().faults.len() < before {
                        continue;
                    }
                    if self.due(At::Letter).is_some() {
                        return Ok(());
                    }
                    let letter = read_letter(&mut reader)?;
                    let refused = matches!(
                        self.seen().faults.front(),
                        Some((At::Dot, act)) if !matches!(act, Act::StoreAndHangUp)
                    );
                    if !refused {
                        self.seen().letters.push(letter);
                    }
                    say(At::Dot, "250 2.0.0 stored as 1")?
                }
                "QUIT" => return Ok(()),
                _ => say(At::Other, "250 2.0.0 ok")?,
            };
            if !goes_on {
                return Ok(());
            }
        }
    }
}

/// Up to the dot, without dot-stuffing.
fn read_letter(reader: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut letter = String::new();
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == ".\r\n" {
            return Ok(letter);
        }
        letter.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
