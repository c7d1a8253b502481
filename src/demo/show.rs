//! What the demo prints: plain lines, coloured only where a person looks at a terminal.

use std::env;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, stdout};
use std::time::Duration;

/// Longest cell of the table, which then fits 80 columns; the subject is the only one that gets there.
const LONGEST_CELL: usize = 38;

/// How a piece of text is meant.
#[derive(Debug, Clone, Copy)]
enum Style {
    Bold,
    Dim,
    Good,
    Bad,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Bad => "1;31",
        }
    }
}

/// One line of the result table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Whom the letter is for.
    pub(super) who: String,
    /// Catalogue code.
    pub(super) code: String,
    /// As it arrived; empty when it did not.
    pub(super) subject: String,
    /// What the journal says, with its reason unless `sent`.
    pub(super) status: String,
    /// From just before the INSERT to the provider's stand-in; None: did not arrive.
    pub(super) latency: Option<Duration>,
}

impl Row {
    /// Arrived, and the journal knows it.
    pub(super) fn is_good(&self) -> bool {
        self.latency.is_some() && self.status == "sent"
    }
}

/// Prints to standard output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Show {
    colours: bool,
}

impl Show {
    /// Colours on a terminal, unless `NO_COLOR` is set.
    pub(super) fn new() -> Self {
        Self {
            colours: stdout().is_terminal() && env::var_os("NO_COLOR").is_none(),
        }
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.colours {
            format!("\x1b[{}m{text}\x1b[0m", style.code())
        } else {
            text.to_owned()
        }
    }

    /// A heading with an empty line before it.
    pub(super) fn heading(self, text: &str) {
        println!("\n{}", self.paint(Style::Bold, text));
    }

    /// `  name        what`, as set-up proceeds.
    pub(super) fn item(self, name: &str, what: &str) {
        println!("  {} {what}", self.paint(Style::Dim, &pad(name, 11)));
    }

    /// A line of less weight.
    pub(super) fn aside(self, text: &str) {
        println!("{}", self.paint(Style::Dim, text));
    }

    /// A letter that has arrived.
    pub(super) fn arrival(self, who: &str, code: &str, subject: &str, latency: Option<Duration>) {
        let latency = latency.map_or_else(String::new, milliseconds);
        let mark = self.paint(Style::Good, "✉");
        let latency = self.paint(Style::Dim, &format!("{latency:>7}"));
        println!("  {} {mark} {latency}  {code}  {subject}", pad(who, 14));
    }

    /// The result, a line per letter that was expected.
    pub(super) fn table(self, rows: &[Row]) {
        let header = ["who", "code", "subject", "status", "latency"].map(str::to_owned);
        let cells: Vec<[String; 5]> = rows
            .iter()
            .map(|row| {
                let latency = row.latency.map_or_else(|| "never".to_owned(), milliseconds);
                [&row.who, &row.code, &row.subject, &row.status, &latency].map(|cell| clip(cell))
            })
            .collect();
        let width = |column: usize| {
            cells
                .iter()
                .chain([&header])
                .map(|line| line[column].chars().count())
                .max()
                .unwrap_or_default()
        };
        let widths: [usize; 5] = std::array::from_fn(width);
        let line = |cells: &[String; 5]| {
            let mut text = String::from("  ");
            for (cell, width) in cells.iter().zip(&widths[..4]) {
                // Writing to a string cannot fail.
                let _infallible = write!(text, "{}  ", pad(cell, *width));
            }
            text + &format!(
                "{}{}",
                " ".repeat(widths[4].saturating_sub(cells[4].chars().count())),
                cells[4]
            )
        };
        println!("\n{}", self.paint(Style::Bold, &line(&header)));
        println!("  {}", "─".repeat(widths.iter().sum::<usize>() + 8));
        for (row, cells) in rows.iter().zip(&cells) {
            let text = line(cells);
            println!(
                "{}",
                if row.is_good() {
                    text
                } else {
                    self.paint(Style::Bad, &text)
                }
            );
        }
    }

    /// The last line of the table: how many arrived, and how fast.
    pub(super) fn verdict(self, rows: &[Row]) {
        let mut latencies: Vec<Duration> = rows
            .iter()
            .filter(|row| row.is_good())
            .filter_map(|row| row.latency)
            .collect();
        latencies.sort();
        let mut text = format!("{} of {} letters arrived", latencies.len(), rows.len());
        if let (Some(median), Some(slowest)) =
            (latencies.get(latencies.len() / 2), latencies.last())
        {
            // Writing to a string cannot fail.
            let _infallible = write!(
                text,
                "; from INSERT to inbox: median {}, slowest {}",
                milliseconds(*median),
                milliseconds(*slowest)
            );
        }
        let style = if latencies.len() == rows.len() {
            Style::Good
        } else {
            Style::Bad
        };
        println!("\n{}", self.paint(style, &text));
    }
}

/// Fills up with spaces to a width in characters.
fn pad(text: &str, width: usize) -> String {
    format!(
        "{text}{}",
        " ".repeat(width.saturating_sub(text.chars().count()))
    )
}

/// Cuts a cell that is too long.
fn clip(text: &str) -> String {
    if text.chars().count() <= LONGEST_CELL {
        return text.to_owned();
    }
    text.chars().take(LONGEST_CELL - 1).chain(['…']).collect()
}

fn milliseconds(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_good_only_when_letter_and_journal_agree() {
        let row = |status: &str, latency: Option<u64>| Row {
            who: String::new(),
            code: String::new(),
            subject: String::new(),
            status: status.to_owned(),
            latency: latency.map(Duration::from_millis),
        };
        assert!(row("sent", Some(3)).is_good());
        assert!(!row("sent", None).is_good());
        assert!(!row("queued", Some(3)).is_good());
    }

    #[test]
    fn cells_are_measured_in_characters() {
        assert_eq!(pad("Éloïse", 8), "Éloïse  ");
        assert_eq!(clip(&"é".repeat(60)).chars().count(), LONGEST_CELL);
    }
}
