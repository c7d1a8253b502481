//! What a comment or a page cites is there.
//!
//! - `docs/page.md` and `docs/page.md#anchor`, wherever they stand (sources, SQL, templates, tests, pages), lead to a page and to
//!   one of its headings;
//! - so do the relative links between pages;
//! - a path in backticks in a page (`src/…`, `sql/…`, `crates/…`) exists;
//! - nothing cites a document that is not in the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::{files, root};

/// Where citations stand.
const PLACES: [&str; 9] = [
    "benches",
    "crates",
    "docs",
    "migrations",
    "packaging",
    "sql",
    "src",
    "templates",
    "tests",
];

/// The beginning of a path of this repository in a page.
const FOLDERS: [&str; 9] = [
    "benches/",
    "crates/",
    "docs/",
    "migrations/",
    "packaging/",
    "sql/",
    "src/",
    "templates/",
    "tests/",
];

/// Words by which documents outside the repository were cited. RFCs have sections too, and are public.
const OUTSIDE: [&str; 14] = [
    "contract,",
    "contract §",
    "contract.md",
    "of the contract",
    "the contract's",
    "the contract''s",
    "spec §",
    "specification, §",
    "specification, section",
    "specification's section",
    "issue \"",
    "lifecycle_spec",
    "email_bar",
    "seqpulse_app.md",
];

/// Every text file that may cite, by its path in the repository.
fn texts() -> Vec<(String, String)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(root())
        .expect("the repository")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .collect();
    for place in PLACES {
        paths.extend(files(&root().join(place), ""));
    }
    let mut texts: Vec<(String, String)> = paths
        .into_iter()
        .filter(|path| {
            let is_licence = path.to_string_lossy().contains("/LICENSE-");
            // The application's own schema stays as the application has it.
            !is_licence
                && !path.ends_with("tests/house/citations.rs")
                && !path.ends_with("tests/seqpulse_schema.sql")
        })
        .filter_map(|path| {
            let name = path.strip_prefix(root()).expect("below the root");
            let text = String::from_utf8(fs::read(&path).expect("readable")).ok()?;
            Some((name.display().to_string(), text))
        })
        .collect();
    texts.sort();
    texts
}

fn is_page(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "md")
}

/// The lines of a page outside its blocks of code, with their numbers.
fn prose(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    page.lines().enumerate().filter_map(move |(index, line)| {
        if line.starts_with("```") {
            in_code = !in_code;
            return None;
        }
        (!in_code).then_some((index + 1, line))
    })
}

/// The anchor that git hosts give a heading: lower case, blanks as dashes, no punctuation.
fn slug(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .collect()
}

/// Anchors of a page; a heading that stands twice is counted on, as git hosts do.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, line) in prose(page) {
        let heading = line.trim_start_matches('#');
        if heading.len() < line.len() && heading.starts_with(' ') {
            let plain = slug(heading);
            let mut anchor = plain.clone();
            let mut count = 1;
            while !found.insert(anchor) {
                anchor = format!("{plain}-{count}");
                count += 1;
            }
        }
    }
    found
}

/// The address at the beginning of a text: a page's name and, after `#`, an anchor.
fn address(text: &str) -> Option<(String, Option<String>)> {
    let word = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name: String = text.chars().take_while(word).collect();
    let rest = text[name.len()..].strip_prefix(".md")?;
    let anchor = rest
        .strip_prefix('#')
        .map(|rest| rest.chars().take_while(word).collect::<String>());
    (!name.is_empty()).then_some((name, anchor.filter(|anchor| !anchor.is_empty())))
}

/// The targets of a line's links, such as `policy.md#cap` in `[the cap](policy.md#cap)`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
}

/// A path without its `..`, as `docs/../sql` is `sql`.
fn plain(path: &Path) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in path.components() {
        match part.as_os_str().to_str().expect("a name") {
            ".." => {
                parts.pop();
            }
            "." => {}
            name => parts.push(name.to_owned()),
        }
    }
    parts.join("/")
}

/// Anchors of every page of the repository, by path.
fn pages(texts: &[(String, String)]) -> BTreeMap<&str, BTreeSet<String>> {
    texts
        .iter()
        .filter(|(name, _)| is_page(name))
        .map(|(name, text)| (name.as_str(), anchors(text)))
        .collect()
}

fn missing(
    pages: &BTreeMap<&str, BTreeSet<String>>,
    page: &str,
    anchor: Option<&str>,
) -> Option<String> {
    match (pages.get(page), anchor) {
        (None, _) => Some(format!("there is no {page}")),
        (Some(anchors), Some(anchor)) if !anchors.contains(anchor) => {
            Some(format!("{page} has no heading #{anchor}"))
        }
        _ => None,
    }
}

#[test]
fn every_citation_of_a_page_leads_to_it() {
    let texts = texts();
    let pages = pages(&texts);
    let (mut cited, mut wrong) = (0, Vec::new());
    for (name, text) in &texts {
        for (index, line) in text.lines().enumerate() {
            for rest in line.split("docs/").skip(1) {
                let Some((page, anchor)) = address(rest) else {
                    continue;
                };
                cited += usize::from(anchor.is_some());
                let page = format!("docs/{page}.md");
                if let Some(why) = missing(&pages, &page, anchor.as_deref()) {
                    wrong.push(format!("{name}:{}: {why}", index + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cited > 70, "only {cited} citations were found");
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let texts = texts();
    let pages = pages(&texts);
    let (mut followed, mut wrong) = (0, Vec::new());
    for (name, text) in texts.iter().filter(|(name, _)| is_page(name)) {
        for (number, line) in prose(text) {
            for target in links(line) {
                followed += 1;
                let (path, anchor) = match target.split_once('#') {
                    Some((path, anchor)) => (path, Some(anchor)),
                    None => (target, None),
                };
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    plain(&Path::new(name).parent().expect("a folder").join(path))
                };
                let why = if is_page(&path) {
                    missing(&pages, &path, anchor)
                } else {
                    (!root().join(&path).exists()).then(|| format!("there is no {path}"))
                };
                wrong.extend(why.map(|why| format!("{name}:{number}: {why}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(followed > 60, "only {followed} links were found");
}

#[test]
fn every_path_that_a_page_names_exists() {
    // A page whose files a test writes, and one that says what was true of each release.
    let exempt = ["docs/adding-an-email.md", "CHANGELOG.md"];
    let (mut looked, mut wrong) = (0, Vec::new());
    for (name, text) in texts() {
        if !is_page(&name) || exempt.contains(&name.as_str()) {
            continue;
        }
        for (number, line) in prose(&text) {
            for code in line.split('`').skip(1).step_by(2) {
                let is_path = FOLDERS.iter().any(|folder| code.starts_with(folder));
                let is_pattern =
                    code.contains([' ', '*', '…', '<', '{', '#']) || code.contains("NN");
                if !is_path || is_pattern {
                    continue;
                }
                looked += 1;
                if !root().join(code).exists() {
                    wrong.push(format!("{name}:{number}: there is no {code}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(looked > 60, "only {looked} paths were found");
}

#[test]
fn nothing_cites_a_document_that_is_not_here() {
    let mut wrong = Vec::new();
    for (name, text) in texts() {
        for (index, line) in text.lines().enumerate() {
            let lower = line.to_lowercase();
            let outside = OUTSIDE.iter().find(|words| lower.contains(**words));
            // A bare section sign is an RFC's, or nobody can tell whose.
            let sections = lower.matches('§').count();
            if let Some(words) = outside {
                wrong.push(format!("{name}:{}: \"{words}\"", index + 1));
            } else if sections > lower.matches("rfc ").count() {
                wrong.push(format!(
                    "{name}:{}: a section of which document?",
                    index + 1
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
