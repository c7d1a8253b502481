//! Refusals of a batch, a key, a domain or a limit.

use std::time::Duration;

use letters::Category;
use seqpulse_mailer::provider::ErrorKind;
use seqpulse_mailer::provider::Message;
use seqpulse_mailer::provider::ProviderKind;
use standin::ledger::Api;

use super::{ids, kind, kinds, sender_wide, split};
use crate::post::Post;
use crate::post::REAL;
use crate::post::batch;
use crate::post::batch_of;
use crate::post::message;

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
