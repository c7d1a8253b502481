//! Settings and messages for the tests of this module.

use std::time::Duration;

use letters::Category;
use secrecy::SecretString;
use uuid::Uuid;

use super::ProviderConfig;
use super::{Batch, Message};

/// Points nowhere: port 9 of loopback is closed on any machine that runs tests.
pub(super) fn config() -> ProviderConfig {
    ProviderConfig {
        api_key: SecretString::from("re_secret_key"),
        base_url: "http://127.0.0.1:9".to_owned(),
        from: "SeqPulse <hello@mail.example.com>".to_owned(),
        reply_to: Some("support@example.com".to_owned()),
        stream_transactional: "outbound".to_owned(),
        stream_marketing: "broadcast".to_owned(),
        timeout: Duration::from_secs(2),
    }
}

pub(super) fn message(number: u128, category: Category) -> Message {
    Message {
        delivery_id: Uuid::from_u128(number),
        email_type: "E-TRX-01".to_owned(),
        category,
        to: format!("lea{number}@example.org"),
        subject: "Bienvenue à bord".to_owned(),
        html: "<p>Bonjour Léa</p>".to_owned(),
        text: "Bonjour Léa".to_owned(),
        headers: vec![
            ("X-Entity-Ref-ID".to_owned(), number.to_string()),
            ("Auto-Submitted".to_owned(), "auto-generated".to_owned()),
        ],
        track: category == Category::Marketing,
    }
}

pub(super) fn batch(messages: Vec<Message>) -> Batch {
    Batch {
        id: Uuid::from_u128(0xb),
        idempotency_key: "b/0001".to_owned(),
        messages,
    }
}
