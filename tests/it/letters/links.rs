//! Links, headers and footers by category (RFC 8058, RFC 3834).

use std::collections::BTreeSet;

use letters::Category;
use letters::samples;

use super::{attributes, sample, visible, with, without, written};

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

/// The paths of SEQPULSE's frontend that a link may lead to, and the queries that they read; `*` is one segment.
const ROUTES: &[(&str, &[&str])] = &[
    ("/", &[]),
    ("/auth", &[]),
    ("/dashboard", &[]),
    ("/dashboard/projects", &[]),
    ("/dashboard/projects/new", &[]),
    (
        "/dashboard/projects/*",
        &[
            "tab=overview",
            "tab=deployments",
            "tab=diagnostics",
            "tab=integration",
            "tab=settings",
        ],
    ),
    (
        "/dashboard/deployments",
        &[
            "verdict=ok",
            "verdict=warning",
            "verdict=rollback",
            "verdict=rollback_recommended",
        ],
    ),
    ("/dashboard/deployments/*/*", &[]),
    ("/dashboard/SDH", &[]),
    ("/dashboard/settings", &[]),
    ("/dashboard/Help", &[]),
    ("/pricing", &[]),
];

/// Whether the frontend has a page at this address and reads its query.
fn is_route(address: &str) -> bool {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    ROUTES.iter().any(|(route, queries)| {
        let same = route.split('/').count() == path.split('/').count()
            && route
                .split('/')
                .zip(path.split('/'))
                .all(|(known, given)| known == given || known == "*" && !given.is_empty());
        same && (query.is_empty() || queries.contains(&query))
    })
}

#[test]
fn no_letter_leads_to_a_page_that_the_frontend_lacks() {
    for dead in [
        "/projects/new",
        "/dashboard/deployments/c2a4e6f8",
        "/dashboard?project=1",
        "/pricing?project=1",
        "/dashboard/sdh",
        "/dashboard/projects/a/b",
    ] {
        assert!(!is_route(dead), "{dead}");
    }
    let checked = |sample: &samples::Sample| {
        let letter = written(sample);
        for link in attributes(&letter.html, "href") {
            if let Some(address) = link.strip_prefix("https://app.example.com") {
                // The one page of the application that a letter is told the address of.
                let told = sample.context["accept_url"] == link;
                assert!(told || is_route(address), "{}: {link}", sample.name);
            }
        }
    };
    for sample in samples::all() {
        checked(&sample);
        // Also with as little as the letter can do with, when alternatives are used.
        let required = letters::required(sample.code).unwrap();
        let mut bare = sample;
        bare.context
            .as_object_mut()
            .unwrap()
            .retain(|key, _| required.contains(&key.as_str()));
        checked(&bare);
    }
}

/// The button of a letter.
fn button(sample: &samples::Sample) -> String {
    let letter = written(sample);
    let (_, from) = letter.html.split_once("class=\"button\"").unwrap();
    attributes(from, "href").into_iter().next().unwrap()
}

#[test]
fn buttons_lead_where_the_letter_can_be_answered() {
    let letter = "6c0f5b1e-52b9-4f0e-9b0a-1a2b3c4d5e6f-5f1c0d3a7b524e19a6c492d8e0f73b15";
    let answer = format!("https://mail.example.com/answer/{letter}");
    for (name, leads) in [
        ("E-TRX-01", "https://app.example.com/dashboard/projects/new"),
        ("E-SEC-01", "https://app.example.com/dashboard/settings"),
        ("E-SEC-02", &answer),
        ("E-RET-02", &answer),
        ("E-RET-04-J37", &answer),
        (
            "E-ACT-02",
            "https://app.example.com/dashboard/projects/checkout-api?tab=integration",
        ),
        (
            "E-ACT-05",
            "https://app.example.com/dashboard/deployments/checkout-api/c2a4e6f8-1b3d-4f5a-9c7e-8d0b2a4c6e81",
        ),
        (
            "E-CONV-01",
            "mailto:support@example.com?subject=Passer%20au%20plan%20Pro%20%3A%20Checkout%20API",
        ),
        ("E-BILL-01-J0", "https://billing.example.com/update/in_1042"),
    ] {
        assert_eq!(button(&sample(name)), leads, "{name}");
    }
    assert_eq!(
        button(&without(sample("E-BILL-01-J0"), "update_url")),
        "mailto:support@example.com?subject=Mettre%20%C3%A0%20jour%20le%20moyen%20de%20paiement%20%3A%20API%20Gateway"
    );
    // A newer project has the same slug: the application would show that one.
    assert_eq!(
        button(&without(sample("E-ACT-02"), "unique_slug")),
        "https://app.example.com/dashboard/projects"
    );
}

#[test]
fn a_copy_writes_to_the_owner_whatever_the_configured_path() {
    let copy = sample("E-ACT-05-copy");
    let owner = "mailto:nassir@example.com?subject=API%20Gateway%2C%20d%C3%A9ploiement%20%2312";
    for path in [None, Some("/dashboard/SDH"), Some("{support}")] {
        let copy = with(copy.clone(), "cta_path", path);
        assert_eq!(button(&copy), owner, "{path:?}");
        let html = written(&copy).html;
        assert!(!html.contains("https://app.example.com"), "{path:?}");
    }
    for unusable in [
        "",
        "nobody",
        "a b@example.com",
        "x@example.com\u{202e}",
        "a@b?cc=c@d.e f",
    ] {
        let led = button(&with(copy.clone(), "owner_email", unusable));
        assert!(
            led.starts_with("mailto:support@example.com?subject="),
            "{unusable}: {led}"
        );
    }
    let tricky = button(&with(copy, "owner_email", "a?cc=x&b@example.com"));
    assert!(
        tricky.starts_with("mailto:a%3Fcc%3Dx%26b@example.com?subject="),
        "{tricky}"
    );
}

#[test]
fn without_a_page_of_ours_a_question_goes_where_it_can() {
    let site = letters::Site {
        public_url: None,
        ..samples::site()
    };
    let write = |sample: &samples::Sample| {
        letters::render(sample.code, &sample.context, &sample.recipient(), &site)
    };
    let letter = write(&sample("E-SEC-02")).unwrap();
    assert!(
        letter
            .text
            .contains("Ce n’était pas moi\u{a0}:\nhttps://app.example.com/dashboard/settings\n"),
        "{}",
        letter.text
    );
    assert!(
        letter
            .text
            .contains("écrivez au support (support@example.com)")
    );
    assert!(!letter.text.contains("signalez-le") && !letter.html.contains("signalez-le"));
    let refused = write(&sample("E-RET-04-J30")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "E-RET-04: setting PUBLIC_URL is missing"
    );
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
                "Lyon, France",
                "changer de mot de passe ne ferme pas une session",
            ],
        ),
        (
            "E-SEC-02",
            [
                "connexion",
                "mardi 3\u{a0}mars 2026 à 03:14 (heure de Paris)",
                "Hanoï, Vietnam",
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
