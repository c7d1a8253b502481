//! From a claim to the bytes of its request: no clock, no randomness, so that the same claim and settings always give the
//! same bytes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use letters::Recipient;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::config::Config;
use crate::db::outbox::{Claim, Claimed};
use crate::db::settlement::{Outcome, Settlement};
use crate::provider::{Batch, Message, Request};
use crate::worker::shared::Shared;

/// A letter that could be written.
#[derive(Debug)]
pub(super) struct Written<'a> {
    pub(super) claimed: &'a Claimed,
    pub(super) message: Message,
}

/// The letters of a claim, and what is to be recorded of those that cannot be written.
pub(super) fn write_all<'a>(
    shared: &Shared,
    claim: &'a Claim,
) -> (Vec<Written<'a>>, Vec<Settlement>) {
    let mut written = Vec::with_capacity(claim.letters.len());
    let mut failed = Vec::new();
    for claimed in &claim.letters {
        match write(&shared.config, claimed) {
            Ok(message) => written.push(Written { claimed, message }),
            Err(reason) => failed.push(Settlement::new(claimed, Outcome::Permanent, Some(reason))),
        }
    }
    (written, failed)
}

fn write(config: &Config, claimed: &Claimed) -> Result<Message, String> {
    if claimed.recipient.is_empty() {
        return Err(format!(
            "{}: the row has no to_email and its user no address",
            claimed.email_type
        ));
    }
    let recipient = Recipient {
        delivery_id: claimed.delivery,
        category: claimed.category,
        unsubscribe_token: claimed.unsubscribe_token,
        subject: claimed
            .context
            .get("subject_template")
            .and_then(Value::as_str)
            .map(str::to_owned),
    };
    let letter = letters::render(
        &claimed.email_type,
        &claimed.context,
        &recipient,
        &config.site,
    )
    .map_err(|error| error.to_string())?;
    Ok(Message {
        delivery_id: claimed.delivery,
        email_type: claimed.email_type.clone(),
        category: claimed.category,
        to: claimed.recipient.clone(),
        subject: letter.subject,
        html: letter.html,
        text: letter.text,
        headers: letter.headers,
        track: claimed.tracking,
    })
}

/// The request for these letters, and the SHA-256 of its body.
pub(super) fn encode(
    shared: &Shared,
    claim: &Claim,
    written: &[Written<'_>],
) -> (Request, [u8; 32]) {
    let batch = Batch {
        id: claim.batch,
        idempotency_key: key(written),
        messages: written
            .iter()
            .map(|written| written.message.clone())
            .collect(),
    };
    let request = shared.provider.encode(&batch);
    // ring, as for TLS: where the processor has no instructions for it, portable code spent a third of the sidecar's time here.
    let digest = ring::digest::digest(&ring::digest::SHA256, &request.body);
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest.as_ref());
    (request, sha256)
}

/// The same members with the same numbers of attempts give the same key on every sidecar: a claim that was lost in a
/// failover meets its own key again.
fn key(written: &[Written<'_>]) -> String {
    let mut digest = Sha256::new();
    for Written { claimed, .. } in written {
        digest.update(format!("{}\n{}\n", claimed.dedupe_key, claimed.attempts));
    }
    format!("seqpulse/{}", URL_SAFE_NO_PAD.encode(digest.finalize()))
}

/// What shapes the body besides the members, for a person who asks why two sidecars render differently.
pub(in crate::worker) fn settings(config: &Config) -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "EMAIL_FROM": config.provider.from,
        "EMAIL_REPLY_TO": config.provider.reply_to,
        "EMAIL_MESSAGE_STREAM_TRANSACTIONAL": config.provider.stream_transactional,
        "EMAIL_MESSAGE_STREAM_MARKETING": config.provider.stream_marketing,
        "FRONTEND_URL": config.site.frontend_url,
        "EMAIL_CTA_DASHBOARD_PATH": config.site.cta_dashboard_path,
        "EMAIL_CTA_PRICING_PATH": config.site.cta_pricing_path,
        "EMAIL_CTA_ONBOARDING_PATH": config.site.cta_onboarding_path,
        "PUBLIC_URL": config.site.public_url,
        "EMAIL_SUPPORT_ADDRESS": config.site.support_address,
        "EMAIL_REVIEW_URL": config.site.review_url,
        "EMAIL_POSTAL_ADDRESS": config.site.postal_address,
    })
}
