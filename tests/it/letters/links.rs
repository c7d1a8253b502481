//! Links, headers and footers by category (RFC 8058, RFC 3834).

use std::collections::BTreeSet;

use letters::Category;
use letters::samples;

use super::{attributes, sample, visible, written};

/// A `mailto:` in words, as the text part names it.
fn in_words(href: &str) -> Option<(String, String)> {
    let (address, subject) = href.strip_prefix("mailto:")?.split_once("?subject=")?;
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8()
            .unwrap()
            .into_owned()
    };
    Some((decode(address), decode(subject)))
}

#[test]
fn both_parts_carry_the_same_links_and_all_are_ours() {
    for sample in samples::all() {
        let letter = written(&sample);
        let (messages, html): (BTreeSet<String>, BTreeSet<String>) =
            attributes(&letter.html, "href")
                .into_iter()
                .partition(|href| href.starts_with("mailto:"));
        let text: BTreeSet<String> = letter
            .text
            .split_whitespace()
            .filter(|word| word.starts_with("http"))
            .map(str::to_owned)
            .collect();
        assert_eq!(html, text, "{}", sample.name);
        for link in &html {
            let known = ["app", "mail", "billing", "avis"]
                .iter()
                .any(|host| link.starts_with(&format!("https://{host}.example.com/")));
            assert!(known, "{}: {link}", sample.name);
        }
        for href in &messages {
            let (address, subject) = in_words(href).unwrap();
            assert!(!subject.is_empty(), "{}: {href}", sample.name);
            assert!(letter.text.contains(&address), "{}: {href}", sample.name);
        }
        // Wherever the HTML part names support, it begins a message.
        let named = visible(&letter.html).matches("support@example.com").count();
        let led = messages
            .iter()
            .map(|href| letter.html.matches(&format!("href=\"{href}\"")).count())
            .sum::<usize>();
        assert!(led >= 1 && named >= 1, "{}", sample.name);
    }
}

#[test]
fn one_button_whose_address_is_also_written_out() {
    for sample in samples::all() {
        let letter = written(&sample);
        let buttons = letter.html.matches("class=\"button\"").count();
        assert_eq!(buttons, 1, "{}", sample.name);
        let button = letter.html.split_once("class=\"button\"").unwrap().1;
        let href = attributes(button, "href").into_iter().next().unwrap();
        let seen = visible(&letter.html).replace('\u{a0}', " ");
        let shown = match in_words(&href) {
            None => href.clone(),
            Some((address, subject)) => {
                format!("{address} (objet : « {} »)", subject.replace('\'', "’"))
            }
        };
        assert!(seen.contains(&shown), "{}: {href}", sample.name);
    }
}

#[test]
fn headers_and_footer_follow_the_category() {
    for sample in samples::all() {
        let letter = written(&sample);
        let header = |name: &str| {
            letter
                .headers
                .iter()
                .find(|(other, _)| other == name)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!(
            header("Auto-Submitted"),
            Some("auto-generated"),
            "{}",
            sample.name
        );
        assert_eq!(
            header("X-Auto-Response-Suppress"),
            Some("OOF, AutoReply"),
            "{}",
            sample.name
        );
        assert_eq!(
            header("X-Entity-Ref-ID"),
            Some("6c0f5b1e-52b9-4f0e-9b0a-1a2b3c4d5e6f"),
            "{}",
            sample.name
        );
        assert_eq!(header("Precedence"), None, "{}", sample.name);
        assert!(
            letter.text.contains("support@example.com")
                && letter.html.contains("support@example.com"),
            "{}",
            sample.name
        );
        let list = match sample.category {
            Category::Product => Some("product"),
            Category::Marketing => Some("marketing"),
            Category::Security | Category::Transactional => None,
        };
        if let Some(list) = list {
            let url = format!(
                "https://mail.example.com/unsubscribe/8f1c0d3a-7b52-4e19-a6c4-92d8e0f73b15?c={list}"
            );
            assert_eq!(
                header("List-Unsubscribe"),
                Some(format!("<{url}>").as_str()),
                "{}",
                sample.name
            );
            assert_eq!(
                header("List-Unsubscribe-Post"),
                Some("List-Unsubscribe=One-Click"),
                "{}",
                sample.name
            );
            assert_eq!(
                header("List-Id"),
                Some(format!("SEQPULSE <{list}.mail.example.com>").as_str()),
                "{}",
                sample.name
            );
            for part in [&letter.text, &letter.html] {
                assert!(part.contains(&url), "{}", sample.name);
                assert!(
                    part.contains("/preferences/8f1c0d3a-7b52-4e19-a6c4-92d8e0f73b15"),
                    "{}",
                    sample.name
                );
            }
            assert!(
                letter.text.contains("75011 Paris") && letter.html.contains("75011 Paris"),
                "{}",
                sample.name
            );
        } else {
            for name in ["List-Unsubscribe", "List-Unsubscribe-Post", "List-Id"] {
                assert_eq!(header(name), None, "{}", sample.name);
            }
            for part in [&letter.text, &letter.html] {
                assert!(
                    !part.contains("/unsubscribe/") && !part.contains("75011"),
                    "{}",
                    sample.name
                );
            }
        }
    }
}

#[test]
fn transactional_and_security_letters_promote_nothing() {
    for sample in samples::all().into_iter().filter(|sample| {
        matches!(
            sample.category,
            Category::Security | Category::Transactional
        )
    }) {
        let letter = written(&sample);
        for lure in [
            "/pricing",
            "Passez au plan",
            "Passer au plan",
            "Découvrez",
            "offre",
        ] {
            assert!(
                !letter.text.contains(lure) && !letter.html.contains(lure),
                "{}: {lure}",
                sample.name
            );
        }
    }
}

#[test]
fn eleven_scores_in_both_parts() {
    let letter = written(&sample("E-ADV-01"));
    for score in 0..=10 {
        let link = format!(
            "https://mail.example.com/nps/8f1c0d3a-7b52-4e19-a6c4-92d8e0f73b15?score={score}"
        );
        assert!(attributes(&letter.html, "href").contains(&link), "{link}");
        assert!(
            letter.text.contains(&format!("{score}\u{a0}: {link}\n")),
            "{link}"
        );
    }
}

#[test]
fn security_letters_say_what_when_where_and_what_to_do() {
    for (name, phrases) in [
        (
            "E-SEC-01",
            [
                "désactivée",
                "mardi 3\u{a0}mars 2026 à 22:41 (heure de Paris)",
                "Firefox sur Linux (nouvel appareil)",
                "changer de mot de passe ne ferme pas une session",
            ],
        ),
        (
            "E-SEC-02-place",
            [
                "vient d’un appareil et d’un pays inhabituels",
                "mardi 3\u{a0}mars 2026 à 03:14 (heure de Paris)",
                "Hanoï, Vietnam",
                "changez votre mot de passe",
            ],
        ),
        (
            "E-SEC-02",
            [
                "appareil inhabituel",
                "mardi 3\u{a0}mars 2026 à 03:14 (heure de Paris)",
                "Chrome sur Windows",
                "changez votre mot de passe",
            ],
        ),
    ] {
        let letter = written(&sample(name));
        for phrase in phrases {
            assert!(
                letter.text.contains(phrase),
                "{name} lacks {phrase}: {}",
                letter.text
            );
            assert!(
                visible(&letter.html).contains(phrase),
                "{name} lacks {phrase}"
            );
        }
    }
}
