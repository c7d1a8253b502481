//! What a provider says is recorded in the journal; the key and the recipients' addresses are not (docs/rules.md#secrets).

use secrecy::{ExposeSecret, SecretString};

/// The longest detail kept, in characters: one sentence, not a page of HTML.
const MAX_CHARS: usize = 300;

/// One line of `text` with everything that looks like an address replaced by `<address>`, the key by `<key>`, and cut to
/// a sentence's length.
pub(crate) fn redact(text: &str, key: &SecretString) -> String {
    let key = key.expose_secret();
    let without_key = if key.is_empty() {
        text.to_owned()
    } else {
        text.replace(key, "<key>")
    };
    let mut out = String::with_capacity(without_key.len());
    for (index, word) in without_key
        .split(is_space)
        .filter(|word| !word.is_empty())
        .enumerate()
    {
        if index > 0 {
            out.push(' ');
        }
        mask_addresses(word, &mut out);
    }
    if out.chars().count() > MAX_CHARS {
        out = out.chars().take(MAX_CHARS - 1).collect();
        out.push('…');
    }
    out
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// Copies a word, replacing each run of characters around an `@` that could belong to an address.
fn mask_addresses(word: &str, out: &mut String) {
    let mut rest = word;
    while !rest.is_empty() {
        let end = rest.find(is_delimiter).unwrap_or(rest.len());
        let (token, tail) = rest.split_at(end);
        if token.contains('@') {
            // The full stop that ends a sentence is not part of the address.
            out.push_str("<address>");
            if token.ends_with('.') {
                out.push('.');
            }
        } else {
            out.push_str(token);
        }
        let mut tail_chars = tail.chars();
        if let Some(delimiter) = tail_chars.next() {
            out.push(delimiter);
        }
        rest = tail_chars.as_str();
    }
}

fn is_delimiter(c: char) -> bool {
    matches!(
        c,
        '<' | '>' | '(' | ')' | '[' | ']' | '"' | '`' | ',' | ';' | ':'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        redact(text, &SecretString::from("re_secret"))
    }

    #[test]
    fn addresses_and_keys_are_masked() {
        for (input, expected) in [
            (
                "Found inactive addresses: max@example.org. Inactive",
                "Found inactive addresses: <address>. Inactive",
            ),
            (
                "Invalid 'To' address: 'nobody@'.",
                "Invalid 'To' address: <address>.",
            ),
            (
                "a@b.c,d@e.f;Léa <léa@exemple.fr>",
                "<address>,<address>;Léa <<address>>",
            ),
            ("mailto:o'brien+x@example.org", "mailto:<address>"),
            ("key re_secret is bad", "key <key> is bad"),
            (
                "two\nlines\tand\u{1b}[31mcolour",
                "two lines and [31mcolour",
            ),
            ("", ""),
        ] {
            assert_eq!(plain(input), expected, "{input:?}");
        }
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(plain(&"é".repeat(1000)).chars().count(), MAX_CHARS);
    }
}
