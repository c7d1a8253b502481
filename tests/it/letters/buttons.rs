//! Where buttons lead: pages that the frontend has, pages of ours, mailboxes.

use letters::samples;

use super::{attributes, sample, with, without, written};

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
    let owner = "mailto:nassir@example.com?subject=Checkout%20API%2C%20d%C3%A9ploiement%20%2350";
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
        "1234+nassir@users.noreply.github.com",
    ] {
        let led = button(&with(copy.clone(), "owner_email", unusable));
        assert!(
            led.starts_with("mailto:support@example.com?subject="),
            "{unusable}: {led}"
        );
        let letter = written(&with(copy.clone(), "owner_email", unusable));
        assert!(
            letter.text.contains("Écrire au support\u{a0}:"),
            "{unusable}: {}",
            letter.text
        );
    }
    let tricky = button(&with(copy, "owner_email", "a?cc=x&b@example.com"));
    assert!(
        tricky.starts_with("mailto:a%3Fcc%3Dx%26b@example.com?subject="),
        "{tricky}"
    );
}

#[test]
fn a_copy_says_to_ask_the_owner_for_what_only_they_can_open() {
    let mut copies = 0;
    for own in samples::all() {
        if !["E-ACT-04", "E-ACT-05"].contains(&own.code) || own.name == "E-ACT-05-copy" {
            continue;
        }
        let copy = written(&with(own.clone(), "owner_email", "owner@example.com")).text;
        let own = written(&own).text;
        for theirs in [
            "onglet Integration",
            "plan Pro",
            "propriétaire de ce projet",
        ] {
            assert!(!copy.contains(theirs), "{theirs}: {copy}");
        }
        let asks = ["demandez-lui", "Demander au propriétaire"];
        assert!(asks.iter().any(|asks| copy.contains(asks)), "{copy}");
        assert!(!asks.iter().any(|asks| own.contains(asks)), "{own}");
        assert!(own.contains("propriétaire de ce projet"), "{own}");
        copies += 1;
    }
    assert!(copies >= 14, "{copies}");
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
