//! What a mail server's reply, or its absence, means at each step of the dialogue (docs/providers.md#outcomes, column SMTP).

use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use lettre::transport::smtp::Error;

use crate::provider::{ErrorKind, Status};

/// How far the dialogue got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// TCP, TLS, the greeting, EHLO, STARTTLS.
    Connect,
    Login,
    /// MAIL FROM: the sender.
    Mail,
    /// RCPT TO: the recipient.
    Rcpt,
    Data,
    /// The letter, up to the final dot: a server that did not see the dot has nothing.
    Letter,
    /// The dot was, or may have been, written: the reply decides, and without it nobody knows.
    Answer,
    /// RSET, after a refusal.
    Reset,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Login => "AUTH",
            Self::Mail => "MAIL FROM",
            Self::Rcpt => "RCPT TO",
            Self::Data => "DATA",
            Self::Letter => "the letter",
            Self::Answer => "the final dot",
            Self::Reset => "RSET",
        })
    }
}

/// What went wrong at a step.
#[derive(Debug)]
pub(super) struct Failure {
    step: Step,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    /// A negative reply: code, and the server's words without it.
    Refused(u16, String),
    /// No reply in time.
    Silence(Duration),
    /// The server's certificate does not prove who it is.
    Certificate(String),
    /// What we ask for is not offered: STARTTLS, a login mechanism.
    NotOffered(String),
    /// An address outside ASCII, and a server without SMTPUTF8.
    Address,
    /// Network, TLS, nonsense instead of a reply.
    Broken(String),
}

/// A step with a time limit: lettre's own covers only connecting.
pub(super) async fn within<T>(
    step: Step,
    limit: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(limit, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Failure::new(step, &error)),
        Err(_) => Err(Failure {
            step,
            cause: Cause::Silence(limit),
        }),
    }
}

impl Failure {
    fn new(step: Step, error: &Error) -> Self {
        let words = error
            .source()
            .map_or_else(|| error.to_string(), ToString::to_string);
        let cause = if let Some(code) = error.status() {
            Cause::Refused(code.into(), words)
        } else if certificate_refused(error) {
            Cause::Certificate(words)
        } else if error.is_client() {
            Cause::NotOffered(words)
        } else {
            Cause::Broken(words)
        };
        Self { step, cause }
    }

    pub(super) fn unsupported_address() -> Self {
        Self {
            step: Step::Rcpt,
            cause: Cause::Address,
        }
    }

    /// The same failure, known to have come earlier.
    pub(super) fn at(self, step: Step) -> Self {
        Self { step, ..self }
    }

    /// The connection is gone and no letter was begun on it.
    pub(super) fn closed_before_the_letter(&self) -> bool {
        matches!(self.step, Step::Mail | Step::Rcpt | Step::Data)
            && matches!(self.cause, Cause::Broken(_) | Cause::Refused(421, _))
    }

    /// The server said no to this letter, and goes on listening.
    pub(super) fn leaves_the_connection_usable(&self) -> bool {
        matches!(
            self.step,
            Step::Mail | Step::Rcpt | Step::Data | Step::Answer
        ) && matches!(self.cause, Cause::Refused(code, _) if code != 421)
            || matches!(self.cause, Cause::Address)
    }

    /// For metrics and traces.
    pub(super) fn status(&self) -> Status {
        match &self.cause {
            Cause::Refused(code, _) => Status::Reply(*code),
            Cause::Silence(_) | Cause::Broken(_) if self.step == Step::Connect => Status::Connect,
            Cause::Silence(_) => Status::Timeout,
            Cause::Broken(_) => Status::Broken,
            Cause::Certificate(_) => Status::Certificate,
            Cause::NotOffered(_) | Cause::Address => Status::Unsent,
        }
    }

    /// `patience`: how long to leave the server alone when it may still be storing the letter.
    pub(super) fn kind(&self, patience: Duration) -> ErrorKind {
        let transient = |counts| ErrorKind::transient(counts, None);
        match &self.cause {
            Cause::Refused(code, words) => refused(self.step, *code, enhanced(words)),
            Cause::Certificate(_) | Cause::NotOffered(_) => ErrorKind::SenderWide { until: None },
            Cause::Address => ErrorKind::Permanent,
            // Attempts are counted, so that a server which always hangs up here gets a letter a few times, not for ever.
            Cause::Silence(_) | Cause::Broken(_) if self.step == Step::Answer => {
                ErrorKind::unknown(true, Some(patience))
            }
            Cause::Silence(_) | Cause::Broken(_) => transient(self.step == Step::Letter),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.step;
        match &self.cause {
            Cause::Refused(code, words) => write!(f, "{code} to {step}: {words}"),
            Cause::Silence(limit) => write!(f, "no answer to {step} within {limit:?}"),
            Cause::Certificate(why) => write!(
                f,
                "the mail server's certificate is not trusted: {why}; check EMAIL_PROVIDER_URL"
            ),
            Cause::NotOffered(why) => write!(f, "{step}: {why}; check EMAIL_PROVIDER_URL"),
            Cause::Address => {
                f.write_str("the address is not ASCII and the mail server has no SMTPUTF8")
            }
            Cause::Broken(why) => write!(f, "the connection failed at {step}: {why}"),
        }
    }
}

/// A negative reply. The step says whom it concerns: up to MAIL FROM every letter would get the same one.
fn refused(step: Step, code: u16, enhanced: Option<(u16, u16, u16)>) -> ErrorKind {
    let sender_wide = ErrorKind::SenderWide { until: None };
    match (code, enhanced) {
        // Closing, TLS or login out of order for the moment, too fast, greylisted: not a failure of this letter.
        (421 | 454, _) | (400..=499, Some((_, 7, _))) => ErrorKind::transient(false, None),
        (400..=499, _) => {
            let counts = !matches!(step, Step::Connect | Step::Login | Step::Mail);
            ErrorKind::transient(counts, None)
        }
        // Log in first; wrong password; weak mechanism; encrypt first. Or the sender's own address.
        (530 | 534 | 535 | 538, _) | (_, Some((5, 1, 7 | 8))) => sender_wide,
        // Too large, or an address the server cannot carry.
        (552, _) | (_, Some((5, 3, 4) | (5, 6, 7))) => ErrorKind::Permanent,
        _ if matches!(step, Step::Connect | Step::Login | Step::Mail) => sender_wide,
        // No such mailbox, no such domain, not an address, moved away, takes no mail at all.
        (_, Some((5, 1, 1 | 2 | 3 | 6 | 10))) => ErrorKind::Address,
        _ => ErrorKind::Permanent,
    }
}

/// The enhanced status code (RFC 3463) at the start of a reply's words.
fn enhanced(words: &str) -> Option<(u16, u16, u16)> {
    let mut parts = words.split_whitespace().next()?.split('.');
    let mut number = || parts.next()?.parse().ok();
    let code = (number()?, number()?, number()?);
    (matches!(code.0, 2 | 4 | 5) && parts.next().is_none()).then_some(code)
}

/// Whether TLS failed because of the certificate, which waiting does not heal.
fn certificate_refused(error: &Error) -> bool {
    let mut cause = error.source();
    while let Some(current) = cause {
        if let Some(rustls::Error::InvalidCertificate(_)) = current.downcast_ref() {
            return true;
        }
        // An `io::Error` does not name what it wraps as its source: it stands in for it.
        cause = match current
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            Some(wrapped) => Some(wrapped),
            None => current.source(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: ErrorKind = ErrorKind::SenderWide { until: None };
    const LATER: ErrorKind = ErrorKind::transient(false, None);
    const ATTEMPT: ErrorKind = ErrorKind::transient(true, None);

    #[test]
    fn replies_mean_what_the_table_says() {
        for (step, code, words, expected) in [
            (Step::Connect, 421, "4.3.2 shutting down", LATER),
            (Step::Connect, 554, "no SMTP service here", PAUSE),
            (Step::Login, 535, "5.7.8 wrong", PAUSE),
            (Step::Login, 454, "4.7.0 try later", LATER),
            (Step::Mail, 530, "5.7.0 authenticate first", PAUSE),
            (Step::Mail, 550, "5.7.1 sender rejected", PAUSE),
            (Step::Mail, 451, "4.3.0 queue full", LATER),
            (Step::Mail, 552, "5.3.4 too big", ErrorKind::Permanent),
            (Step::Rcpt, 450, "4.7.1 greylisted", LATER),
            (Step::Rcpt, 450, "4.2.1 busy", ATTEMPT),
            (Step::Rcpt, 452, "too many", ATTEMPT),
            (Step::Rcpt, 550, "5.1.1 who?", ErrorKind::Address),
            (Step::Rcpt, 550, "5.1.10 null MX", ErrorKind::Address),
            (Step::Rcpt, 553, "5.1.8 your domain has no MX", PAUSE),
            (Step::Rcpt, 550, "unrouteable", ErrorKind::Permanent),
            (Step::Rcpt, 552, "5.2.2 full", ErrorKind::Permanent),
            (Step::Rcpt, 554, "5.7.1 relaying", ErrorKind::Permanent),
            (Step::Data, 554, "no", ErrorKind::Permanent),
            (Step::Answer, 451, "4.3.0 disk full", ATTEMPT),
            (Step::Answer, 550, "5.7.1 spam", ErrorKind::Permanent),
            (Step::Answer, 550, "5.1.1 after all", ErrorKind::Address),
        ] {
            let failure = Failure {
                step,
                cause: Cause::Refused(code, words.to_owned()),
            };
            assert_eq!(
                failure.kind(Duration::ZERO),
                expected,
                "{code} {words} to {step}"
            );
        }
    }

    #[test]
    fn silence_is_certain_before_the_dot_and_not_after_it() {
        let patience = Duration::from_secs(9);
        let kind = |step| {
            let cause = Cause::Silence(Duration::from_secs(1));
            Failure { step, cause }.kind(patience)
        };
        for step in [Step::Connect, Step::Mail, Step::Rcpt, Step::Data] {
            assert_eq!(kind(step), LATER, "{step}");
        }
        assert_eq!(kind(Step::Letter), ATTEMPT);
        let unknown = ErrorKind::unknown(true, Some(patience));
        assert_eq!(kind(Step::Answer), unknown);
    }

    #[test]
    fn enhanced_codes() {
        assert_eq!(enhanced("5.1.1 <a@b.c>: unknown"), Some((5, 1, 1)));
        for none in ["", "unknown", "5.1 x", "5.1.1.1 x", "10.0.0.1 refused you"] {
            assert_eq!(enhanced(none), None, "{none}");
        }
    }
}
