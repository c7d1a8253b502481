//! SMTP: one letter, one transaction with the mail server (docs/providers.md#smtp).
//!
//! There is nothing to ask a mail server afterwards, so this provider promises less than the others: when a connection
//! breaks between the final dot and its answer, the letter is sent again, later, under the same `Message-ID`. That window
//! is kept small: one letter per request, and a long patience for that one answer. Everything before the dot is certain:
//! nothing was sent.
//!
//! | module | job |
//! |---|---|
//! | this one | the bytes of a letter, the dialogue about it, parked connections |
//! | [`server`] | the URL, and a connection that is ready for a letter |
//! | [`reply`] | what a reply, or its absence, means at each step |

mod reply;
mod server;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lettre::Address;
use lettre::message::header::{self, HeaderName, HeaderValue, Headers};
use lettre::message::{Mailbox, Mailboxes, MultiPart, SinglePart};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{Extension, MailParameter};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::reply::{Failure, Step, within};
use self::server::Server;
use super::ProviderConfig;
use super::status::Failed;
use super::{
    Accepted, Batch, ErrorKind, Message, Provider, ProviderKind, Recovery, Request, SendError,
    Sending, SetupError, Status, Transmission,
};

/// The answer to the final dot may take this many time-outs: giving up while the server is still storing the letter makes
/// a second one. RFC 5321 §4.5.3.2.6 asks for ten minutes, which the longest setting exceeds.
const PATIENCE: u32 = 10;

/// The reply to the final dot of a letter that is taken (RFC 5321 §4.3.2).
const TAKEN: Status = Status::Reply(250);

/// Mail servers close idle connections after some minutes, busy ones earlier; a connection that is parked for longer is not used.
const PARKED_AT_MOST: Duration = Duration::from_secs(20);

/// Where a mail server takes letters.
#[derive(Debug)]
pub struct Smtp {
    server: Server,
    from: Mailbox,
    reply_to: Option<Mailbox>,
    timeout: Duration,
    parked: Mutex<Vec<Parked>>,
}

/// A connection between two letters. There are never more than `EMAIL_CONCURRENCY` of them: as many as were in use.
struct Parked {
    connection: AsyncSmtpConnection,
    since: Instant,
}

impl std::fmt::Debug for Parked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parked")
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

/// What a request holds for each letter. The date is not in it: it is the moment of sending, and everything else stays the
/// same when the letter is sent again.
#[derive(Debug, Serialize, Deserialize)]
struct Letter {
    delivery: Uuid,
    to: String,
    /// Headers and body, CRLF, ASCII; `None` when `to` is not an address.
    source: Option<String>,
}

impl Smtp {
    /// Checks the settings and loads the system's CA certificates; calls nobody.
    ///
    /// # Errors
    /// When the URL or a mailbox cannot be used, or TLS cannot be set up.
    pub fn new(config: &ProviderConfig) -> Result<Self, SetupError> {
        let mailbox = |text: &str| {
            text.parse::<Mailbox>()
                .map_err(|_| SetupError::Smtp("EMAIL_FROM or EMAIL_REPLY_TO is not a mailbox"))
        };
        let from = mailbox(&config.from)?;
        Ok(Self {
            server: Server::new(config, from.email.domain())?,
            from,
            reply_to: config.reply_to.as_deref().map(mailbox).transpose()?,
            timeout: config.timeout,
            parked: Mutex::default(),
        })
    }

    /// The same letter always has the same bytes, its boundary included.
    fn letter(&self, message: &Message) -> Letter {
        let source = message.to.parse::<Address>().ok().map(|to| {
            let mut headers = Headers::new();
            headers.set(header::From::from(Mailboxes::from(self.from.clone())));
            if let Some(reply_to) = &self.reply_to {
                headers.set(header::ReplyTo::from(Mailboxes::from(reply_to.clone())));
            }
            headers.set(header::To::from(Mailboxes::from(Mailbox::new(None, to))));
            headers.set(header::Subject::from(message.subject.clone()));
            headers.set(header::MessageId::from(
                self.message_id(message.delivery_id),
            ));
            headers.set(header::MIME_VERSION_1_0);
            for (name, value) in &message.headers {
                // Names come from our own code and are legal; an illegal one would be a header that no mail client reads.
                if let Ok(name) = HeaderName::new_from_ascii(name.clone()) {
                    headers.insert_raw(HeaderValue::new(name, value.clone()));
                }
            }
            let body = MultiPart::alternative()
                .boundary(format!("=_{}", message.delivery_id.simple()))
                .singlepart(SinglePart::plain(message.text.clone()))
                .singlepart(SinglePart::html(message.html.clone()));
            // Bodies of text are encoded as ASCII by lettre: 7bit, quoted-printable or base64.
            headers.to_string() + &String::from_utf8_lossy(&body.formatted())
        });
        Letter {
            delivery: message.delivery_id,
            to: message.to.clone(),
            source,
        }
    }

    /// Stable, so that a letter that went out twice can be recognised, by people and by some receiving systems.
    fn message_id(&self, delivery: Uuid) -> String {
        format!("<{delivery}@{}>", self.from.email.domain())
    }

    async fn deliver(&self, letter: &Letter) -> Result<Accepted, Failed> {
        let (Ok(to), Some(source)) = (letter.to.parse::<Address>(), &letter.source) else {
            return Err(Failed::unsent(SendError {
                kind: ErrorKind::Permanent,
                detail: "the recipient's address is not an address".to_owned(),
            }));
        };
        let source = format!("Date: {}\r\n{source}", chrono::Utc::now().to_rfc2822());
        let mut parked = self.take();
        loop {
            let reused = parked.is_some();
            let mut connection = match parked.take() {
                Some(connection) => connection,
                None => self
                    .server
                    .dial(self.timeout)
                    .await
                    .map_err(|failure| self.error(&failure))?,
            };
            match self.hand_over(&mut connection, &to, &source).await {
                Ok(()) => {
                    self.park(connection);
                    return Ok(Accepted {
                        message_id: self.message_id(letter.delivery),
                    });
                }
                // The server had closed the parked connection; nothing was sent on it.
                Err(failure) if reused && failure.closed_before_the_letter() => {}
                Err(failure) => {
                    if failure.leaves_the_connection_usable()
                        && within(Step::Reset, self.timeout, connection.command(Rset))
                            .await
                            .is_ok()
                    {
                        self.park(connection);
                    }
                    // Otherwise the connection is dropped here, so that a late reply is never taken for another letter's.
                    return Err(self.error(&failure));
                }
            }
        }
    }

    /// One mail transaction. Every step has its own time limit.
    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        to: &Address,
        source: &str,
    ) -> Result<(), Failure> {
        let international = !AsRef::<str>::as_ref(to).is_ascii();
        if international
            && !connection
                .server_info()
                .supports_feature(Extension::SmtpUtfEight)
        {
            return Err(Failure::unsupported_address());
        }
        let parameters = if international {
            vec![MailParameter::SmtpUtfEight]
        } else {
            Vec::new()
        };
        let mail = Mail::new(Some(self.from.email.clone()), parameters);
        within(Step::Mail, self.timeout, connection.command(mail)).await?;
        let rcpt = Rcpt::new(to.clone(), Vec::new());
        within(Step::Rcpt, self.timeout, connection.command(rcpt)).await?;
        within(Step::Data, self.timeout, connection.command(Data)).await?;

        // The iterator is asked for more only after all it gave has been written: then comes the dot.
        let dot = AtomicBool::new(false);
        let mut pieces = std::iter::once(source.as_bytes());
        let letter = std::iter::from_fn(|| {
            let piece = pieces.next();
            dot.store(piece.is_none(), Ordering::Relaxed);
            piece
        });
        let answer = within(
            Step::Answer,
            self.timeout * PATIENCE,
            connection.message_iter(letter),
        )
        .await;
        match answer {
            Ok(reply) => {
                let words = reply.first_line().unwrap_or_default();
                tracing::debug!(reply = self.server.redact(words), "the mail server took it");
                Ok(())
            }
            Err(failure) if !dot.load(Ordering::Relaxed) => Err(failure.at(Step::Letter)),
            Err(failure) => Err(failure),
        }
    }

    fn error(&self, failure: &Failure) -> Failed {
        Failed {
            status: failure.status(),
            error: SendError {
                kind: failure.kind(self.timeout * PATIENCE),
                detail: self.server.redact(&failure.to_string()),
            },
        }
    }

    fn take(&self) -> Option<AsyncSmtpConnection> {
        let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        parked.retain(|parked| parked.since.elapsed() < PARKED_AT_MOST);
        parked.pop().map(|parked| parked.connection)
    }

    fn park(&self, connection: AsyncSmtpConnection) {
        let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        parked.push(Parked {
            connection,
            since: Instant::now(),
        });
    }
}

impl Provider for Smtp {
    fn name(&self) -> &'static str {
        ProviderKind::Smtp.name()
    }

    fn recovery(&self) -> Recovery {
        Recovery::Nothing
    }

    fn encode(&self, batch: &Batch) -> Request {
        let letters: Vec<Letter> = batch
            .messages
            .iter()
            .map(|message| self.letter(message))
            .collect();
        Request {
            path: "",
            body: serde_json::to_vec(&letters)
                .expect("strings and lists of strings always have a JSON form"),
            idempotency_key: batch.idempotency_key.clone(),
            messages: batch.messages.len(),
        }
    }

    fn send<'a>(&'a self, request: &'a Request) -> Sending<'a> {
        Box::pin(async move {
            let letters: Vec<Letter> = match serde_json::from_slice(&request.body) {
                Ok(letters) => letters,
                Err(error) => {
                    let refusal = SendError {
                        kind: ErrorKind::Permanent,
                        detail: format!("not a request of this provider: {error}"),
                    };
                    return Failed::unsent(refusal).of_all(request.messages);
                }
            };
            let mut status = Status::Unsent;
            let mut results = Vec::with_capacity(letters.len());
            for letter in &letters {
                let result = self.deliver(letter).await;
                status = result
                    .as_ref()
                    .map_or_else(|failed| failed.status, |_| TAKEN);
                results.push(result.map_err(|failed| failed.error));
            }
            Transmission { status, results }
        })
    }
}

#[cfg(test)]
#[path = "smtp_tests.rs"]
mod tests;
