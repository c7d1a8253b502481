//! French formatting.

use chrono::{DateTime, NaiveDate, Utc};
use letters::french::{self, Zone};

fn at(instant: &str) -> DateTime<Utc> {
    instant.parse().unwrap()
}

fn day(date: &str) -> NaiveDate {
    date.parse().unwrap()
}

#[test]
fn numbers() {
    for (value, written) in [
        (0, "0"),
        (999, "999"),
        (1000, "1\u{a0}000"),
        (1_234_567, "1\u{a0}234\u{a0}567"),
    ] {
        assert_eq!(french::number(value), written);
    }
    for (value, written) in [
        (18.0, "18"),
        (18.24, "18,2"),
        (-0.96, "1"),
        (0.04, "0"),
        (1234.5, "1\u{a0}234,5"),
    ] {
        assert_eq!(french::decimal(value), written, "{value}");
    }
    for (value, written) in [
        (18.0, "+18\u{a0}%"),
        (-12.34, "−12,3\u{a0}%"),
        (0.0, "0\u{a0}%"),
        (-0.01, "0\u{a0}%"),
    ] {
        assert_eq!(french::signed(value, "%"), written, "{value}");
    }
}

#[test]
fn plurals_begin_at_two() {
    for (value, written) in [
        (0, "0 déploiement"),
        (1, "1 déploiement"),
        (2, "2 déploiements"),
    ] {
        assert_eq!(french::count(value, "déploiement", "déploiements"), written);
    }
    assert_eq!(
        (french::days(1), french::days(5)),
        ("1\u{a0}jour".to_owned(), "5\u{a0}jours".to_owned())
    );
}

#[test]
fn money_has_the_decimals_of_its_currency() {
    for (minor, currency, written) in [
        (4900, "EUR", Some("49,00\u{a0}€")),
        (4900, "eur", Some("49,00\u{a0}€")),
        (5, "EUR", Some("0,05\u{a0}€")),
        (123_456_789, "EUR", Some("1\u{a0}234\u{a0}567,89\u{a0}€")),
        (4900, "JPY", Some("4\u{a0}900\u{a0}¥")),
        (32_500, "XOF", Some("32\u{a0}500\u{a0}XOF")),
        (1250, "TND", Some("1,250\u{a0}TND")),
        (4900, "USD", Some("49,00\u{a0}$US")),
        (4900, "CHF", Some("49,00\u{a0}CHF")),
        (4900, "", None),
        (4900, "euros", None),
        (4900, "E€R", None),
        (4900, "<b>", None),
    ] {
        assert_eq!(
            french::money(minor, currency).as_deref(),
            written,
            "{minor} {currency}"
        );
    }
}

#[test]
fn dates() {
    assert_eq!(french::date(day("2026-03-02")), "lundi 2\u{a0}mars 2026");
    assert_eq!(french::date(day("2026-08-01")), "samedi 1er\u{a0}août 2026");
    let of: Vec<String> = (1..=12)
        .map(|month| french::of_month(NaiveDate::from_ymd_opt(2026, month, 1).unwrap()))
        .collect();
    assert_eq!(of[1], "de février");
    assert_eq!(
        (of[3].as_str(), of[7].as_str(), of[9].as_str()),
        ("d'avril", "d'août", "d'octobre")
    );
    assert_eq!(of.iter().filter(|name| name.starts_with("d'")).count(), 3);
}

#[test]
fn moments_are_local_on_both_sides_of_a_clock_change() {
    let paris = Zone::named(Some("Europe/Paris"));
    assert_eq!(
        paris.moment(at("2026-03-29T00:59:00Z")),
        "dimanche 29\u{a0}mars 2026 à 01:59"
    );
    assert_eq!(
        paris.moment(at("2026-03-29T01:00:00Z")),
        "dimanche 29\u{a0}mars 2026 à 03:00"
    );
    assert_eq!(
        Zone::named(Some("Asia/Tokyo")).moment(at("2026-03-02T23:00:00Z")),
        "mardi 3\u{a0}mars 2026 à 08:00"
    );
    assert_eq!(
        Zone::named(Some("America/New_York")).moment(at("2026-01-01T02:30:00Z")),
        "mercredi 31\u{a0}décembre 2025 à 21:30"
    );
}

#[test]
fn zones_have_names_that_a_reader_knows() {
    for (name, label) in [
        (None, "heure de Paris"),
        (Some("Europe/London"), "heure de Londres"),
        (Some("Asia/Kolkata"), "fuseau Asia/Kolkata"),
        (Some("UTC"), "UTC"),
        (Some("Mars/Olympus"), "UTC"),
    ] {
        assert_eq!(Zone::named(name).label(), label, "{name:?}");
    }
}

#[test]
fn spaces_that_must_not_break() {
    for (typed, set) in [
        (
            "Pourquoi ? Parce que : oui !",
            "Pourquoi\u{a0}? Parce que\u{a0}: oui\u{a0}!",
        ),
        ("« Checkout API »", "«\u{a0}Checkout API\u{a0}»"),
        (
            "+18 % et 1,3 pts en 15 min",
            "+18\u{a0}% et 1,3\u{a0}pts en 15\u{a0}min",
        ),
        (
            "2 minutes, 30 jours, 3 mars",
            "2\u{a0}minutes, 30\u{a0}jours, 3 mars",
        ),
        ("2 hommes, 12 msgs", "2 hommes, 12 msgs"),
        (
            "Trafic 42 → 16 req/s",
            "Trafic 42\u{a0}→\u{a0}16\u{a0}req/s",
        ),
        ("", ""),
        (" ", " "),
    ] {
        assert_eq!(french::typeset(typed), set);
    }
    let once = french::typeset("« 8 % » ?");
    assert_eq!(french::typeset(&once), once);
}

#[test]
fn apostrophes_are_typographic_but_not_in_addresses_and_code() {
    for (typed, set) in [
        (
            "L'équipe n'a qu'un projet d'« API »",
            "L’équipe n’a qu’un projet d’«\u{a0}API\u{a0}»",
        ),
        (
            "'mot' et l'adresse o'neil@example.com",
            "'mot' et l’adresse o'neil@example.com",
        ),
        (
            "l'adresse https://example.com/l'ami?a=b'c",
            "l’adresse https://example.com/l'ami?a=b'c",
        ),
        ("déjà ’", "déjà ’"),
    ] {
        assert_eq!(french::typeset(typed), set);
    }
    for (typed, set) in [
        (
            "<p title=\"l'un ?\">l'un ?</p>",
            "<p title=\"l'un ?\">l’un\u{a0}?</p>",
        ),
        (
            "l&#039;équipe d'<strong>hier</strong>, R&amp;D&#039;",
            "l’équipe d’<strong>hier</strong>, R&amp;D&#039;",
        ),
        (
            "<!--[if mso]><p>l'un</p><![endif]--><style>a :b</style>",
            "<!--[if mso]><p>l'un</p><![endif]--><style>a :b</style>",
        ),
        (
            "l'un :<pre class=\"code\">l'un ; <b>l'un ?</b></pre> l'un <code>l'un ?</code> l'un",
            "l’un\u{a0}:<pre class=\"code\">l'un ; <b>l'un ?</b></pre> l’un <code>l'un ?</code> l’un",
        ),
        ("<preface>l'un", "<preface>l’un"),
        ("l'un <", "l’un <"),
    ] {
        assert_eq!(french::typeset_html(typed), set);
    }
    assert_eq!(
        french::typeset_text("l'un :\n```\nl'un ; fi\n```\nl'un\n"),
        "l’un\u{a0}:\nl'un ; fi\nl’un\n"
    );
}
