//! What the demo prints: plain lines, coloured only where a person looks at a terminal.

use std::collections::BTreeSet;
use std::env;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, stdout};
use std::time::Duration;

use super::table::{Kpi, Row, clip, held_back, label, milliseconds, pad, wait};

/// Widths of the columns, which together fit 80: code and step, recipient, subject.
const LABEL: usize = 17;
const WHO: usize = 13;
const SUBJECT: usize = 33;

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

    pub(super) fn aside(self, text: &str) {
        println!("{}", self.paint(Style::Dim, text));
    }

    pub(super) fn moment(self, label: &str) {
        println!("\n  {}", self.paint(Style::Bold, label));
    }

    pub(super) fn fact(self, what: &str) {
        println!("    {} {what}", self.paint(Style::Dim, "·"));
    }

    pub(super) fn arrival(
        self,
        code: &str,
        step: &str,
        who: &str,
        subject: &str,
        latency: Option<Duration>,
    ) {
        let mark = self.paint(Style::Good, "✉");
        let told = clip(subject, SUBJECT);
        // Nothing hangs at the end of a line without a latency.
        let told = latency.map_or_else(
            || told.clone(),
            |latency| {
                let latency = self.paint(Style::Dim, &milliseconds(latency));
                format!("{} {latency}", pad(&told, SUBJECT))
            },
        );
        println!(
            "    {mark} {} {} {told}",
            pad(&label(code, step), LABEL),
            pad(who, WHO)
        );
    }

    /// A letter that must not go out, and did not.
    pub(super) fn held_back(self, code: &str, step: &str, who: &str, status: &str) {
        let mark = self.paint(Style::Good, "∅");
        println!(
            "    {mark} {} {} {}",
            pad(&label(code, step), LABEL),
            pad(who, WHO),
            self.paint(Style::Dim, &held_back(status))
        );
    }

    /// A letter that has to wait.
    pub(super) fn waits(self, code: &str, step: &str, who: &str, status: &str) {
        println!(
            "    … {} {} {}",
            pad(&label(code, step), LABEL),
            pad(who, WHO),
            self.paint(Style::Dim, "waits")
        );
        self.aside(&format!("        {}", wait(status)));
    }

    /// A letter that should have arrived by now.
    pub(super) fn lost(self, code: &str, step: &str, who: &str, status: &str) {
        let text = format!(
            "    ✗ {} {} {status}",
            pad(&label(code, step), LABEL),
            pad(who, WHO)
        );
        println!("{}", self.paint(Style::Bad, &text));
    }

    /// The result, a line per letter that was expected, in the catalogue's order.
    pub(super) fn table(self, rows: &[Row]) {
        let mut rows: Vec<&Row> = rows.iter().collect();
        rows.sort_by_key(|row| letters::CODES.iter().position(|code| *code == row.code));
        self.heading("What came of it");
        let line = |code: &str, who: &str, told: &str, when: &str| {
            format!(
                "  {} {} {} {when}",
                pad(code, LABEL),
                pad(who, WHO),
                pad(&clip(told, SUBJECT), SUBJECT)
            )
        };
        println!(
            "{}",
            self.paint(Style::Dim, &line("email", "to", "subject", "when"))
        );
        println!("  {}", "─".repeat(LABEL + WHO + SUBJECT + 15));
        for row in rows {
            let text = line(&label(row.code, row.step), row.who, &row.told(), &row.when);
            println!(
                "{}",
                match (row.good, row.arrived()) {
                    (true, true) => text,
                    (true, false) => self.paint(Style::Dim, &text),
                    (false, _) => self.paint(Style::Bad, &text),
                }
            );
        }
    }

    /// The last lines of the table: how many arrived, and how fast.
    pub(super) fn verdict(self, rows: &[Row], others: usize, took: Duration) {
        let due = rows.iter().filter(|row| row.due).count();
        let arrived: Vec<&Row> = rows
            .iter()
            .filter(|row| row.good && row.arrived())
            .collect();
        let held_back = rows.iter().filter(|row| row.good && !row.arrived()).count();
        let codes: BTreeSet<&str> = arrived.iter().map(|row| row.code).collect();
        let mut text = format!(
            "{} of {} kinds of email, {} of {due} letters arrived",
            codes.len(),
            letters::CODES.len(),
            arrived.len(),
        );
        // Writing to a string cannot fail.
        if held_back > 0 {
            let _infallible = write!(text, "; {held_back} held back, as they must");
        }
        let style = if rows.iter().all(|row| row.good) {
            Style::Good
        } else {
            Style::Bad
        };
        println!("\n{}", self.paint(style, &text));
        let mut latencies: Vec<Duration> = arrived.iter().filter_map(|row| row.latency).collect();
        latencies.sort();
        let mut text = format!("two weeks in {} s", took.as_secs());
        if let Some(median) = latencies.get(latencies.len() / 2) {
            let _infallible = write!(
                text,
                "; from INSERT to inbox {} (median)",
                milliseconds(*median)
            );
        }
        if others > 0 {
            let _infallible = write!(text, "; {others} more letters went to the others");
        }
        self.aside(&text);
    }

    pub(super) fn kpis(self, kpis: &[Kpi]) {
        self.heading("select * from email_kpis");
        for kpi in kpis {
            let value = kpi
                .value
                .as_ref()
                .map_or_else(|| "not measured".to_owned(), |value| format!("{value} %"));
            let of = if kpi.denominator > 0 {
                format!(
                    "{} of {}, {} measured",
                    kpi.numerator, kpi.denominator, kpi.measured
                )
            } else {
                "nobody's window is over yet".to_owned()
            };
            println!(
                "  {} {value:>12}   {}",
                pad(&kpi.name, 28),
                self.paint(Style::Dim, &of)
            );
        }
    }
}
