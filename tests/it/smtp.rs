//! Letters to mail servers: a real one, and one that fails at every step of the dialogue.
//!
//! Long because each answer of a mail server is a short test, read as one list.

mod exim;
mod scripted;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use seqpulse_mailer::provider::ProviderConfig;
use seqpulse_mailer::provider::{
    ErrorKind, Message, Provider, ProviderKind, Recovery, SendResult, from_config,
};

use self::exim::{Exim, PASSWORD};
use self::scripted::{Act, At, Scripted};
use crate::post::{batch_of, config, message};
use crate::support::{Sidecar, TestDb, skip, wait_for};

/// Long enough for a loaded machine, short enough to be waited for; the answer to the dot gets ten times as much.
const TIMEOUT: Duration = Duration::from_millis(500);

const PAUSE: ErrorKind = ErrorKind::SenderWide { until: None };
const LATER: ErrorKind = ErrorKind::Transient {
    counts: false,
    retry_after: None,
};
const ATTEMPT: ErrorKind = ErrorKind::Transient {
    counts: true,
    retry_after: None,
};
const UNKNOWN: ErrorKind = ErrorKind::Unknown {
    counts: true,
    retry_after: Some(Duration::from_secs(5)),
};

fn provider(url: String, login: &str) -> Arc<dyn Provider> {
    let config = ProviderConfig {
        api_key: login.into(),
        timeout: TIMEOUT,
        ..config(url)
    };
    from_config(ProviderKind::Smtp, &config).expect("settings of a test")
}

fn plain(server: &Scripted) -> Arc<dyn Provider> {
    provider(format!("smtp://127.0.0.1:{}", server.port()), "lea:secret")
}

async fn send(provider: &Arc<dyn Provider>, message: Message) -> SendResult {
    let mut results = provider
        .send(&provider.encode(&batch_of(vec![message])))
        .await
        .results;
    assert_eq!(results.len(), 1);
    results.remove(0)
}

fn kind(outcome: &SendResult) -> Option<ErrorKind> {
    outcome.as_ref().err().map(|error| error.kind)
}

#[tokio::test]
async fn letters_share_a_connection_and_arrive_as_they_were_written() {
    let server = Scripted::start(&[]);
    let provider = plain(&server);
    for _ in 0..3 {
        let mut letter = message();
        letter.text = "Bonjour,\n.\n..deux points".to_owned();
        let id = format!("<{}@mail.example.com>", letter.delivery_id);
        let accepted = send(&provider, letter).await.expect("accepted");
        assert_eq!(accepted.message_id, id);
        let letters = server.letters();
        let source = letters.last().expect("a letter");
        assert!(
            source.contains(&format!("Message-ID: {id}\r\n")),
            "{source}"
        );
        assert!(
            source.contains("\r\n\r\nBonjour,\r\n.\r\n..deux points"),
            "{source}"
        );
        assert!(source.starts_with("Date: "), "{source}");
    }
    assert_eq!(server.connections(), 1);
    assert_eq!((server.letters().len(), server.count("AUTH")), (3, 1));
}

#[tokio::test]
async fn every_failure_has_its_class_and_the_next_letter_goes_out() {
    for (at, act, expected, stored) in [
        (At::Greeting, Act::Say("421 4.3.2 busy"), LATER, 0),
        (
            At::Greeting,
            Act::Say("554 5.7.1 you are blocked"),
            PAUSE,
            0,
        ),
        (At::Greeting, Act::HangUp, LATER, 0),
        (At::Greeting, Act::KeepSilent, LATER, 0),
        (At::Greeting, Act::Say("SSH-2.0-OpenSSH"), LATER, 0),
        (At::Ehlo, Act::HangUp, LATER, 0),
        (At::Auth, Act::Say("535 5.7.8 wrong password"), PAUSE, 0),
        (At::Auth, Act::Say("454 4.7.0 try later"), LATER, 0),
        (At::Auth, Act::KeepSilent, LATER, 0),
        (At::Mail, Act::Say("550 5.7.1 not your domain"), PAUSE, 0),
        (At::Mail, Act::Say("421 4.7.0 too many"), LATER, 0),
        (At::Mail, Act::HangUp, LATER, 0),
        (At::Rcpt, Act::Say("450 4.7.1 greylisted"), LATER, 0),
        (At::Rcpt, Act::Say("452 4.2.2 full"), ATTEMPT, 0),
        (
            At::Rcpt,
            Act::Say("550 5.1.1 no such user"),
            ErrorKind::Address,
            0,
        ),
        (
            At::Rcpt,
            Act::Say("550 5.2.1 disabled"),
            ErrorKind::Permanent,
            0,
        ),
        (At::Rcpt, Act::KeepSilent, LATER, 0),
        (At::Data, Act::Say("451 4.3.0 disk full"), ATTEMPT, 0),
        (At::Data, Act::HangUp, LATER, 0),
        (At::Dot, Act::Say("451 4.3.0 disk full"), ATTEMPT, 0),
        (At::Dot, Act::Say("554 5.7.1 spam"), ErrorKind::Permanent, 0),
        (
            At::Dot,
            Act::Say("550 5.1.1 after all"),
            ErrorKind::Address,
            0,
        ),
        (At::Dot, Act::Say("2"), UNKNOWN, 0),
        (At::Dot, Act::HangUp, UNKNOWN, 0),
        (At::Dot, Act::StoreAndHangUp, UNKNOWN, 1),
    ] {
        let server = Scripted::start(&[(at, act)]);
        let provider = plain(&server);
        let outcome = send(&provider, message()).await;
        assert_eq!(
            kind(&outcome),
            Some(expected),
            "{at:?} {act:?}: {outcome:?}"
        );
        assert_eq!(server.letters().len(), stored, "{at:?} {act:?}");
        let detail = outcome.expect_err("refused").detail;
        assert!(
            !detail.contains("secret") && !detail.contains('@'),
            "{detail}"
        );
        let next = send(&provider, message()).await;
        assert!(next.is_ok(), "after {at:?} {act:?}: {next:?}");
        assert_eq!(server.letters().len(), stored + 1, "{at:?} {act:?}");
    }
}

#[tokio::test]
async fn silence_after_the_dot_is_waited_out_and_then_unknown() {
    let server = Scripted::start(&[(At::Dot, Act::KeepSilent)]);
    let provider = plain(&server);
    let started = tokio::time::Instant::now();
    assert_eq!(kind(&send(&provider, message()).await), Some(UNKNOWN));
    assert!(started.elapsed() >= TIMEOUT * 10);
    assert!(send(&provider, message()).await.is_ok());
    assert_eq!(
        server.connections(),
        2,
        "the silent one is never used again"
    );
    assert_eq!(provider.recovery(), Recovery::Nothing);
}

#[tokio::test]
async fn a_connection_that_breaks_inside_the_letter_has_sent_nothing() {
    let server = Scripted::start(&[(At::Letter, Act::HangUp)]);
    let provider = plain(&server);
    let mut large = message();
    // More than the socket buffers hold.
    large.text = "Bonjour, une longue ligne\r\n".repeat(1 << 19);
    assert_eq!(kind(&send(&provider, large).await), Some(ATTEMPT));
    assert!(server.letters().is_empty());
}

#[tokio::test]
async fn a_refused_letter_leaves_the_connection_to_the_next() {
    let server = Scripted::start(&[(At::Rcpt, Act::Say("550 5.1.1 no such user"))]);
    let provider = plain(&server);
    assert_eq!(
        kind(&send(&provider, message()).await),
        Some(ErrorKind::Address)
    );
    assert!(send(&provider, message()).await.is_ok());
    assert_eq!((server.connections(), server.count("RSET")), (1, 1));
}

#[tokio::test]
async fn a_parked_connection_the_server_closed_costs_nothing() {
    for act in [Act::HangUp, Act::Say("421 4.4.2 idle for too long")] {
        let server = Scripted::start(&[]);
        let provider = plain(&server);
        assert!(send(&provider, message()).await.is_ok());
        server.add(At::Mail, act);
        assert!(send(&provider, message()).await.is_ok());
        assert_eq!((server.connections(), server.letters().len()), (2, 2));
    }
}

#[tokio::test]
async fn without_the_encryption_that_was_asked_for_nothing_is_said() {
    // Neither offers STARTTLS at first; the second time the server offers it and has none.
    for (ehlo, expected) in [
        ("250 mail.seqpulse.test", PAUSE),
        ("250-mail.seqpulse.test\r\n250 STARTTLS", LATER),
    ] {
        let server = Scripted::start(&[(At::Ehlo, Act::Say(ehlo))]);
        let url = format!("smtp://127.0.0.1:{}?tls=required", server.port());
        let provider = provider(url, "lea:secret");
        assert_eq!(kind(&send(&provider, message()).await), Some(expected));
        assert_eq!((server.count("AUTH"), server.count("MAIL")), (0, 0));
    }
}

#[tokio::test]
async fn nobody_listening_is_no_failure_of_the_letter() {
    let provider = provider("smtp://127.0.0.1:9".to_owned(), "");
    assert_eq!(kind(&send(&provider, message()).await), Some(LATER));
}

/// The server, or a skipped test.
fn exim() -> Option<Exim> {
    let exim = Exim::new();
    if exim.is_none() {
        skip("no mail server (Debian: exim4-daemon-light)");
    }
    exim
}

fn login() -> String {
    let password = PASSWORD.replace(':', "%3A").replace('/', "%2F");
    format!("lea%40seqpulse.test:{password}")
}

fn sidecar(db: &TestDb, exim: &Exim, url: &str) -> crate::support::SidecarBuilder {
    Sidecar::builder(db, "smtp", url)
        .without("EMAIL_API_KEY")
        .env("SSL_CERT_FILE", &exim.root.display().to_string())
}

async fn arrives(url: impl Fn(&Exim) -> String, protocol: &str) {
    let Some(exim) = exim() else { return };
    let db = TestDb::only(&["E-TRX-01"]).await;
    let _sidecar = sidecar(&db, &exim, &url(&exim)).spawn();
    db.sign_up("Léa", "lea@customer.test").await;
    wait_for("the letter", async || !exim.mailbox().is_empty()).await;
    let letter = exim.mailbox().remove(0);
    db.wait_until("select count(*) = 1 from public.email_outbox where status = 'sent'")
        .await;
    let id: String = db
        .value(
            "select provider_message_id from public.email_deliveries",
            &[],
        )
        .await;
    for part in [
        format!("Message-ID: {id}"),
        "Envelope-to: lea@customer.test".to_owned(),
        "Return-path: <bonjour@mail.seqpulse.test>".to_owned(),
        "From: SeqPulse <bonjour@mail.seqpulse.test>".to_owned(),
        format!("with {protocol}"),
        "Auto-Submitted: auto-generated".to_owned(),
        "Content-Type: multipart/alternative".to_owned(),
    ] {
        assert!(letter.contains(&part), "{part}\n{letter}\n{}", exim.log());
    }
}

#[tokio::test]
async fn a_letter_arrives_through_starttls() {
    let url = |exim: &Exim| {
        format!(
            "smtp://{}@localhost:{}?tls=required",
            login(),
            exim.listen(&[])
        )
    };
    arrives(url, "esmtpsa").await;
}

#[tokio::test]
async fn a_letter_arrives_through_implicit_tls() {
    let url = |exim: &Exim| {
        let port = exim.listen(&["-tls-on-connect"]);
        format!("smtps://{}@localhost:{port}", login())
    };
    arrives(url, "esmtpsa").await;
}

#[tokio::test]
async fn a_letter_arrives_without_tls_on_loopback() {
    let url = |exim: &Exim| format!("smtp://{}@127.0.0.1:{}", login(), exim.listen(&[]));
    arrives(url, "esmtpa").await;
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_or_a_wrong_password_pauses_everything() {
    let Some(exim) = exim() else { return };
    let port = exim.listen(&[]);
    let strangers = exim.root.with_file_name("strangers.crt");
    let theirs = crate::certificates::Authority::new("their root").certificate();
    std::fs::write(&strangers, theirs).expect("a file");
    for (url, root, why) in [
        (
            format!("smtp://{}@localhost:{port}?tls=required", login()),
            &strangers,
            "certificate",
        ),
        // A good certificate, of another host.
        (
            format!("smtp://{}@127.0.0.1:{port}?tls=required", login()),
            &exim.root,
            "certificate",
        ),
        (
            format!("smtp://lea:wrong@localhost:{port}?tls=required"),
            &exim.root,
            "535",
        ),
        (
            format!("smtp://localhost:{port}?tls=required"),
            &exim.root,
            "530",
        ),
    ] {
        let db = TestDb::only(&["E-TRX-01"]).await;
        let _sidecar = sidecar(&db, &exim, &url)
            .env("SSL_CERT_FILE", &root.display().to_string())
            .spawn();
        db.sign_up("Léa", "lea@customer.test").await;
        db.wait_until("select paused_at is not null from public.email_settings")
            .await;
        let reason: String = db
            .value("select paused_reason from public.email_settings", &[])
            .await;
        assert!(reason.contains(why), "{reason}");
        db.wait_until("select status = 'queued' and attempts = 0 from public.email_outbox")
            .await;
    }
    assert!(exim.mailbox().is_empty());
}

#[tokio::test]
async fn an_unknown_mailbox_is_suppressed_and_the_others_get_their_letters() {
    let Some(exim) = exim() else { return };
    let db = TestDb::only(&["E-TRX-01"]).await;
    let url = format!(
        "smtp://{}@localhost:{}?tls=required",
        login(),
        exim.listen(&[])
    );
    db.exec(
        "insert into public.users (name, email, hashed_password)
         select 'Nadia', case n when 7 then 'nobody' else 'nadia' || n end || '@customer.test', 'x' from generate_series(1, 20) n",
    )
    .await;
    let _sidecar = sidecar(&db, &exim, &url).spawn();
    db.wait_until("select count(*) = 20 from public.email_outbox where finished_at is not null")
        .await;
    wait_for("19 letters", async || exim.mailbox().len() == 19).await;
    let suppressed: String = db
        .value("select email from public.email_suppressions", &[])
        .await;
    assert_eq!(suppressed, "nobody@customer.test");
    let failed: String = db
        .value(
            "select last_error from public.email_outbox where status = 'failed'",
            &[],
        )
        .await;
    assert!(
        failed.starts_with("550 to RCPT TO: 5.1.1 no such mailbox"),
        "{failed}"
    );
}

#[tokio::test]
async fn after_a_kill_every_letter_arrives_and_a_second_copy_bears_the_same_message_id() {
    let Some(exim) = exim() else { return };
    let db = TestDb::only(&["E-TRX-01"]).await;
    let url = format!("smtp://{}@127.0.0.1:{}", login(), exim.listen(&[]));
    let start = || {
        sidecar(&db, &exim, &url)
            .env("EMAIL_LEASE_SECONDS", "2")
            .env("EMAIL_POLL_SECONDS", "1")
            .spawn()
    };
    let mut first = start();
    db.exec(
        "insert into public.users (name, email, hashed_password)
         select 'Nadia', 'nadia' || n || '@customer.test', 'x' from generate_series(1, 60) n",
    )
    .await;
    wait_for("some letters", async || exim.mailbox().len() > 10).await;
    first.kill9().await;
    let _second = start();
    db.wait_until("select count(*) = 60 from public.email_outbox where status = 'sent'")
        .await;
    let id = |letter: &String| {
        let line = letter.lines().find(|line| line.starts_with("Message-ID: "));
        line.expect("every letter has one").to_owned()
    };
    wait_for("every letter", async || {
        exim.mailbox().iter().map(id).collect::<HashSet<_>>().len() == 60
    })
    .await;
    // Only what was in flight can have gone out twice: one letter per connection.
    assert!(exim.mailbox().len() <= 60 + 4, "{}", exim.mailbox().len());
}
