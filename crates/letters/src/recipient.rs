//! Who a letter goes to.

use uuid::Uuid;

use crate::Category;

/// Who a letter goes to, as the claim knows it.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// The journal row's id; header `X-Entity-Ref-ID`.
    pub delivery_id: Uuid,
    /// The category of the row's type: decides headers and footer.
    pub category: Category,
    /// Whose unsubscribe, preferences and NPS links the letter carries; required for product and marketing.
    pub unsubscribe_token: Option<Uuid>,
    /// The A/B subject chosen for this recipient, with `{key}`s; `None` for the letter's own.
    pub subject: Option<String>,
}
