//! Resend and Postmark clients against the sandbox, over real HTTP: what is sent, and what every kind of failure means.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use letters::Category;
use seqpulse_mailer::provider::ProviderConfig;
use seqpulse_mailer::provider::{
    Batch, ErrorKind, Message, ProviderKind, Recovery, SendResult, Status, Transmission,
    from_config,
};
use standin::fault::{DropAt, Fault, FaultRule};
use standin::ledger::Api;

use crate::post::{Post, REAL, batch, batch_of, config, message};

fn kinds(results: &[SendResult]) -> Vec<Option<ErrorKind>> {
    let kind = |outcome: &SendResult| outcome.as_ref().err().map(|error| error.kind);
    results.iter().map(kind).collect()
}

/// The one kind all results share.
fn kind(results: &[SendResult]) -> ErrorKind {
    let kinds = kinds(results);
    assert!(
        kinds.iter().all(|kind| *kind == kinds[0]),
        "not all alike: {results:?}"
    );
    kinds[0].unwrap_or_else(|| panic!("accepted: {results:?}"))
}

fn ids(results: &[SendResult]) -> Vec<String> {
    let id = |outcome: &SendResult| {
        let accepted = outcome.as_ref();
        accepted.expect("accepted").message_id.clone()
    };
    results.iter().map(id).collect()
}

fn deliveries(batch: &Batch) -> Vec<String> {
    let id = |message: &Message| message.delivery_id.to_string();
    batch.messages.iter().map(id).collect()
}

fn status(status: u16) -> Fault {
    Fault::Status {
        status,
        html: false,
        accept: false,
        retry_after: None,
        name: None,
        code: None,
        message: None,
        location: None,
    }
}

fn html(status: u16) -> Fault {
    Fault::Status {
        status,
        html: true,
        accept: false,
        retry_after: None,
        name: None,
        code: None,
        message: None,
        location: None,
    }
}

#[tokio::test]
async fn letters_arrive_in_order_with_our_ids() {
    for provider in REAL {
        for size in [1, 3] {
            let post = Post::open(provider).await;
            let batch = batch(size);
            let ids = ids(&post.send(&batch).await);
            let entries = post.sandbox.entries();
            let ledger: Vec<_> = entries.iter().map(|entry| entry.id.to_string()).collect();
            assert_eq!(ids, ledger, "{provider:?}");
            let found: Vec<_> = entries
                .iter()
                .filter_map(|entry| entry.delivery.as_deref())
                .collect();
            assert_eq!(found, deliveries(&batch));
            for (entry, message) in entries.iter().zip(&batch.messages) {
                assert_eq!(entry.email_type.as_deref(), Some("E-TRX-01"));
                assert_eq!(*entry.to, message.to);
                assert_eq!(*entry.subject, message.subject);
                let attempt = (provider == ProviderKind::Postmark).then(|| batch.id.to_string());
                assert_eq!(entry.attempt.as_deref(), attempt.as_deref());
            }
        }
    }
}

#[tokio::test]
async fn headers_are_on_the_wire_on_both_endpoints() {
    for provider in REAL {
        for (size, path) in [
            (1, ["/emails", "/email"]),
            (2, ["/emails/batch", "/email/batch"]),
        ] {
            let post = Post::open(provider).await;
            let batch = batch(size);
            let request = post.provider.encode(&batch);
            ids(&post.transmit(&request).await);
            let seen = post.sandbox.requests().remove(0);
            assert!(path.contains(&seen.path.as_str()), "{}", seen.path);
            assert_eq!(seen.request.as_deref(), Some(request.body.as_slice()));
            let header = |name: &str| {
                let found = seen.headers.iter().find(|(known, _)| known == name);
                found.map(|(_, value)| value.as_str())
            };
            let agent = format!("seqpulse-mailer/{}", env!("CARGO_PKG_VERSION"));
            assert_eq!(header("user-agent"), Some(agent.as_str()));
            assert_eq!(header("content-type"), Some("application/json"));
            assert_eq!(header("x-batch-validation"), None);
            if provider == ProviderKind::Resend {
                assert_eq!(
                    header("idempotency-key"),
                    Some(batch.idempotency_key.as_str())
                );
            } else {
                assert_eq!(header("accept"), Some("application/json"));
            }
        }
    }
}

#[tokio::test]
async fn the_same_request_again_is_the_same_letter() {
    for size in [1, 3] {
        let post = Post::open(ProviderKind::Resend).await;
        assert!(matches!(post.provider.recovery(), Recovery::Repeat { .. }));
        let request = post.provider.encode(&batch(size));
        let first = ids(&post.transmit(&request).await);
        assert_eq!(ids(&post.transmit(&request).await), first);
        assert_eq!(post.sandbox.count(), size);
        assert!(post.sandbox.duplicates().is_empty());
    }
}

#[tokio::test]
async fn other_bytes_under_a_used_key_are_a_conflict() {
    let post = Post::open(ProviderKind::Resend).await;
    let mut batch = batch(2);
    ids(&post.send(&batch).await);
    batch.messages[1].subject.push('!');
    let results = post.send(&batch).await;
    assert_eq!(kind(&results), ErrorKind::KeyConflict);
    assert!(results.iter().flatten().next().is_none());
    assert_eq!(post.sandbox.count(), 2);
}

/// What a fault must look like to the caller, and how many of three messages the ledger must hold.
struct Case {
    fault: Fault,
    resend: fn(ErrorKind) -> bool,
    postmark: fn(ErrorKind) -> bool,
    accepted: usize,
}

fn lost(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unknown { counts: false, .. })
}

fn server_error(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unknown { counts: true, .. })
}

fn slow_down(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::TooFast { .. })
}

fn later(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Transient { counts: true, .. })
}

fn sender_wide(kind: ErrorKind) -> bool {
    kind == ErrorKind::SenderWide { until: None }
}

fn split(kind: ErrorKind) -> bool {
    kind == ErrorKind::BatchRefused
}

fn both(fault: Fault, is: fn(ErrorKind) -> bool, accepted: usize) -> Case {
    Case {
        fault,
        resend: is,
        postmark: is,
        accepted,
    }
}

#[tokio::test]
async fn every_fault_has_its_class() {
    let drop_at = |at| Fault::AcceptThenDrop { at };
    let accepted_500 = Fault::Status {
        status: 500,
        html: false,
        accept: true,
        retry_after: None,
        name: None,
        code: None,
        message: None,
        location: None,
    };
    let cases = [
        both(drop_at(DropAt::BeforeStatus), lost, 3),
        both(drop_at(DropAt::InStatus), lost, 3),
        both(drop_at(DropAt::AfterStatus), lost, 3),
        both(drop_at(DropAt::InBody), lost, 3),
        both(Fault::RefuseThenDrop, lost, 0),
        both(Fault::CutJson, lost, 3),
        both(Fault::WrongCount { more: false }, lost, 3),
        both(Fault::WrongCount { more: true }, lost, 3),
        both(Fault::AcceptHalf, server_error, 1),
        both(accepted_500, server_error, 3),
        both(status(500), server_error, 0),
        both(status(502), server_error, 0),
        Case {
            fault: status(503),
            resend: server_error,
            postmark: later,
            accepted: 0,
        },
        both(html(500), server_error, 0),
        both(html(502), server_error, 0),
        both(html(503), server_error, 0),
        both(html(504), server_error, 0),
        both(html(520), server_error, 0),
        both(status(429), slow_down, 0),
        both(html(429), slow_down, 0),
        both(html(403), sender_wide, 0),
        both(html(404), sender_wide, 0),
        both(html(301), sender_wide, 0),
        both(Fault::RevokeKeys, sender_wide, 0),
        both(html(413), split, 0),
        both(status(422), split, 0),
    ];
    for provider in REAL {
        let post = Post::open(provider).await;
        for Case {
            fault,
            resend,
            postmark,
            accepted,
        } in &cases
        {
            post.sandbox.reset();
            post.sandbox
                .change_settings(|settings| settings.revoked_keys.clear());
            post.sandbox.add_fault(FaultRule::once(fault.clone()));
            let results = post.send(&batch(3)).await;
            assert_eq!(results.len(), 3);
            let kind = kind(&results);
            let is_right = if provider == ProviderKind::Resend {
                resend
            } else {
                postmark
            };
            assert!(is_right(kind), "{provider:?} {fault:?}: {results:?}");
            assert_eq!(post.sandbox.count(), *accepted, "{provider:?} {fault:?}");
        }
    }
}

#[tokio::test]
async fn on_resend_a_repetition_settles_every_unknown_outcome_without_a_second_letter() {
    let faults = [
        Fault::AcceptThenDrop {
            at: DropAt::BeforeStatus,
        },
        Fault::AcceptThenDrop {
            at: DropAt::InStatus,
        },
        Fault::AcceptThenDrop { at: DropAt::InBody },
        Fault::RefuseThenDrop,
        Fault::AcceptHalf,
        Fault::CutJson,
        Fault::WrongCount { more: false },
        status(500),
        html(504),
    ];
    let post = Post::open(ProviderKind::Resend).await;
    for fault in faults {
        for size in [1, 3] {
            post.sandbox.reset();
            let batch = batch(size);
            let request = post.provider.encode(&batch);
            // A count cannot be wrong, nor a batch be torn, when there is one message.
            let is_unknown =
                size > 1 || !matches!(fault, Fault::AcceptHalf | Fault::WrongCount { .. });
            post.sandbox.add_fault(FaultRule::once(fault.clone()));
            let first = post.transmit(&request).await;
            assert_eq!(
                first.iter().all(Result::is_err),
                is_unknown,
                "{fault:?}: {first:?}"
            );
            let answered = ids(&post.transmit(&request).await);
            let ledger = post.sandbox.entries();
            let entered: Vec<_> = ledger.iter().map(|entry| entry.id.to_string()).collect();
            assert_eq!(answered, entered, "{fault:?}");
            let found: Vec<_> = ledger
                .iter()
                .filter_map(|entry| entry.delivery.as_deref())
                .collect();
            assert_eq!(found, deliveries(&batch), "{fault:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_past_the_limit_is_unknown_and_its_twin_is_waited_for() {
    let post = Post::with_timeout(ProviderKind::Resend, Duration::from_millis(400)).await;
    let request = post.provider.encode(&batch(2));
    post.sandbox
        .add_fault(FaultRule::once(Fault::AcceptThenDelay { ms: 3_600_000 }));
    assert!(lost(kind(&post.transmit(&request).await)));
    let running = kind(&post.transmit(&request).await);
    let ErrorKind::Unknown {
        counts: false,
        retry_after: Some(wait),
    } = running
    else {
        panic!("{running:?}");
    };
    assert!(wait >= Duration::from_secs(1), "{wait:?}");
    post.sandbox
        .change_settings(|settings| settings.clock_offset_seconds = 3_601);
    assert_eq!(ids(&post.transmit(&request).await).len(), 2);
    assert_eq!(post.sandbox.count(), 2);
}

#[tokio::test]
async fn on_postmark_a_late_answer_is_unknown_and_the_search_finds_what_was_accepted() {
    let post = Post::with_timeout(ProviderKind::Postmark, Duration::from_millis(400)).await;
    assert_eq!(post.provider.recovery(), Recovery::Search);
    let late = batch(2);
    post.sandbox
        .add_fault(FaultRule::once(Fault::AcceptThenDelay { ms: 60_000 }));
    let answer = post.provider.send(&post.provider.encode(&late)).await;
    assert!(lost(kind(&answer.results)));
    assert_eq!(answer.status, Status::Timeout);
    let torn = batch(4);
    post.sandbox.add_fault(FaultRule::once(Fault::AcceptHalf));
    let answer = post.provider.send(&post.provider.encode(&torn)).await;
    assert!(server_error(kind(&answer.results)));
    assert_eq!(answer.status.code(), Some(500));
    for (batch, accepted) in [(late, 2), (torn, 2)] {
        let query = format!("count=500&offset=0&metadata_attempt={}", batch.id);
        let found = get(&post, &format!("/messages/outbound?{query}")).await;
        let messages = found["Messages"].as_array().expect("a list");
        assert_eq!(
            (found["TotalCount"].as_u64(), messages.len()),
            (Some(accepted), 2)
        );
        for message in messages {
            let delivery = message["Metadata"]["delivery"].as_str().expect("our id");
            assert!(deliveries(&batch).contains(&delivery.to_owned()));
        }
    }
}

async fn get(post: &Post, path: &str) -> serde_json::Value {
    let url = format!("{}{path}", post.sandbox.url());
    let request = reqwest::Client::new()
        .get(url)
        .header("accept", "application/json")
        .header("x-postmark-server-token", "any");
    let body = request
        .send()
        .await
        .expect("an answer")
        .bytes()
        .await
        .expect("a body");
    serde_json::from_slice(&body).expect("JSON")
}

#[tokio::test]
async fn a_trickling_answer_counts_against_the_same_limit() {
    for provider in REAL {
        let post = Post::with_timeout(provider, Duration::from_millis(500)).await;
        post.sandbox.add_fault(FaultRule::once(Fault::Trickle {
            bytes: 1,
            every_ms: 200,
        }));
        assert!(lost(kind(&post.send(&batch(2)).await)), "{provider:?}");
        let patient = Post::open(provider).await;
        patient.sandbox.add_fault(FaultRule::once(Fault::Trickle {
            bytes: 40,
            every_ms: 1,
        }));
        assert_eq!(ids(&patient.send(&batch(2)).await).len(), 2, "{provider:?}");
    }
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let url = format!("http://{}", closed.expect("a free port"));
    for provider in REAL {
        let provider = from_config(provider, &config(url.clone())).expect("settings of a test");
        let Transmission { status, results } = provider.send(&provider.encode(&batch(2))).await;
        assert_eq!(status, Status::Connect);
        let not_counted = matches!(kind(&results), ErrorKind::Transient { counts: false, .. });
        assert!(not_counted, "{results:?}");
    }
}

#[tokio::test]
async fn a_certificate_nobody_trusts_stops_the_sender() {
    let url = tls_server();
    for provider in REAL {
        let provider = from_config(provider, &config(url.clone())).expect("settings of a test");
        let Transmission { status, results } = provider.send(&provider.encode(&batch(1))).await;
        assert_eq!(status, Status::Certificate);
        assert!(sender_wide(kind(&results)), "{results:?}");
    }
}

/// Speaks TLS with a certificate it signed itself.
fn tls_server() -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let identity =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(identity.signing_key.serialize_der());
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![identity.cert.der().clone()], key.expect("a key"));
    let config = Arc::new(config.expect("a certificate and its key"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut tls = rustls::ServerConnection::new(Arc::clone(&config)).expect("a session");
            let mut stream = rustls::Stream::new(&mut tls, &mut socket);
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.flush();
        }
    });
    format!("https://localhost:{port}")
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for provider in REAL {
        let post = Post::open(provider).await;
        let fault = Fault::Status {
            status: 307,
            html: false,
            accept: false,
            retry_after: None,
            name: None,
            code: None,
            message: None,
            location: Some("/emails".to_owned()),
        };
        post.sandbox.add_fault(FaultRule::once(fault));
        assert!(sender_wide(kind(&post.send(&batch(1)).await)));
        assert_eq!(post.sandbox.requests().len(), 1, "{provider:?}");
    }
}

#[tokio::test]
async fn a_poisoned_batch_sends_nothing_on_resend_until_it_is_split() {
    let post = Post::open(ProviderKind::Resend).await;
    let mut poisoned = message();
    poisoned.to = "nobody@".to_owned();
    let messages = [message(), poisoned, message()];
    let whole = post.send(&batch_of(messages.to_vec())).await;
    assert!(split(kind(&whole)), "{whole:?}");
    assert_eq!(post.sandbox.count(), 0);
    let mut alone = Vec::new();
    for message in messages {
        alone.extend(post.send(&batch_of(vec![message])).await);
    }
    assert_eq!(kinds(&alone), [None, Some(ErrorKind::Permanent), None]);
    assert_eq!(post.sandbox.count(), 2);
}

#[tokio::test]
async fn a_poisoned_batch_is_judged_item_by_item_on_postmark() {
    let post = Post::open(ProviderKind::Postmark).await;
    let (mut invalid, suppressed, mut stranded) = (message(), message(), message());
    invalid.to = "nobody@".to_owned();
    stranded.category = Category::Marketing;
    post.sandbox
        .suppress(Api::Postmark, "outbound", &suppressed.to);
    post.sandbox
        .change_settings(|settings| settings.streams = vec!["outbound".to_owned()]);
    let results = post
        .send(&batch_of(vec![
            message(),
            invalid,
            suppressed,
            stranded,
            message(),
        ]))
        .await;
    let expected = [
        None,
        Some(ErrorKind::Permanent),
        Some(ErrorKind::Address),
        Some(ErrorKind::SenderWide { until: None }),
        None,
    ];
    assert_eq!(kinds(&results), expected, "{results:?}");
    assert_eq!(post.sandbox.count(), 2);
}

#[tokio::test]
async fn the_suppression_list_of_one_stream_leaves_the_other_alone() {
    let post = Post::open(ProviderKind::Postmark).await;
    let mut marketing = message();
    marketing.category = Category::Marketing;
    let security = Message {
        category: Category::Security,
        ..marketing.clone()
    };
    post.sandbox
        .suppress(Api::Postmark, "broadcast", &marketing.to.to_uppercase());
    assert_eq!(
        kind(&post.send(&batch_of(vec![marketing])).await),
        ErrorKind::Address
    );
    assert_eq!(ids(&post.send(&batch_of(vec![security])).await).len(), 1);
}

#[tokio::test]
async fn a_refused_key_stops_the_sender_whatever_the_status() {
    for provider in REAL {
        for bad_key_status in [400, 401] {
            let post = Post::open(provider).await;
            post.sandbox.change_settings(|settings| {
                settings.keys = Some(vec!["re_another".to_owned()]);
                settings.bad_key_status = bad_key_status;
            });
            for size in [1, 2] {
                let results = post.send(&batch(size)).await;
                assert!(
                    sender_wide(kind(&results)),
                    "{provider:?} {bad_key_status}: {results:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn an_unverified_domain_stops_the_sender() {
    for provider in REAL {
        let post = Post::open(provider).await;
        post.sandbox
            .change_settings(|settings| settings.domains = Some(Vec::new()));
        for size in [1, 2] {
            assert!(
                sender_wide(kind(&post.send(&batch(size)).await)),
                "{provider:?} {size}"
            );
        }
    }
}

#[tokio::test]
async fn limits_and_quotas_say_how_long() {
    let post = Post::open(ProviderKind::Resend).await;
    post.sandbox
        .change_settings(|settings| settings.resend_rate_per_second = Some(0));
    let limited = kind(&post.send(&batch(2)).await);
    let second = Some(Duration::from_secs(1));
    assert_eq!(
        limited,
        ErrorKind::TooFast {
            retry_after: second
        }
    );
    post.sandbox.change_settings(|settings| {
        settings.resend_rate_per_second = None;
        settings.monthly_quota = Some(1);
    });
    assert!(sender_wide(kind(&post.send(&batch(2)).await)));
    post.sandbox.change_settings(|settings| {
        settings.monthly_quota = None;
        settings.daily_quota = Some(1);
    });
    let ErrorKind::SenderWide { until: Some(until) } = kind(&post.send(&batch(2)).await) else {
        panic!("the daily quota ends at midnight");
    };
    assert_eq!(until.time(), chrono::NaiveTime::MIN);
    let wait = until - chrono::Utc::now();
    assert!(
        wait > chrono::TimeDelta::zero() && wait <= chrono::TimeDelta::days(1),
        "{wait}"
    );
    assert_eq!(post.sandbox.count(), 0);
}

#[tokio::test]
async fn accepted_with_delay_is_accepted() {
    let post = Post::open(ProviderKind::Postmark).await;
    post.sandbox
        .change_settings(|settings| settings.may_be_delayed = true);
    for size in [1, 2] {
        assert_eq!(ids(&post.send(&batch(size)).await).len(), size);
    }
}

#[tokio::test]
async fn details_hold_neither_key_nor_address() {
    for provider in REAL {
        let post = Post::open(provider).await;
        let message = message();
        let loud = Fault::Status {
            status: 422,
            html: false,
            accept: false,
            retry_after: None,
            name: None,
            code: None,
            message: Some(format!("re_sandbox_key may not write to <{}>", message.to)),
            location: None,
        };
        post.sandbox.add_fault(FaultRule::once(loud));
        let results = post.send(&batch_of(vec![message.clone()])).await;
        let detail = results[0].as_ref().expect_err("refused").detail.clone();
        assert!(
            detail.contains("<key> may not write to <<address>>"),
            "{detail}"
        );
    }
}

#[tokio::test]
async fn the_console_takes_everything() {
    let config = ProviderConfig {
        api_key: "".into(),
        ..config(String::new())
    };
    let console = from_config(ProviderKind::Console, &config).expect("nothing to refuse");
    let batch = batch(2);
    let expected: Vec<_> = deliveries(&batch)
        .iter()
        .map(|id| format!("console-{id}"))
        .collect();
    let printed = console.send(&console.encode(&batch)).await;
    assert_eq!(ids(&printed.results), expected);
    assert_eq!(printed.status, Status::Printed);
}
