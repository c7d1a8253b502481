//! Sending reports as the providers do: signed or with a password, again after a failure, under the same id.
//!
//! Times here are real, whatever the sandbox's clock says: a receiver checks them against its own.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::ledger::Api;
use super::settings::{PostmarkRetries, Settings};
use super::state::Shared;
use super::webhook_queue::{Attempt, Report};

/// How long an endpoint may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Seconds between the attempts: Svix; Postmark by the stricter and by the more patient of its published rules.
const SVIX: [u64; 7] = [5, 300, 1800, 7200, 18_000, 36_000, 36_000];
const POSTMARK_SEPTEMBER: [u64; 6] = [60, 300, 600, 600, 600, 900];
const POSTMARK_AUGUST: [u64; 10] = [60, 300, 600, 600, 600, 900, 1800, 3600, 7200, 21_600];

/// Sends what is queued until it is dropped.
pub(super) async fn run(shared: Arc<Shared>, mut waiting: mpsc::UnboundedReceiver<Vec<Report>>) {
    // An error means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().timeout(PATIENCE).build();
    let client = match client {
        Ok(client) => client,
        Err(error) => return tracing::error!(%error, "the sandbox cannot send webhooks"),
    };
    let mut sending = JoinSet::new();
    loop {
        tokio::select! {
            reports = waiting.recv() => match reports {
                Some(reports) => {
                    sending.spawn(in_order(Arc::clone(&shared), client.clone(), reports));
                }
                None => return,
            },
            Some(_) = sending.join_next() => {}
        }
    }
}

/// First attempts one after the other; whatever has to be repeated is repeated beside the rest.
async fn in_order(shared: Arc<Shared>, client: reqwest::Client, reports: Vec<Report>) {
    let settings = shared.settings();
    tokio::time::sleep(Duration::from_millis(settings.webhook_delay_ms)).await;
    let mut again = JoinSet::new();
    for report in reports {
        for _ in 0..settings.webhook_copies.max(1) {
            if attempt(&shared, &client, &report, 1).await {
                let (shared, client, report) =
                    (Arc::clone(&shared), client.clone(), report.clone());
                again.spawn(async move { repeat(&shared, &client, &report).await });
            }
        }
    }
    while again.join_next().await.is_some() {}
}

async fn repeat(shared: &Shared, client: &reqwest::Client, report: &Report) {
    let mut number = 1;
    while let Some(wait) = pause(&shared.settings(), report.api, number) {
        tokio::time::sleep(wait).await;
        number += 1;
        if !attempt(shared, client, report, number).await {
            return;
        }
    }
}

/// How long to wait after this many failures; `None`: given up.
fn pause(settings: &Settings, api: Api, failures: usize) -> Option<Duration> {
    if let Some(pauses) = &settings.webhook_retry_ms {
        return pauses.get(failures - 1).copied().map(Duration::from_millis);
    }
    let schedule: &[u64] = match (api, settings.postmark_retries) {
        (Api::Resend, _) => &SVIX,
        (Api::Postmark, PostmarkRetries::September) => &POSTMARK_SEPTEMBER,
        (Api::Postmark, PostmarkRetries::August) => &POSTMARK_AUGUST,
    };
    schedule.get(failures - 1).copied().map(Duration::from_secs)
}

/// One attempt; answers whether another one is due.
async fn attempt(
    shared: &Shared,
    client: &reqwest::Client,
    report: &Report,
    number: usize,
) -> bool {
    let settings = shared.settings();
    let Some(request) = request(client, &settings, report, number) else {
        return false;
    };
    let status = request
        .send()
        .await
        .ok()
        .map(|answer| answer.status().as_u16());
    let (taken, again) = verdict(report.api, settings.postmark_retries, status);
    tracing::debug!(
        id = report.id,
        kind = report.kind,
        status,
        "a webhook was sent"
    );
    shared.outgoing.note(Attempt {
        id: report.id.clone(),
        api: report.api,
        kind: report.kind.clone(),
        message: report.message,
        attempt: number,
        at: Utc::now(),
        status,
        taken,
    });
    again
}

/// Whether an answer contents the provider, and whether it tries again.
fn verdict(api: Api, rules: PostmarkRetries, status: Option<u16>) -> (bool, bool) {
    let Some(status) = status else {
        return (false, true);
    };
    let success = (200..300).contains(&status);
    match (api, rules) {
        (Api::Resend, _) => (success, !success),
        (Api::Postmark, PostmarkRetries::September) => {
            (success, matches!(status, 408 | 429 | 500..=599))
        }
        (Api::Postmark, PostmarkRetries::August) => (status == 200, status != 200 && status != 403),
    }
}

/// The request; `None` when there is no endpoint on this machine for this provider.
fn request(
    client: &reqwest::Client,
    settings: &Settings,
    report: &Report,
    number: usize,
) -> Option<reqwest::RequestBuilder> {
    let url = settings.webhook_for(report.api)?;
    let secret = settings.webhook_secret.as_deref()?;
    let request = client
        .post(url)
        .header("content-type", "application/json")
        .body(report.body.clone());
    Some(match report.api {
        Api::Resend => {
            let timestamp = Utc::now().timestamp().to_string();
            let signatures: Vec<String> = settings
                .webhook_old_secret
                .iter()
                .map(String::as_str)
                .chain([secret])
                .filter_map(|secret| sign(secret, &report.id, &timestamp, &report.body))
                .collect();
            request
                .header("user-agent", "Svix-Webhooks/1.0 (sandbox)")
                .header("svix-id", &report.id)
                .header("svix-timestamp", timestamp)
                .header("svix-signature", signatures.join(" "))
        }
        Api::Postmark => {
            let (user, password) = secret.split_once(':')?;
            let left = POSTMARK_AUGUST.len().saturating_sub(number);
            let request = request
                .basic_auth(user, Some(password))
                .header("user-agent", "Postmark")
                .header("x-pm-retries-remaining", left);
            if settings.postmark_trace_ids {
                request.header("x-pm-webhook-trace-id", &report.id)
            } else {
                request
            }
        }
    })
}

fn sign(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> Option<String> {
    let key = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    Some(format!(
        "v1,{}",
        STANDARD.encode(mac.finalize().into_bytes())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_contents_the_providers() {
        use PostmarkRetries::{August, September};
        for (api, rules, status, expected) in [
            (Api::Resend, September, Some(204), (true, false)),
            (Api::Resend, September, Some(401), (false, true)),
            (Api::Resend, September, None, (false, true)),
            (Api::Postmark, September, Some(204), (true, false)),
            (Api::Postmark, September, Some(401), (false, false)),
            (Api::Postmark, September, Some(503), (false, true)),
            (Api::Postmark, August, Some(204), (false, true)),
            (Api::Postmark, August, Some(403), (false, false)),
            (Api::Postmark, August, Some(401), (false, true)),
        ] {
            assert_eq!(
                verdict(api, rules, status),
                expected,
                "{api:?} {rules:?} {status:?}"
            );
        }
    }

    #[test]
    fn the_signature_is_svixs() {
        let signature = sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(
            signature.as_deref(),
            Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        );
    }
}
