//! Message headers by category (`From`, `To`, `Subject`, `Reply-To` and dates are the provider's).

use super::links::{list_name, unsubscribe_url};
use super::{Recipient, value};
use crate::Site;

/// The headers of one message, values on one line and free of control characters.
///
/// Product and marketing carry the one-click unsubscribe of RFC 8058 and a `List-Id`; every letter says that a machine
/// wrote it (RFC 3834), asks Exchange for no automatic answers, and keeps Gmail from threading separate alerts.
pub(crate) fn of(recipient: &Recipient, site: &Site) -> Vec<(String, String)> {
    let mut headers = Vec::with_capacity(6);
    let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value::one_line(value)));
    if let (Some(list), Some(token), Some(public)) = (
        list_name(recipient.category),
        recipient.unsubscribe_token,
        site.public_url.as_deref(),
    ) {
        add(
            "List-Unsubscribe",
            &format!("<{}>", unsubscribe_url(public, token, list)),
        );
        add("List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
        let host = url::Url::parse(public)
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
