//! What mail clients and screen readers need of the HTML part.

use letters::samples;

use super::{attributes, written};

#[test]
fn every_letter_has_the_frame_that_clients_need() {
    for sample in samples::all() {
        let html = written(&sample).html;
        let name = &sample.name;
        assert!(
            html.starts_with("<!DOCTYPE html>\n<html lang=\"fr\" dir=\"ltr\">"),
            "{name}"
        );
        let body = html
            .split_once("<body")
            .unwrap()
            .1
            .split_once('>')
            .unwrap()
            .1
            .trim_start();
        assert!(
            body.starts_with("<div lang=\"fr\" dir=\"ltr\""),
            "{name}: {}",
            &body[..60]
        );
        assert_eq!(html.matches("<h1").count(), 1, "{name}");
        assert_eq!(
            (
                html.matches("<main>").count(),
                html.matches("</main>").count()
            ),
            (1, 1),
            "{name}"
        );
        assert_eq!(html.matches("<title>").count(), 1, "{name}");
        assert!(
            html.contains("<meta name=\"color-scheme\" content=\"light dark\">"),
            "{name}"
        );
        assert!(
            html.contains("@media (prefers-color-scheme:dark)"),
            "{name}"
        );
        assert!(html.contains("mso-hide:all"), "{name}: no preheader");
        assert!(html.len() <= 40 * 1024, "{name}: {} bytes", html.len());
        assert!(
            !html.contains("<img") && !html.contains("url("),
            "{name}: needs images"
        );
        assert!(
            !html.contains("<script") && !html.contains("<form"),
            "{name}"
        );
        assert_eq!(
            html.matches("<table").count(),
            html.matches("</table>").count(),
            "{name}"
        );
        assert_eq!(
            html.matches("<tr").count() - html.matches("<track").count(),
            html.matches("</tr>").count(),
            "{name}"
        );
        assert_eq!(
            html.matches("<p").count() - html.matches("<pre").count(),
            html.matches("</p>").count(),
            "{name}"
        );
    }
}

#[test]
fn layout_tables_are_presentation_data_tables_have_headings_and_bars_have_words() {
    for sample in samples::all() {
        let html = written(&sample).html;
        for table in html.split("<table").skip(1) {
            let tag = table.split_once('>').unwrap().0;
            if tag.contains("role=\"img\"") {
                assert!(
                    tag.contains("aria-label=\""),
                    "{}: <table{tag}>",
                    sample.name
                );
                continue;
            }
            let data = tag.contains("class=\"rule\"");
            assert_ne!(
                data,
                tag.contains("role=\"presentation\""),
                "{}: <table{tag}>",
                sample.name
            );
            assert!(
                !data || table.contains("scope=\"row\""),
                "{}: <table{tag}>",
                sample.name
            );
        }
    }
}

/// But for the address under the button, which nobody reads: it is there to be copied.
#[test]
fn text_is_at_least_16_pixels() {
    for sample in samples::all() {
        let html = written(&sample).html;
        let (before, address) = html
            .split_once("<p class=\"soft\" style=\"margin:0;font-size:14px;")
            .unwrap();
        assert!(address.contains("ne fonctionne pas"), "{}", sample.name);
        let after = address.split_once('>').unwrap().1;
        for style in attributes(&format!("{before}<p>{after}"), "style") {
            if let Some(size) = style.split("font-size:").nth(1) {
                let size: u32 = size.split_once("px").unwrap().0.parse().unwrap();
                assert!(size >= 16, "{}: {style}", sample.name);
            }
        }
    }
}

#[test]
fn links_are_tall_enough_to_touch() {
    for sample in samples::all() {
        for link in written(&sample).html.split("<a ").skip(1) {
            let style =
                attributes(&format!(" {}", link.split_once('>').unwrap().0), "style").concat();
            let number = |property: &str| -> u32 {
                style
                    .split(property)
                    .nth(1)
                    .map_or(0, |rest| rest.split_once("px").unwrap().0.parse().unwrap())
            };
            assert!(
                style.contains("display:inline-block"),
                "{}: {style}",
                sample.name
            );
            let line = if style.contains("line-height:") {
                number("line-height:")
            } else {
                26
            };
            let height =
                line + 2 * number("padding:") + if style.contains("border:1px") { 2 } else { 0 };
            assert!(height >= 44, "{}: {height} px, {style}", sample.name);
        }
    }
}

/// Relative luminance (WCAG 2).
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

#[test]
fn every_pair_of_colours_has_contrast() {
    let light = [
        ("#17262d", "#ffffff"),
        ("#17262d", "#eff4f4"),
        ("#51626b", "#ffffff"),
        ("#51626b", "#eff4f4"),
        ("#0b756b", "#eff4f4"),
        ("#ffffff", "#0b756b"),
        ("#17262d", "#f2f6f6"),
        ("#0b756b", "#e4f3f1"),
        ("#1a7547", "#e5f4ec"),
        ("#8a5200", "#fcf1de"),
        ("#b3261e", "#fdecea"),
        ("#0b756b", "#ffffff"),
        ("#1a7547", "#ffffff"),
        ("#8a5200", "#ffffff"),
        ("#b3261e", "#ffffff"),
        ("#a86200", "#ffffff"),
        ("#ffffff", "#1a7547"),
        ("#ffffff", "#8a5200"),
        ("#ffffff", "#b3261e"),
    ];
    let dark = [
        ("#e6eef0", "#15222a"),
        ("#e6eef0", "#0d161b"),
        ("#a9bac1", "#15222a"),
        ("#a9bac1", "#0d161b"),
        ("#5cd3c5", "#0d161b"),
        ("#0d161b", "#6fd6a0"),
        ("#0d161b", "#f0b95c"),
        ("#0d161b", "#ff9d92"),
        ("#5cd3c5", "#0f2f2c"),
        ("#6fd6a0", "#12301f"),
        ("#f0b95c", "#33270f"),
        ("#ff9d92", "#3a1714"),
        ("#5cd3c5", "#15222a"),
        ("#6fd6a0", "#15222a"),
        ("#f0b95c", "#15222a"),
        ("#ff9d92", "#15222a"),
    ];
    let all: String = samples::all()
        .iter()
        .map(|sample| written(sample).html)
        .collect();
    for (text, back) in light.into_iter().chain(dark) {
        assert!(
            all.contains(text) && all.contains(back),
            "{text} on {back} is not used any more"
        );
        let (one, other) = (luminance(text) + 0.05, luminance(back) + 0.05);
        let contrast = one.max(other) / one.min(other);
        assert!(contrast >= 4.5, "{text} on {back}: {contrast:.2}");
    }
}

#[test]
fn only_addresses_of_pages_break_inside_a_word() {
    for sample in samples::all() {
        let html = written(&sample).html;
        for (before, _) in html.match_indices("word-break:break-all;") {
            let (_, inside) = html[before..].split_once('>').unwrap();
            assert!(inside.starts_with("https://"), "{}: {inside}", sample.name);
        }
    }
}
