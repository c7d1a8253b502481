//! Bad input in every text field of every letter: escaped, shortened or refused, never a broken or unsafe letter.

use insta::{Settings, assert_snapshot};
use letters::samples::{self, Sample};
use serde_json::{Value, json};

use super::{attributes, sample, try_written, visible, with, written};

/// What people and attackers put into names.
fn nasty() -> Vec<(&'static str, String)> {
    vec![
        ("script", "<script>alert(1)</script>".to_owned()),
        ("attribute", "\" onmouseover=\"alert(1)\" x='".to_owned()),
        ("entities", "R&D &amp; l'équipe <3".to_owned()),
        (
            "header",
            "API\r\nBcc: victime@example.com\r\n\r\n<p>corps</p>\0".to_owned(),
        ),
        (
            "override",
            "facture\u{202e}fdp.exe\u{2066}\u{200f}".to_owned(),
        ),
        ("hebrew", "שער API".to_owned()),
        ("emoji", "👩‍🚀 Fusée 🚀".to_owned()),
        ("long", "x".repeat(200)),
        ("long words", "Passerelle ".repeat(40)),
        ("blank", " \t\u{200b}\u{feff}\n ".to_owned()),
        (
            "template",
            "<%= page.subject %> {first_name} ${{ secrets.X }}".to_owned(),
        ),
        ("javascript", "javascript:alert(1)".to_owned()),
    ]
}

/// Keys whose values have a grammar of their own.
const NOT_TEXT: &[&str] = &[
    "step",
    "verdict",
    "plan",
    "feature",
    "time_zone",
    "month",
    "week_start",
    "resets_on",
    "currency",
    "accept_url",
    "metric",
    "date",
];

/// The JSON pointers of all text in a context, also inside its lists: names of projects, reasons, actions.
fn texts(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => {
            let key = at
                .rsplit('/')
                .find(|part| part.parse::<usize>().is_err())
                .unwrap_or_default();
            if !NOT_TEXT.contains(&key) && !key.ends_with("_at") {
                found.push(at.to_owned());
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                texts(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                texts(field, &format!("{at}/{key}"), found);
            }
        }
        _ => {}
    }
}

/// The pointers of a sample's texts.
fn texts_of(sample: &Sample) -> Vec<String> {
    let mut found = Vec::new();
    texts(&sample.context, "", &mut found);
    found
}

#[test]
fn no_text_field_breaks_any_letter() {
    for base in samples::all() {
        let plain = written(&base);
        let tags = plain.html.matches('<').count();
        for field in texts_of(&base) {
            for (kind, text) in nasty() {
                let mut hostile = base.clone();
                *hostile.context.pointer_mut(&field).unwrap() = Value::from(text);
                let letter = written(&hostile);
                let place = format!("{} {field} {kind}", base.name);
                assert!(
                    !letter.html.contains("<script") && !letter.html.contains("alert(1)\" x"),
                    "{place}: {}",
                    letter.html
                );
                assert_eq!(
                    attributes(&letter.html, "onmouseover"),
                    Vec::<String>::new(),
                    "{place}"
                );
                // Nothing but <bdi> around right-to-left text, and lines that a missing value drops, changes the markup.
                let bdi = letter.html.matches("bdi>").count();
                assert!(letter.html.matches('<').count() - bdi <= tags, "{place}");
                for part in [&letter.subject, &letter.text, &letter.html] {
                    assert!(
                        !part
                            .contains(['\u{202e}', '\u{2066}', '\u{200f}', '\0', '\r', '\u{feff}']),
                        "{place}: {part:?}"
                    );
                }
                assert!(
                    !letter.subject.contains('\n') && letter.subject.chars().count() <= 150,
                    "{place}: {}",
                    letter.subject
                );
                assert!(!letter.subject.trim().is_empty(), "{place}");
                assert!(
                    letter
                        .headers
                        .iter()
                        .all(|(_, value)| !value.contains(char::is_control)),
                    "{place}"
                );
                assert!(
                    letter.text.lines().all(|line| !line.starts_with("Bcc:")),
                    "{place}"
                );
                assert!(letter.html.len() < 40 * 1024, "{place}");
                for href in attributes(&letter.html, "href") {
                    assert!(
                        href.starts_with("https://")
                            || href.starts_with("mailto:") && href.matches('?').count() == 1,
                        "{place}: {href}"
                    );
                    assert!(!href.contains(char::is_whitespace), "{place}: {href}");
                }
            }
        }
    }
}

#[test]
fn names_are_escaped_in_html_and_only_there() {
    let letter = written(&with(
        sample("E-ACT-04"),
        "project_name",
        "L'équipe R&D <3 \"beta\"",
    ));
    assert_eq!(
        letter.subject,
        "Premier verdict SEQPULSE pour L’équipe R&D <3 \"beta\"\u{a0}: warning (déploiement #12)"
    );
    assert!(
        letter.text.contains(
            "« L’équipe R&D <3 \"beta\" »"
                .replace("« ", "«\u{a0}")
                .replace(" »", "\u{a0}»")
                .as_str()
        ),
        "{}",
        letter.text
    );
    assert!(
        letter
            .html
            .contains("L’équipe R&amp;D &lt;3 &quot;beta&quot;"),
        "{}",
        letter.html
    );
    assert!(visible(&letter.html).contains("L’équipe R&D <3 \"beta\""));
}

#[test]
fn right_to_left_names_are_isolated() {
    let html = written(&with(sample("E-ACT-04"), "project_name", "שער API")).html;
    assert!(html.contains("<bdi>שער API</bdi>"), "{html}");
}

#[test]
fn addresses_that_are_not_web_addresses_are_replaced_by_our_own() {
    for (name, field, instead) in [
        (
            "E-BILL-01-J0",
            "update_url",
            "support@example.com (objet\u{a0}: «\u{a0}Mettre à jour le moyen de paiement",
        ),
        (
            "E-BILL-02",
            "invoice_url",
            "https://app.example.com/dashboard/deployments",
        ),
    ] {
        for url in [
            "javascript:alert(1)",
            "JaVaScRiPt://x/%0aalert(1)",
            "data:text/html,x",
            "ftp://example.com/x",
            "//example.com",
            "https://",
            "",
            "https://user:pw@example.com/",
        ] {
            let letter = written(&with(sample(name), field, url));
            assert!(
                letter.text.contains(instead),
                "{name} {url}: {}",
                letter.text
            );
            for href in attributes(&letter.html, "href") {
                assert!(
                    href.starts_with("https://app.example.com/")
                        || href.starts_with("https://mail.example.com/")
                        || href.starts_with("mailto:support@example.com?subject="),
                    "{name} {url}: {href}"
                );
            }
        }
    }
    let quoted = written(&with(
        sample("E-TRX-02-J0"),
        "accept_url",
        "https://app.example.com/?a=\"><script>&b='x",
    ));
    assert!(!quoted.html.contains("\"><script>"), "{}", quoted.html);
    assert!(
        quoted
            .text
            .contains("https://app.example.com/?a=%22%3E%3Cscript%3E&b=%27x"),
        "{}",
        quoted.text
    );
}

#[test]
fn an_invitation_without_a_usable_address_is_not_written() {
    for url in ["javascript:alert(1)", "/i/7f", ""] {
        let error = try_written(&with(sample("E-TRX-02-J0"), "accept_url", url)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "E-TRX-02: field `accept_url` is no http or https address",
            "{url}"
        );
    }
}

#[test]
fn a_configured_path_stays_on_the_frontend() {
    let to = |path: &str| {
        let letter = written(&with(sample("E-RET-03"), "cta_path", path));
        attributes(&letter.html, "href").into_iter().next().unwrap()
    };
    assert_eq!(to("/start"), "https://app.example.com/start");
    assert_eq!(
        to("/p/{project_name}?tab=1"),
        "https://app.example.com/p/API%20Gateway?tab=1"
    );
    for bad in [
        "//evil.example",
        "https://evil.example",
        "@evil.example",
        "/\\evil.example",
        "/a b",
        "/p/{nobody}",
        "/p/{project_name",
    ] {
        assert!(
            to(bad) == "https://app.example.com/dashboard",
            "{bad}: {}",
            to(bad)
        );
    }
}

#[test]
fn the_snippet_only_takes_plain_environments() {
    for (env, shown) in [
        ("staging-2", "staging-2"),
        ("prod'; rm -rf /; '", "prod"),
        ("a b", "prod"),
        ("<b>", "prod"),
    ] {
        let letter = written(&with(sample("E-ACT-02"), "env", env));
        assert!(
            letter.text.contains(&format!("  SEQPULSE_ENV: {shown}\n")),
            "{env}: {}",
            letter.text
        );
    }
}

/// Every count as high as one may be, every other figure out of its range.
fn exaggerate(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(exaggerate),
        Value::Object(fields) => fields.values_mut().for_each(exaggerate),
        value if value.as_i64().is_some_and(|number| number > 1) => *value = json!(999_999_999),
        value if value.is_f64() => *value = json!(-1e300),
        _ => {}
    }
}

#[test]
fn a_list_of_the_wrong_sort_is_refused_by_name() {
    for (name, field) in [
        ("E-ACT-05", "metrics"),
        ("E-CONV-04-several", "features"),
        ("E-CONV-05-projects", "projects"),
        ("E-RET-01", "days"),
        ("E-RET-02-several", "projects"),
    ] {
        let error = try_written(&with(sample(name), field, vec!["<b>"])).unwrap_err();
        assert!(
            error.to_string().contains(&format!("field `{field}[0]`")),
            "{name}: {error}"
        );
    }
}

#[test]
fn hostile_letters_read_as_reviewed() {
    let mut settings = Settings::clone_current();
    settings.set_snapshot_path("../../snapshots/hostile");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for base in samples::all() {
            let mut hostile = base.clone();
            for (index, field) in texts_of(&base).into_iter().enumerate() {
                let text = nasty()[index % nasty().len()].1.clone();
                *hostile.context.pointer_mut(&field).unwrap() = Value::from(text);
            }
            exaggerate(&mut hostile.context);
            let letter = written(&hostile);
            let outcome = format!("Subject: {}\n\n{}", letter.subject, letter.text);
            assert_snapshot!(base.name, outcome);
        }
    });
}
