//! A message as a person reads it, from the JSON either provider was sent.

use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;

use super::ledger::Api;

/// The parts of a letter; empty where the request had none.
#[derive(Debug, Default)]
pub(super) struct Letter {
    pub(super) html: String,
    pub(super) text: String,
    /// In the order of the request.
    pub(super) headers: Vec<(String, String)>,
    /// Resend's tags, or Postmark's tag and metadata.
    pub(super) tags: Vec<(String, String)>,
    pub(super) reply_to: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FromResend {
    html: Option<String>,
    text: Option<String>,
    headers: Pairs,
    tags: Vec<ResendTag>,
    reply_to: Value,
}

#[derive(Debug, Deserialize)]
struct ResendTag {
    name: String,
    value: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct FromPostmark {
    html_body: Option<String>,
    text_body: Option<String>,
    headers: Vec<PostmarkHeader>,
    tag: Option<String>,
    metadata: Pairs,
    reply_to: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PostmarkHeader {
    name: String,
    value: String,
}

/// An object of strings that keeps its order.
#[derive(Debug, Default)]
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Pairs;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }

            fn visit_unit<E>(self) -> Result<Pairs, E> {
                Ok(Pairs::default())
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl Letter {
    /// A request that was accepted reads without loss; anything else would be empty rather than an error page.
    pub(super) fn read(api: Api, source: &[u8]) -> Self {
        match api {
            Api::Resend => serde_json::from_slice::<FromResend>(source)
                .map(Self::from)
                .unwrap_or_default(),
            Api::Postmark => serde_json::from_slice::<FromPostmark>(source)
                .map(Self::from)
                .unwrap_or_default(),
        }
    }

    /// The beginning of the text part, on one line.
    pub(super) fn snippet(&self, chars: usize) -> String {
        let words = self
            .text
            .split_whitespace()
            .filter(|word| !word.starts_with("http"));
        let mut line = String::new();
        for word in words {
            if line.chars().count() + word.chars().count() >= chars {
                line.push('…');
                break;
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        line
    }
}

impl From<FromResend> for Letter {
    fn from(email: FromResend) -> Self {
        let reply_to = match email.reply_to {
            Value::String(address) => address,
            Value::Array(list) => list
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(", "),
            _ => String::new(),
        };
        Self {
            html: email.html.unwrap_or_default(),
            text: email.text.unwrap_or_default(),
            headers: email.headers.0,
            tags: email
                .tags
                .into_iter()
                .map(|tag| (tag.name, tag.value))
                .collect(),
            reply_to,
        }
    }
}

impl From<FromPostmark> for Letter {
    fn from(email: FromPostmark) -> Self {
        let tag = email.tag.map(|tag| ("Tag".to_owned(), tag));
        Self {
            html: email.html_body.unwrap_or_default(),
            text: email.text_body.unwrap_or_default(),
            headers: email
                .headers
                .into_iter()
                .map(|header| (header.name, header.value))
                .collect(),
            tags: tag.into_iter().chain(email.metadata.0).collect(),
            reply_to: email.reply_to.unwrap_or_default(),
        }
    }
}

/// JSON with line breaks and indents; the order of fields and the spelling of values stay as they were sent.
pub(super) fn indented(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    let mut previous = ' ';
    let break_line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    for c in json.chars() {
        if in_string {
            out.push(c);
            in_string = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            previous = c;
            continue;
        }
        match c {
            c if c.is_ascii_whitespace() => continue,
            '{' | '[' => {
                if matches!(previous, '{' | '[') {
                    break_line(&mut out, depth);
                }
                depth += 1;
                out.push(c);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                if !matches!(previous, '{' | '[') {
                    break_line(&mut out, depth);
                }
                out.push(c);
            }
            ',' => {
                out.push(c);
                break_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c => {
                if matches!(previous, '{' | '[') {
                    break_line(&mut out, depth);
                }
                in_string = c == '"';
                out.push(c);
            }
        }
        previous = c;
    }
    out
}

/// A piece of a text: plain, or an address to click.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    pub(super) is_link: bool,
}

/// Cuts a text at its web addresses.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest
        .find("https://")
        .into_iter()
        .chain(rest.find("http://"))
        .min()
    {
        let (before, address) = rest.split_at(start);
        let end = address
            .find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\''))
            .unwrap_or(address.len());
        // A full stop or bracket at the end belongs to the sentence.
        let end = address[..end]
            .trim_end_matches(['.', ',', ';', ')', '!', '?'])
            .len();
        if !before.is_empty() {
            pieces.push(Piece {
                text: before,
                is_link: false,
            });
        }
        pieces.push(Piece {
            text: &address[..end],
            is_link: true,
        });
        rest = &address[end..];
    }
    if !rest.is_empty() {
        pieces.push(Piece {
            text: rest,
            is_link: false,
        });
    }
    pieces
}

/// The letter with its links opening in a tab of their own: inside the frame they could not go anywhere.
pub(super) fn with_links_outside(html: &str) -> String {
    const BASE: &str = "<base target=\"_blank\">";
    let head = html
        .to_ascii_lowercase()
        .find("<head")
        .and_then(|at| Some(at + html[at..].find('>')? + 1));
    match head {
        Some(at) => format!("{}{BASE}{}", &html[..at], &html[at..]),
        // Without a head the browser makes one, and puts this into it.
        None if html.trim_start().starts_with("<!") => html.to_owned(),
        None => format!("{BASE}{html}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_read_the_same() {
        let resend =
            br#"{"html":"<p>","text":"t","headers":{"Z":"1","A":"2"},"reply_to":"r@x.example",
            "tags":[{"name":"delivery","value":"d"},{"name":"type","value":"E-TRX-01"}]}"#;
        let postmark = br#"{"HtmlBody":"<p>","TextBody":"t","Headers":[{"Name":"Z","Value":"1"},{"Name":"A","Value":"2"}],
            "ReplyTo":"r@x.example","Tag":"E-TRX-01","Metadata":{"delivery":"d","attempt":"a"}}"#;
        let (one, two) = (
            Letter::read(Api::Resend, resend),
            Letter::read(Api::Postmark, postmark),
        );
        assert_eq!(
            (&one.html, &one.text, &one.reply_to),
            (&two.html, &two.text, &two.reply_to)
        );
        assert_eq!(one.headers, two.headers);
        assert_eq!(one.headers[0].0, "Z", "the order of the request");
        assert_eq!(two.tags.len(), 3);
    }

    #[test]
    fn json_is_indented_without_touching_strings() {
        let json = r#"{"b":"x{,:\"}","a":[1,{}],"e":[],"n":[[2]]}"#;
        let expected = "{\n  \"b\": \"x{,:\\\"}\",\n  \"a\": [\n    1,\n    {}\n  ],\n  \"e\": [],\n  \"n\": [\n    [\n      2\n    ]\n  ]\n}";
        assert_eq!(indented(json), expected);
    }

    #[test]
    fn addresses_in_a_text_are_found() {
        let text = "Voir https://a.example/x?y=1. Ou (http://b.example) fin";
        let links: Vec<_> = pieces(text)
            .into_iter()
            .filter(|piece| piece.is_link)
            .map(|piece| piece.text)
            .collect();
        assert_eq!(links, ["https://a.example/x?y=1", "http://b.example"]);
        assert_eq!(
            pieces(text)
                .iter()
                .map(|piece| piece.text)
                .collect::<String>(),
            text
        );
        assert!(pieces("").is_empty());
    }

    #[test]
    fn the_base_goes_into_the_head() {
        assert_eq!(
            with_links_outside("<!doctype html><HEAD lang=fr><title>"),
            "<!doctype html><HEAD lang=fr><base target=\"_blank\"><title>"
        );
        assert_eq!(with_links_outside("<p>x"), "<base target=\"_blank\"><p>x");
        assert_eq!(
            with_links_outside("<!doctype html><p>x"),
            "<!doctype html><p>x"
        );
    }

    #[test]
    fn a_snippet_is_one_short_line() {
        let letter = Letter {
            text: "Bonjour Léa,\n\nhttps://x.example\nvotre compte".to_owned(),
            ..Letter::default()
        };
        assert_eq!(letter.snippet(100), "Bonjour Léa, votre compte");
        assert_eq!(letter.snippet(15), "Bonjour Léa,…");
    }
}
