//! The catalogue.
use crate::config::SiteConfig;
use crate::provider::Category;
use serde_json::Value;
use uuid::Uuid;
/// x
#[derive(Debug)]
pub struct Recipient {
    /// x
    pub delivery_id: Uuid,
    /// x
    pub category: Category,
    /// x
    pub unsubscribe_token: Option<Uuid>,
    /// x
    pub subject: Option<String>,
}
/// x
#[derive(Debug)]
pub struct Letter {
    /// x
    pub subject: String,
    /// x
    pub html: String,
    /// x
    pub text: String,
    /// x
    pub headers: Vec<(String, String)>,
}
/// x
pub fn render(code: &str, c: &Value, _: &Recipient, _: &SiteConfig) -> Result<Letter, String> {
    Ok(Letter {
        subject: format!("{code}"),
        html: format!("<p>{c}</p>"),
        text: c.to_string(),
        headers: vec![],
    })
}
