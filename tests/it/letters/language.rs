//! French as a reader sees it: spaces, register, nothing left over from code.

use letters::samples;

use super::{visible, written};

/// Subject, text and what is visible of the HTML, without the code of E-ACT-02 and without addresses.
fn readings() -> Vec<(String, String)> {
    let mut readings = Vec::new();
    for sample in samples::all() {
        let letter = written(&sample);
        let prose = |text: &str| {
            let text = text
                .split_once("env:\n")
                .or_else(|| text.split_once("env: SEQ"))
                .map_or(text.to_owned(), |(before, after)| {
                    let rest = after.split_once("$result\\\"}\"").unwrap().1;
                    format!("{before}{}", rest.trim_start_matches(' '))
                });
            text.split(' ')
                .filter(|word| !word.contains("://"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        readings.push((format!("{} subject", sample.name), letter.subject.clone()));
        readings.push((format!("{} text", sample.name), prose(&letter.text)));
        readings.push((
            format!("{} html", sample.name),
            prose(&visible(&letter.html)),
        ));
    }
    readings
}

#[test]
fn spaces_are_french() {
    for (place, text) in readings() {
        for sign in [':', ';', '!', '?', '»', '%'] {
            assert!(
                !text.contains(&format!(" {sign}")),
                "{place}: breaking space before {sign} in {text}"
            );
        }
        assert!(
            !text.contains("« "),
            "{place}: breaking space after « in {text}"
        );
        for (at, sign) in text.match_indices([';', '!', '?']) {
            assert!(
                text[..at].ends_with('\u{a0}'),
                "{place}: no space before {sign} in {text}"
            );
        }
        for (at, _) in text.match_indices(": ") {
            let before = &text[..at];
            assert!(
                before.ends_with('\u{a0}') || before.ends_with("if"),
                "{place}: no space before : in {text}"
            );
        }
        assert!(!text.contains('\u{202f}'), "{place}: {text}");
        for (at, _) in text.match_indices('\'') {
            let next = text[at + 1..].chars().next();
            assert!(
                !text[..at].ends_with(char::is_alphabetic)
                    || !next.is_some_and(char::is_alphanumeric),
                "{place}: typewriter's apostrophe in {text}"
            );
        }
    }
}

#[test]
fn decimals_have_commas_and_nothing_is_left_over_from_code() {
    for (place, text) in readings() {
        let bytes = text.as_bytes();
        for (at, _) in text.match_indices('.') {
            let digits = at > 0
                && bytes[at - 1].is_ascii_digit()
                && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
            let address = text[..at].contains("IP") || text.contains("203.0.113");
            assert!(!digits || address, "{place}: decimal point in {text}");
        }
        for leftover in [
            "Some(", "None", "null", "<%", "%>", "{first", "  ", "&#", "&amp;",
        ] {
            assert!(!text.contains(leftover), "{place}: {leftover:?} in {text}");
        }
    }
}

#[test]
fn a_letter_says_tu_or_vous_never_both() {
    for (place, text) in readings() {
        let words: Vec<String> = text
            .split(|c: char| !c.is_alphabetic())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        let says = |list: &[&str]| {
            words
                .iter()
                .find(|word| list.contains(&word.as_str()))
                .cloned()
        };
        let (tu, vous) = (
            says(&["tu", "te", "ton", "ta", "tes", "toi"]),
            says(&["vous", "votre", "vos", "vôtre"]),
        );
        let familiar = place.starts_with("E-TRX-01") || place.starts_with("E-ACT-02");
        if familiar {
            assert_eq!(vous, None, "{place}: {text}");
        } else {
            assert_eq!(tu, None, "{place}: {text}");
        }
    }
}

#[test]
fn text_and_html_tell_the_same_figures() {
    let figures = |text: &str| {
        let mut found: Vec<String> = text
            .split(|c: char| !(c.is_ascii_digit() || c == ','))
            .map(|word| word.trim_matches(',').to_owned())
            .filter(|word| !word.is_empty())
            .collect();
        found.sort();
        found.dedup();
        found
    };
    for sample in samples::all() {
        let letter = written(&sample);
        let in_text = figures(&letter.text);
        for figure in figures(&visible(&letter.html)) {
            assert!(
                in_text.contains(&figure),
                "{}: {figure} is in the HTML part only",
                sample.name
            );
        }
    }
}

#[test]
fn a_metric_inside_a_sentence_begins_small() {
    let mut inside = 0;
    for (place, text) in readings() {
        for name in ["Taux d’erreur", "Trafic", "Latence", "Mémoire"] {
            for before in [":", ","] {
                let wrong = format!("{before} {name}");
                assert!(!text.contains(&wrong), "{place}: {wrong}: {text}");
                inside += text.matches(&wrong.to_lowercase()).count();
            }
        }
    }
    assert!(inside > 50, "{inside}");
}
