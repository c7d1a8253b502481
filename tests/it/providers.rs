//! Resend and Postmark clients against the sandbox, over real HTTP: what is sent, and what every kind of failure means.

mod failures;
mod refusals;

use seqpulse_mailer::provider::ProviderConfig;
use seqpulse_mailer::provider::{
    Batch, ErrorKind, Message, ProviderKind, Recovery, SendResult, Status, from_config,
};
use standin::fault::{DropAt, Fault, FaultRule};

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
