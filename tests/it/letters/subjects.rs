//! The keys A/B subjects may use, as SQL knows them, against what `docs/letters.md` says the letters know.

use std::collections::BTreeSet;

use letters::CODES;

use crate::support::{Sidecar, TestDb, sandbox};

/// Types whose values make sense inside a sentence.
const PLAIN: [&str; 2] = ["string", "number"];

/// The keys of text and numbers in the sections of `code`.
fn documented(code: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::from(["first_name".to_owned()]);
    let mut inside = false;
    for line in include_str!("../../../docs/letters.md").lines() {
        if let Some(title) = line.strip_prefix("## ") {
            inside = title.contains(code);
        }
        let cells: Vec<&str> = line.split(" | ").collect();
        if !inside || cells.len() < 2 || !cells[0].starts_with("| `") {
            continue;
        }
        let (kind, rest) = cells[1].split_once(',').unwrap_or((cells[1], ""));
        if PLAIN.contains(&kind) && rest.trim() != "time" {
            keys.extend(cells[0].split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    keys
}

#[tokio::test]
async fn sql_and_the_letters_agree_on_the_keys_of_a_subject() {
    let db = TestDb::new().await;
    for code in CODES {
        let known: Vec<String> = db
            .value("select public.email_subject_keys($1::text)", &[&code])
            .await;
        assert_eq!(
            known.into_iter().collect::<BTreeSet<_>>(),
            documented(code),
            "{code}: sql/core/26_subjects.sql against docs/letters.md"
        );
    }
}

#[tokio::test]
async fn the_chosen_subject_arrives_and_the_journal_says_which_it_was() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    db.exec(
        "insert into public.email_subject_variants (email_type, variant, subject)
         values ('E-TRX-01', 'prénom', '{first_name}, tout est prêt')",
    )
    .await;
    let sandbox = sandbox().await;
    let _sidecar = Sidecar::start(&db, "resend", &sandbox.url()).await;
    db.sign_up("Nadia Fournier", "nadia@seqpulse.test").await;
    db.wait_until(
        "select exists (select from public.email_deliveries where status = 'sent' and variant = 'prénom')",
    )
    .await;
    assert_eq!(
        &*sandbox.entries().remove(0).subject,
        "Nadia, tout est prêt"
    );
}
