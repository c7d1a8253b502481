//! The repeatable SQL files, compiled in.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use include_dir::{Dir, include_dir};
use sha2::{Digest as _, Sha256};

/// The migration after which files can be applied and recorded: it makes `email_sql_files`.
pub(super) const SINCE_MIGRATION: i32 = 1;

/// The hand-over from the application's own scheduler.
pub(super) const HANDOVER: &str = "sql/triggers/scheduled_jobs_handover.sql";

static CORE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/sql/core");
static TRIGGERS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/sql/triggers");

static FILES: LazyLock<Vec<SqlFile>> = LazyLock::new(|| {
    let mut files = Vec::new();
    for (folder, dir) in [("sql/core", &CORE), ("sql/triggers", &TRIGGERS)] {
        let mut found: Vec<SqlFile> = dir
            .files()
            .filter(|file| {
                file.path()
                    .extension()
                    .is_some_and(|extension| extension == "sql")
            })
            .filter_map(|file| {
                let path: &'static str = format!("{folder}/{}", file.path().display()).leak();
                let text = file.contents_utf8()?;
                Some(SqlFile {
                    path,
                    text,
                    requires: required_table(text),
                })
            })
            .collect();
        found.sort_by_key(|file| file.path);
        files.append(&mut found);
    }
    files
});

/// One file of `sql/core` or `sql/triggers`.
#[derive(Debug)]
pub(crate) struct SqlFile {
    pub path: &'static str,
    pub text: &'static str,
    /// A table of the application's that not every SEQPULSE database has: the file is applied where it exists.
    pub requires: Option<&'static str>,
}

/// Reads the header line `-- requires: TABLE`.
fn required_table(text: &'static str) -> Option<&'static str> {
    text.lines()
        .take_while(|line| line.starts_with("--"))
        .find_map(|line| line.strip_prefix("-- requires: "))
        .map(str::trim)
}

/// All of them, in the order they are applied: what everything uses first, then the codes.
pub(super) fn all() -> &'static [SqlFile] {
    &FILES
}

impl SqlFile {
    /// Whether the tables of later migrations need its functions (a default, a CHECK, a first row): `sql/core/00_…` to `09_…`.
    /// Such a file names nothing of ours but what the migration `SINCE_MIGRATION` and the files before it make.
    pub(super) fn before_tables(&self) -> bool {
        self.path.starts_with("sql/core/0")
    }

    /// SHA-256, in base64, of the text and of the names of our roles that exist (grants to missing ones are skipped).
    pub(super) fn checksum(&self, roles: &str) -> String {
        let digest = Sha256::new()
            .chain_update(self.text)
            .chain_update("\n")
            .chain_update(roles)
            .finalize();
        STANDARD_NO_PAD.encode(digest)
    }

    /// What the file makes, as `email_fingerprint` wants it: "function NAME", "trigger NAME", "view NAME".
    pub(super) fn objects(&self) -> Vec<String> {
        const KINDS: [(&str, &str); 3] = [
            ("create or replace function public.", "function"),
            ("create or replace trigger ", "trigger"),
            ("create view public.", "view"),
        ];
        let mut objects: Vec<String> = self
            .text
            .lines()
            .filter_map(|line| {
                KINDS.iter().find_map(|(start, kind)| {
                    let rest = line.strip_prefix(start)?;
                    let name: String = rest
                        .chars()
                        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                        .collect();
                    Some(format!("{kind} {name}"))
                })
            })
            .collect();
        objects.dedup();
        objects
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_files_come_before_the_codes() {
        let first_code = all()
            .iter()
            .position(|file| file.path.starts_with("sql/triggers/"))
            .expect("a code");
        assert!(
            all()[..first_code]
                .iter()
                .all(|file| file.path.starts_with("sql/core/"))
        );
        assert!(
            all()[first_code..]
                .iter()
                .all(|file| file.path.starts_with("sql/triggers/"))
        );
    }

    #[test]
    fn what_tables_need_comes_first() {
        let first: Vec<_> = all()
            .iter()
            .take_while(|file| file.before_tables())
            .collect();
        assert!(
            first
                .iter()
                .any(|file| file.text.contains("public.email_now()"))
        );
        assert_eq!(
            first.len(),
            all().iter().filter(|file| file.before_tables()).count()
        );
    }

    #[test]
    fn only_the_hand_over_needs_a_table_that_may_be_missing() {
        let optional: Vec<_> = all()
            .iter()
            .filter_map(|file| Some((file.path, file.requires?)))
            .collect();
        assert_eq!(optional, [(HANDOVER, "scheduled_jobs")]);
    }

    #[test]
    fn every_object_a_file_makes_is_named() {
        let welcome = all()
            .iter()
            .find(|file| file.path.ends_with("E-TRX-01_welcome.sql"))
            .expect("the welcome");
        assert_eq!(
            welcome.objects(),
            [
                "function email_trx_01_rows",
                "function email_trx_01_enqueue",
                "function email_trx_01_trigger",
                "trigger email_trx_01_insert",
                "trigger email_trx_01_update",
                "function email_trx_01_facts",
                "function email_trx_01_current"
            ]
        );
    }
}
