//! Reading what a link or a form carries, whatever a mail client or a stranger made of it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded;
use uuid::Uuid;

use crate::db::answers::Token;

/// Everything but letters, digits and the dash of a token.
const OUTSIDE_TOKENS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-');

/// A token, as letters write it: nothing else is looked up.
pub(super) fn token(text: &str) -> Option<Uuid> {
    (text.len() == 36)
        .then(|| Uuid::try_parse(text).ok())
        .flatten()
}

/// The token of a letter's own question: its id, a dash, 32 hexadecimal digits.
pub(super) fn letter_token(text: &str) -> Option<Token> {
    let letter = token(text.get(..36)?)?;
    let key = text.get(36..)?.strip_prefix('-')?;
    let is_key = key.len() == 32
        && key
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_key.then(|| Token {
        letter,
        key: key.to_owned(),
    })
}

/// From one page to another of the same token, below whatever path a proxy has put us.
pub(super) fn sibling(page: &str, token: &str) -> String {
    format!("../{page}/{}", utf8_percent_encode(token, OUTSIDE_TOKENS))
}

/// The pairs of a query or of an urlencoded body.
#[derive(Debug)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn read(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The last value of a name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter().rev();
        pairs
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether a box is ticked: it is sent only then, and nobody means yes by `0`, `false`, `no` or `off`.
    pub(super) fn is_ticked(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| {
            !["", "0", "false", "no", "off"].contains(&value.to_ascii_lowercase().as_str())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_whole_uuid_with_dashes() {
        let whole = "0b9f4f2e-7d57-4c0e-8a55-9e0d8f6a1c11";
        assert_eq!(
            token(whole).map(|token| token.to_string()).as_deref(),
            Some(whole)
        );
        for text in [
            "",
            "0b9f4f2e-7d57-4c0e-8a55-9e0d8f6a1c1",
            "0b9f4f2e7d574c0e8a559e0d8f6a1c11",
            "{0b9f4f2e-7d57-4c0e-8a55-9e0d8f6a1c11}",
            "0b9f4f2e-7d57-4c0e-8a55-9e0d8f6a1c1é",
        ] {
            assert_eq!(token(text), None, "{text}");
        }
    }

    #[test]
    fn a_letters_token_is_its_id_and_its_key() {
        let whole = "0b9f4f2e-7d57-4c0e-8a55-9e0d8f6a1c11-0123456789abcdef0123456789abcdef";
        let token = letter_token(whole).map(|token| format!("{}-{}", token.letter, token.key));
        assert_eq!(token.as_deref(), Some(whole));
        for text in [
            "",
            "0b9f4f2e-7d57-4c0e-8a55-9e0d8f6a1c11",
            "0b9f4f2e-7d57-4c0e-8a55-9e0d8f6a1c11-",
            "0b9f4f2e-7d57-4c0e-8a55-9e0d8f6a1c11-0123456789abcdef0123456789abcde",
            "0b9f4f2e-7d57-4c0e-8a55-9e0d8f6a1c11-0123456789abcdef0123456789abcdefa",
            "0b9f4f2e-7d57-4c0e-8a55-9e0d8f6a1c11-0123456789ABCDEF0123456789abcdef",
            "0b9f4f2e-7d57-4c0e-8a55-9e0d8f6a1cé1-0123456789abcdef0123456789abcdef",
        ] {
            assert!(letter_token(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_link_to_another_page_cannot_leave_it() {
        assert_eq!(
            sibling("preferences", "a/../\"><b"),
            "../preferences/a%2F%2E%2E%2F%22%3E%3Cb"
        );
    }

    #[test]
    fn boxes_and_values() {
        let fields = Fields::read(b"a=1&b=off&c=&d=%C3%A9+x&a=0");
        assert!(!fields.is_ticked("a") && !fields.is_ticked("b") && !fields.is_ticked("missing"));
        assert!(fields.is_ticked("d"));
        assert_eq!(fields.get("d"), Some("é x"));
    }
}
