//! Prints letters to standard output and sends nothing: the provider of a first look, without an account anywhere.

use std::fmt::Write as _;
use std::io::Write as _;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ProviderConfig;
use super::status::Failed;
use super::{
    Accepted, Batch, ErrorKind, Provider, ProviderKind, Recovery, Request, SendError, Sending,
    Status, Transmission,
};

/// Prints, sends nothing.
#[derive(Debug)]
pub struct Console {
    from: String,
    reply_to: Option<String>,
}

impl Console {
    /// Only the sender's address is used; the key and the URL are not looked at.
    pub fn new(config: &ProviderConfig) -> Self {
        Self {
            from: config.from.clone(),
            reply_to: config.reply_to.clone(),
        }
    }
}

impl Provider for Console {
    fn name(&self) -> &'static str {
        ProviderKind::Console.name()
    }

    fn recovery(&self) -> Recovery {
        Recovery::Nothing
    }

    fn encode(&self, batch: &Batch) -> Request {
        let letters: Vec<Letter> = batch
            .messages
            .iter()
            .map(|message| Letter {
                delivery: message.delivery_id,
                email_type: message.email_type.clone(),
                from: self.from.clone(),
                reply_to: self.reply_to.clone(),
                to: message.to.clone(),
                subject: message.subject.clone(),
                headers: message.headers.clone(),
                text: message.text.clone(),
                html: message.html.clone(),
            })
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
        Box::pin(async move { print(request) })
    }
}

#[derive(Serialize, Deserialize)]
struct Letter {
    delivery: Uuid,
    email_type: String,
    from: String,
    reply_to: Option<String>,
    to: String,
    subject: String,
    headers: Vec<(String, String)>,
    text: String,
    html: String,
}

fn print(request: &Request) -> Transmission {
    let refuse = |kind: ErrorKind, detail: String| {
        Failed::unsent(SendError { kind, detail }).of_all(request.messages)
    };
    let letters: Vec<Letter> = match serde_json::from_slice(&request.body) {
        Ok(letters) => letters,
        Err(error) => {
            return refuse(
                ErrorKind::Permanent,
                format!("not a request of the console: {error}"),
            );
        }
    };
    let mut page = String::new();
    for letter in &letters {
        letter.write_to(&mut page);
    }
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(page.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => Transmission {
            status: Status::Printed,
            results: letters
                .into_iter()
                .map(|letter| {
                    Ok(Accepted {
                        message_id: format!("console-{}", letter.delivery),
                    })
                })
                .collect(),
        },
        Err(error) => refuse(
            ErrorKind::SenderWide { until: None },
            format!("cannot write to standard output: {error}"),
        ),
    }
}

impl Letter {
    fn write_to(&self, page: &mut String) {
        page.push_str(&"─".repeat(78));
        page.push('\n');
        let mut line = |name: &str, value: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(page, "{name:<10} {}", printable(value, false));
        };
        line("Type", &self.email_type);
        line("Delivery", &self.delivery.to_string());
        if !self.from.is_empty() {
            line("From", &self.from);
        }
        if let Some(reply_to) = &self.reply_to {
            line("Reply-To", reply_to);
        }
        line("To", &self.to);
        line("Subject", &self.subject);
        for (name, value) in &self.headers {
            line(name, value);
        }
        let _ = writeln!(
            page,
            "\n{}\n\n[HTML part: {} bytes]\n",
            printable(&self.text, true).trim_end(),
            self.html.len()
        );
    }
}

/// Without the control characters by which a letter could take over a terminal.
fn printable(text: &str, keep_lines: bool) -> String {
    text.chars()
        .filter(|&c| !c.is_control() || (keep_lines && matches!(c, '\n' | '\t')))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_readable_and_cannot_drive_the_terminal() {
        let letter = Letter {
            delivery: Uuid::nil(),
            email_type: "E-TRX-01".to_owned(),
            from: "SeqPulse <hello@mail.example.com>".to_owned(),
            reply_to: None,
            to: "lea@example.org".to_owned(),
            subject: "Bienvenue\u{1b}[2J".to_owned(),
            headers: vec![("Auto-Submitted".to_owned(), "auto-generated".to_owned())],
            text: "Bonjour Léa,\n\nvotre compte est prêt.\n\u{7}".to_owned(),
            html: "<p>Bonjour</p>".to_owned(),
        };
        let mut page = String::new();
        letter.write_to(&mut page);
        assert!(page.contains("To         lea@example.org\n"), "{page}");
        assert!(page.contains("Subject    Bienvenue[2J\n"), "{page}");
        assert!(page.contains("Auto-Submitted auto-generated\n"), "{page}");
        assert!(
            page.contains("\n\nBonjour Léa,\n\nvotre compte est prêt.\n"),
            "{page}"
        );
        assert!(page.contains("[HTML part: 14 bytes]"), "{page}");
        assert!(!page.contains(['\u{1b}', '\u{7}']), "{page:?}");
    }
}
