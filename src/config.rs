//! Settings, read from the environment and checked once, at start.

use std::time::Duration;

use secrecy::SecretString;

/// What a provider needs to know.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// Never printed: the type's `Debug` hides it.
    pub api_key: SecretString,
    /// Without a trailing slash, such as `https://api.resend.com`.
    pub base_url: String,
    /// An RFC 5322 mailbox, such as `SeqPulse <hello@mail.example.com>`.
    pub from: String,
    /// An RFC 5322 mailbox.
    pub reply_to: Option<String>,
    /// Postmark stream of security and transactional mail.
    pub stream_transactional: String,
    /// Postmark stream of product and marketing mail.
    pub stream_marketing: String,
    /// One whole request, from connecting to the last byte of the answer.
    pub timeout: Duration,
}

/// What the letters say about their sender, and where their links point.
#[derive(Debug, Clone)]
pub struct SiteConfig {
    /// Base of every CTA, without a trailing slash.
    pub frontend_url: String,
    /// Path of the dashboard CTA, with a leading slash.
    pub cta_dashboard_path: String,
    /// Path of the pricing CTA, with a leading slash.
    pub cta_pricing_path: String,
    /// Path of the onboarding CTA, with a leading slash.
    pub cta_onboarding_path: String,
    /// Base of unsubscribe, preferences and NPS links, without a trailing slash.
    pub public_url: String,
    /// Shown in every footer.
    pub support_address: Option<String>,
    /// Where a promoter is asked to write a review (E-ADV-02).
    pub review_url: Option<String>,
    /// Legal footer of product and marketing letters.
    pub postal_address: Option<String>,
}
