//! Connections that break, hang, redirect or prove nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use seqpulse_mailer::provider::ErrorKind;
use seqpulse_mailer::provider::ProviderKind;
use seqpulse_mailer::provider::Recovery;
use seqpulse_mailer::provider::Status;
use seqpulse_mailer::provider::Transmission;
use seqpulse_mailer::provider::from_config;
use standin::fault::DropAt;
use standin::fault::Fault;
use standin::fault::FaultRule;

use super::{deliveries, html, ids, kind, lost, sender_wide, server_error, status};
use crate::post::Post;
use crate::post::REAL;
use crate::post::batch;
use crate::post::config;

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
