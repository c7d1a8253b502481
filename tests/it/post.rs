//! A sandbox, and letters to send to it.

use std::sync::Arc;
use std::time::Duration;

use letters::Category;
use seqpulse_mailer::provider::ProviderConfig;
use seqpulse_mailer::provider::{
    Batch, Message, Provider, ProviderKind, Request, SendResult, from_config,
};
use standin::Sandbox;
use uuid::Uuid;

use crate::support::sandbox;

/// A sandbox and a provider that talks to it over HTTP.
pub(crate) struct Post {
    pub(crate) sandbox: Sandbox,
    pub(crate) provider: Arc<dyn Provider>,
}

/// Both providers that call somebody.
pub(crate) const REAL: [ProviderKind; 2] = [ProviderKind::Resend, ProviderKind::Postmark];

pub(crate) fn config(base_url: String) -> ProviderConfig {
    ProviderConfig {
        api_key: "re_sandbox_key".into(),
        base_url,
        from: "SeqPulse <hello@mail.example.com>".to_owned(),
        reply_to: Some("support@example.com".to_owned()),
        stream_transactional: "outbound".to_owned(),
        stream_marketing: "broadcast".to_owned(),
        timeout: Duration::from_secs(30),
    }
}

impl Post {
    pub(crate) async fn open(kind: ProviderKind) -> Self {
        Self::with_timeout(kind, Duration::from_secs(30)).await
    }

    pub(crate) async fn with_timeout(kind: ProviderKind, timeout: Duration) -> Self {
        let sandbox = sandbox().await;
        let config = ProviderConfig {
            timeout,
            ..config(sandbox.url())
        };
        let provider = from_config(kind, &config).expect("settings of a test");
        Self { sandbox, provider }
    }

    pub(crate) async fn send(&self, batch: &Batch) -> Vec<SendResult> {
        self.transmit(&self.provider.encode(batch)).await
    }

    pub(crate) async fn transmit(&self, request: &Request) -> Vec<SendResult> {
        self.provider.send(request).await.results
    }
}

/// A letter nobody has objections to.
pub(crate) fn message() -> Message {
    let delivery_id = Uuid::new_v4();
    Message {
        delivery_id,
        email_type: "E-TRX-01".to_owned(),
        category: Category::Transactional,
        to: format!("{}@example.org", delivery_id.simple()),
        subject: "Bienvenue à bord, Léa".to_owned(),
        html:
            "<!doctype html><html><head><title>x</title></head><body><h1>Bonjour</h1></body></html>"
                .to_owned(),
        text: "Bonjour Léa,\n\nvotre compte est prêt.".to_owned(),
        headers: vec![
            ("X-Entity-Ref-ID".to_owned(), delivery_id.to_string()),
            ("Auto-Submitted".to_owned(), "auto-generated".to_owned()),
        ],
        track: false,
    }
}

/// So many of them in one request.
pub(crate) fn batch(messages: usize) -> Batch {
    batch_of((0..messages).map(|_| message()).collect())
}

pub(crate) fn batch_of(messages: Vec<Message>) -> Batch {
    let id = Uuid::new_v4();
    Batch {
        id,
        idempotency_key: format!("b/{id}"),
        messages,
    }
}
