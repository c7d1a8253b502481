//! A file has at most 400 lines and a function of Rust at most 100, unless its head gives a reason: a comment line that begins
//! with `Long because`, above the code of the file or directly above the function. What a program writes does not count.

use std::fs;
use std::path::{Path, PathBuf};

use super::{files, root};

const FILE: usize = 400;
const FUNCTION: usize = 100;

const FOLDERS: [&str; 7] = [
    "src",
    "crates",
    "tests",
    "benches",
    "sql",
    "migrations",
    "packaging",
];
/// The first is written by `make schema`; the sample payloads of the second are being rewritten.
const LEFT_OUT: [&str; 2] = ["tests/schema.sql", "crates/letters/src/samples.rs"];

/// A line that is a comment, without its marks.
fn comment(line: &str) -> Option<&str> {
    let line = line.trim_start();
    ["//!", "///", "//", "--"]
        .iter()
        .find_map(|mark| line.strip_prefix(mark))
        .map(str::trim_start)
}

fn is_reason(line: &str) -> bool {
    comment(line).is_some_and(|text| text.starts_with("Long because "))
}

/// Whether the comments above the first code of a file give a reason.
fn file_has_reason(text: &str) -> bool {
    text.lines()
        .take_while(|line| line.trim().is_empty() || comment(line).is_some())
        .any(is_reason)
}

/// The name of the function that a line begins.
fn function(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    loop {
        match words.next()? {
            "fn" => return words.next()?.split(['(', '<']).next(),
            "async" | "const" | "pub" | "unsafe" => {}
            word if word.starts_with("pub(") || word == "super)" || word.ends_with(')') => {}
            _ => return None,
        }
    }
}

/// Functions that are too long and give no reason, with their lines. `rustfmt` puts the closing brace of a function where its
/// first line begins.
fn long_functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function(line) else { continue };
        let end = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
        let length = 1 + lines[start..]
            .iter()
            .position(|line| *line == end || (line.ends_with(';') && function(line).is_some()))
            .unwrap_or_else(|| panic!("fn {name} has no end"));
        let reason = lines[..start]
            .iter()
            .rev()
            .take_while(|line| comment(line).is_some() || line.trim_start().starts_with("#["))
            .any(|line| is_reason(line));
        if length > FUNCTION && !reason {
            found.push((name, length));
        }
    }
    found
}

#[test]
fn what_is_long_says_why() {
    let mut faults = Vec::new();
    let mut seen = 0;
    for path in FOLDERS.iter().flat_map(|folder| {
        let folder = root().join(folder);
        [files(&folder, ".rs"), files(&folder, ".sql")].concat()
    }) {
        let name = relative(&path);
        if LEFT_OUT.contains(&name.as_str()) {
            continue;
        }
        seen += 1;
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
        let lines = text.lines().count();
        if lines > FILE && !file_has_reason(&text) {
            faults.push(format!("{name} has {lines} lines"));
        }
        if path.extension().is_some_and(|ending| ending == "rs") {
            for (function, lines) in long_functions(&text) {
                faults.push(format!("{name}: {function} has {lines} lines"));
            }
        }
    }
    assert!(seen > 300, "only {seen} files were found");
    assert!(
        faults.is_empty(),
        "split these, or give the reason in a comment that begins with \"Long because\":\n{}",
        faults.join("\n")
    );
}

#[test]
fn a_long_function_is_found_unless_it_has_a_reason() {
    let body = "        step();\n".repeat(FUNCTION);
    let long = format!("impl A {{\n    pub(super) async fn big<T>(\n    ) {{\n{body}    }}\n}}\n");
    assert_eq!(long_functions(&long), [("big", FUNCTION + 3)]);
    let reasoned = long.replace(
        "    pub(super)",
        "    /// Long because it is a table.\n    pub(super)",
    );
    assert_eq!(long_functions(&reasoned), []);
    let declared = format!("trait A {{\n    fn small(&self);\n}}\nfn other() {{\n{body}}}\n");
    assert_eq!(long_functions(&declared), [("other", FUNCTION + 2)]);
    assert!(file_has_reason(
        "//! A page.\n//! Long because it is one.\n\nuse a;\n"
    ));
    assert!(!file_has_reason(
        "//! A page.\n\nuse a;\n// Long because of this.\n"
    ));
}

fn relative(path: &Path) -> String {
    let path: PathBuf = path.strip_prefix(root()).expect("below the root").into();
    path.to_string_lossy().into_owned()
}
