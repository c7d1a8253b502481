//! What the demo's result table is made of, and how its cells are laid out.

use std::time::Duration;

/// One line of the result table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) code: &'static str,
    /// Step or kind; empty when there is but one.
    pub(super) step: &'static str,
    /// Whom the letter is for.
    pub(super) who: &'static str,
    /// When, in the story.
    pub(super) when: String,
    /// As it arrived; empty when it did not.
    pub(super) subject: String,
    /// What the journal says, with its reason unless `sent`.
    pub(super) status: String,
    /// From the fact to the provider's stand-in; None: it was due by the clock, or did not arrive.
    pub(super) latency: Option<Duration>,
    /// It did what it must.
    pub(super) good: bool,
    /// It must arrive; otherwise it must be held back.
    pub(super) due: bool,
}

impl Row {
    /// It is in the inbox.
    pub(super) fn arrived(&self) -> bool {
        self.status == "sent"
    }

    /// Subject, or what the journal says instead.
    pub(super) fn told(&self) -> String {
        if self.arrived() {
            self.subject.clone()
        } else {
            held_back(&self.status)
        }
    }
}

/// A status with its reason, for people.
pub(super) fn held_back(status: &str) -> String {
    status.replacen("suppressed: ", "held back: ", 1)
}

/// Why a letter waits, without status and without ids, for people.
pub(super) fn wait(status: &str) -> String {
    let reason = status
        .rsplit_once(": ")
        .map_or(status, |(_, reason)| reason);
    match reason.split_once(" (outbox ") {
        Some((before, rest)) => {
            let after = rest.split_once(')').map_or("", |(_, after)| after);
            format!("{before}{after}")
        }
        None => reason.to_owned(),
    }
}

/// One line of `email_kpis`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kpi {
    pub(super) name: String,
    /// In percent; None: not measured.
    pub(super) value: Option<String>,
    pub(super) numerator: i64,
    pub(super) denominator: i64,
    pub(super) measured: i64,
}

/// Code and step.
pub(super) fn label(code: &str, step: &str) -> String {
    if step.is_empty() {
        code.to_owned()
    } else {
        format!("{code} {step}")
    }
}

/// Fills up with spaces to a width in characters.
pub(super) fn pad(text: &str, width: usize) -> String {
    format!(
        "{text}{}",
        " ".repeat(width.saturating_sub(text.chars().count()))
    )
}

/// Cuts what is longer than a width in characters.
pub(super) fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars()
        .take(width.saturating_sub(1))
        .chain(['…'])
        .collect()
}

pub(super) fn milliseconds(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_measured_in_characters() {
        assert_eq!(pad("Éloïse", 8), "Éloïse  ");
        assert_eq!(clip(&"é".repeat(60), 38).chars().count(), 38);
        assert_eq!(clip("Éloïse", 6), "Éloïse");
    }

    #[test]
    fn a_wait_is_told_without_ids() {
        let status =
            "queued: cap: one letter in 24:00:00, the slot is free at 07:30Z (outbox 5 has it)";
        assert_eq!(
            wait(status),
            "one letter in 24:00:00, the slot is free at 07:30Z"
        );
        assert_eq!(
            wait("queued: cap: E-RET-02 (outbox 5) is heavier marketing mail, due at 07:30Z"),
            "E-RET-02 is heavier marketing mail, due at 07:30Z"
        );
        assert_eq!(wait("queued"), "queued");
    }

    #[test]
    fn a_row_tells_its_subject_only_when_it_arrived() {
        let mut row = Row {
            code: "E-TRX-01",
            step: "",
            who: "",
            when: String::new(),
            subject: "Bienvenue".to_owned(),
            status: "sent".to_owned(),
            latency: None,
            good: true,
            due: true,
        };
        assert_eq!(row.told(), "Bienvenue");
        "suppressed: address bounced".clone_into(&mut row.status);
        assert_eq!(row.told(), "held back: address bounced");
    }
}
