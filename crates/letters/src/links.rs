//! Addresses of the sidecar's own pages, as headers and footers carry them.

use uuid::Uuid;

use crate::Category;

/// The list a category belongs to, as in `?c=`; `None` for letters that nobody can unsubscribe from.
pub(crate) fn list_name(category: Category) -> Option<&'static str> {
    match category {
        Category::Product => Some("product"),
        Category::Marketing => Some("marketing"),
        Category::Security | Category::Transactional => None,
    }
}

/// Where unsubscribing from `list` happens; also the one-click address of RFC 8058.
pub(crate) fn unsubscribe_url(public_url: &str, token: Uuid, list: &str) -> String {
    format!("{public_url}/unsubscribe/{token}?c={list}")
}

/// Where all preferences of a recipient are shown and changed.
pub(crate) fn preferences_url(public_url: &str, token: Uuid) -> String {
    format!("{public_url}/preferences/{token}")
}

/// Where a recipient answers the survey.
pub(crate) fn survey_url(public_url: &str, token: Uuid) -> String {
    format!("{public_url}/nps/{token}")
}

/// Where a letter's own question is answered: which letter, and the key that shows that one has received it.
pub(crate) fn answer_url(public_url: &str, delivery: Uuid, key: &str) -> String {
    format!("{public_url}/answer/{delivery}-{key}")
}

/// `path` below `base`; `None` when it is no path of its own: another host, blanks, control characters.
pub(crate) fn below(base: &str, path: &str) -> Option<String> {
    let own = path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= 500
        && !path.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\');
    own.then(|| format!("{base}{path}"))
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
pub(crate) fn push_encoded(url: &mut String, value: &str) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                url.push(byte as char);
            }
            _ => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                url.push('%');
                url.push(HEX[usize::from(byte >> 4)] as char);
                url.push(HEX[usize::from(byte & 15)] as char);
            }
        }
    }
}
