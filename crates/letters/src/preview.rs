//! `preview`: every letter with sample data, without a database.
//!
//! Writes, per letter and step, `E-BILL-01-J3.html`, `.txt` and `.headers`, and an `index.html` that shows them all at
//! phone and desktop width, light and dark, beside their text part and headers. [`gallery`] makes the same page as a
//! string, for whoever serves it.

use std::fmt::Write as _;
use std::path::Path;

use crate::samples::{self, Sample};
use crate::{CODES, Letter, RenderError, render};

/// Why a preview could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// None of the letters has this name.
    #[error("{0}: there is no such letter; the codes are {codes}", codes = CODES.join(", "))]
    UnknownCode(String),
    /// A sample does not fit its letter.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// A file could not be written.
    #[error("{path}: {source}")]
    Write {
        /// Which file or directory.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// Renders the letters of `codes` (all, when empty; a code stands for all its steps, `E-BILL-01-J3` for one) into `out`,
/// which is created when missing; answers how many there are.
///
/// # Errors
/// An unknown code, or a file that cannot be written.
pub fn run(codes: &[String], out: &Path) -> Result<usize, PreviewError> {
    let letters = letters(codes)?;
    let write = |name: String, content: &str| {
        let path = out.join(name);
        std::fs::write(&path, content).map_err(|source| PreviewError::Write {
            path: path.display().to_string(),
            source,
        })
    };
    std::fs::create_dir_all(out).map_err(|source| PreviewError::Write {
        path: out.display().to_string(),
        source,
    })?;
    for (sample, letter) in &letters {
        write(format!("{}.html", sample.name), &letter.html)?;
        write(format!("{}.txt", sample.name), &letter.text)?;
        write(format!("{}.headers", sample.name), &header_block(letter))?;
    }
    write("index.html".to_owned(), &page(&letters))?;
    Ok(letters.len())
}

/// The gallery of all letters and steps, as one self-contained HTML page without JavaScript.
///
/// # Errors
/// A sample that does not fit its letter, which the tests rule out.
pub fn gallery() -> Result<String, PreviewError> {
    Ok(page(&letters(&[])?))
}

/// Every sample of `codes` with its letter.
fn letters(codes: &[String]) -> Result<Vec<(Sample, Letter)>, PreviewError> {
    let all = samples::all();
    let wanted = |sample: &Sample, code: &str| {
        sample.code.eq_ignore_ascii_case(code) || sample.name.eq_ignore_ascii_case(code)
    };
    if let Some(unknown) = codes
        .iter()
        .find(|code| !all.iter().any(|sample| wanted(sample, code)))
    {
        return Err(PreviewError::UnknownCode(unknown.clone()));
    }
    let site = samples::site();
    all.into_iter()
        .filter(|sample| codes.is_empty() || codes.iter().any(|code| wanted(sample, code)))
        .map(|sample| {
            let letter = render(sample.code, &sample.context, &sample.recipient(), &site)?;
            Ok((sample, letter))
        })
        .collect()
}

/// Subject and headers, one a line.
fn header_block(letter: &Letter) -> String {
    let mut block = format!("Subject: {}\n", letter.subject);
    for (name, value) in &letter.headers {
        let _ = writeln!(block, "{name}: {value}");
    }
    block
}

fn page(letters: &[(Sample, Letter)]) -> String {
    let mut html = String::from(HEAD);
    html.push_str("<nav aria-label=\"Lettres\">\n");
    for (sample, _) in letters {
        let _ = writeln!(html, "<a href=\"#{0}\">{0}</a>", sample.name);
    }
    html.push_str("</nav>\n<main>\n");
    for (sample, letter) in letters {
        let _ = writeln!(
            html,
            "<section id=\"{name}\">\n<h2>{name}</h2>\n<p class=\"subject\" lang=\"fr\">{subject}</p>\n<p class=\"meta\">{category} · {size:.1} Ko</p>\n<div class=\"row\">",
            name = sample.name,
            subject = escape(&letter.subject),
            category = format!("{:?}", sample.category).to_lowercase(),
            size = kilobytes(letter.html.len()),
        );
        let frame = |width: u16, device: &str, scheme: &str, label: &str| {
            format!(
                "<figure class=\"w{width}\"><figcaption>{device}, {label}</figcaption><iframe sandbox loading=\"lazy\" style=\"color-scheme:{scheme}\" title=\"{name}, {device}, {label}\" srcdoc=\"{source}\"></iframe></figure>\n",
                name = sample.name,
                source = escape(&in_scheme(&letter.html, scheme)),
            )
        };
        html.push_str(&frame(375, "téléphone", "light", "clair"));
        html.push_str(&frame(375, "téléphone", "dark", "sombre"));
        let _ = writeln!(
            html,
            "<figure class=\"text\"><figcaption>texte</figcaption><pre lang=\"fr\" tabindex=\"0\">{}</pre></figure>",
            escape(&letter.text)
        );
        html.push_str(&frame(600, "ordinateur", "light", "clair"));
        html.push_str(&frame(600, "ordinateur", "dark", "sombre"));
        let _ = writeln!(
            html,
            "<figure class=\"headers\"><figcaption>en-têtes</figcaption><pre tabindex=\"0\">{}</pre></figure>\n</div>\n</section>",
            escape(&header_block(letter))
        );
    }
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

/// The letter as it looks in one colour scheme, whatever the viewer's own is: the dark rules always or never apply.
fn in_scheme(html: &str, scheme: &str) -> String {
    let query = if scheme == "dark" {
        "@media all"
    } else {
        "@media not all"
    };
    html.replace("@media (prefers-color-scheme:dark)", query)
        .replace("content=\"light dark\"", &format!("content=\"{scheme}\""))
        .replace(
            ":root{color-scheme:light dark",
            &format!(":root{{color-scheme:{scheme}"),
        )
}

#[expect(clippy::cast_precision_loss, reason = "letters are small")]
fn kilobytes(bytes: usize) -> f64 {
    bytes as f64 / 1024.0
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="fr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Lettres SEQPULSE</title>
<style>
:root{color-scheme:light dark}
body{margin:0;font:16px/1.5 system-ui,sans-serif;background:light-dark(#f6f8f8,#0b1317);color:light-dark(#17262d,#e6eef0)}
header,main{padding:16px 24px}
h1{margin:0}h2{margin:0;font-size:18px}
nav{position:sticky;top:0;z-index:1;display:flex;gap:6px 14px;overflow-x:auto;padding:12px 24px;background:light-dark(#ffffff,#15222a);border-bottom:1px solid light-dark(#d9e3e4,#2a3b45);white-space:nowrap}
a{color:light-dark(#0b756b,#5cd3c5)}
section{margin:0 0 48px;scroll-margin-top:64px}
.subject{margin:4px 0 0;font-size:20px;font-weight:600}.meta{margin:0 0 12px;color:light-dark(#51626b,#a9bac1)}
.row{display:flex;flex-wrap:wrap;gap:16px;max-width:1232px}
figure{margin:0;flex:none;max-width:100%;overflow-x:auto}figcaption{color:light-dark(#51626b,#a9bac1)}
iframe,pre{box-sizing:border-box;display:block;border:1px solid light-dark(#d9e3e4,#2a3b45);border-radius:8px}
iframe{height:820px;background:#fff}
.w375 iframe{width:375px}.w600 iframe{width:600px}
pre{margin:0;padding:16px;white-space:pre-wrap;overflow:auto;overflow-wrap:anywhere;background:light-dark(#ffffff,#15222a)}
.text{flex:1 1 340px}.text pre{height:820px}.headers{flex:1 1 100%}
@media (max-width:480px){header,nav{padding-left:12px;padding-right:12px}main{padding:16px 0}h2,.subject,.meta,figcaption{padding:0 12px}}
</style>
</head>
<body>
<header>
<h1>Lettres SEQPULSE</h1>
</header>
"#;
