//! Message headers by category (`From`, `To`, `Subject`, `Reply-To` and dates are the provider's).

use super::{Recipient, page, value};
use crate::config::SiteConfig;
use crate::provider::Category;

/// The headers of one message, values on one line and free of control characters.
///
/// Product and marketing carry the one-click unsubscribe of RFC 8058 and a `List-Id`; every letter says that a machine
/// wrote it (RFC 3834), asks Exchange for no automatic answers, and keeps Gmail from threading separate alerts.
pub(super) fn of(recipient: &Recipient, site: &SiteConfig) -> Vec<(String, String)> {
    let mut headers = Vec::with_capacity(6);
    let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value::one_line(value)));
    if let (Some(list), Some(token)) = (list_name(recipient.category), recipient.unsubscribe_token)
    {
        add(
            "List-Unsubscribe",
            &format!("<{}>", page::unsubscribe_url(site, token, list)),
        );
        add("List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
        let host = url::Url::parse(&site.public_url)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned));
        add(
            "List-Id",
            &format!(
                "SEQPULSE <{list}.{}>",
                host.as_deref().unwrap_or("localhost")
            ),
        );
    }
    add("Auto-Submitted", "auto-generated");
    add("X-Auto-Response-Suppress", "OOF, AutoReply");
    add("X-Entity-Ref-ID", &recipient.delivery_id.to_string());
    headers
}

/// The list a category belongs to, as in `?c=`; `None` for letters that nobody can unsubscribe from.
pub(super) fn list_name(category: Category) -> Option<&'static str> {
    match category {
        Category::Product => Some("product"),
        Category::Marketing => Some("marketing"),
        Category::Security | Category::Transactional => None,
    }
}
