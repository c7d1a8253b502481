//! The settings that letters are rendered with.

/// What the letters say about their sender, and where their links point.
#[derive(Debug, Clone)]
pub struct Site {
    /// Base of every CTA, without a trailing slash.
    pub frontend_url: String,
    /// Path of the dashboard CTA, with a leading slash.
    pub cta_dashboard_path: String,
    /// Path of the pricing CTA, with a leading slash.
    pub cta_pricing_path: String,
    /// Path of the onboarding CTA, with a leading slash.
    pub cta_onboarding_path: String,
    /// Base of unsubscribe, preferences, NPS and answer links, without a trailing slash; `None`: the sidecar's pages cannot
    /// be reached, and letters that owe their readers such a link are not written.
    pub public_url: Option<String>,
    /// Shown in every footer; a bare address.
    pub support_address: Option<String>,
    /// Where a promoter is asked to write a review (E-ADV-02).
    pub review_url: Option<String>,
    /// Legal footer of product and marketing letters.
    pub postal_address: Option<String>,
}
