//! Every letter and step, all three parts, as a person has read them.

use insta::{Settings, assert_snapshot};
use letters::samples;

use super::written;

#[test]
fn every_letter_reads_as_reviewed() {
    let mut settings = Settings::clone_current();
    settings.set_snapshot_path("../../snapshots/letters");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for sample in samples::all() {
            let letter = written(&sample);
            let headers: Vec<String> = letter
                .headers
                .iter()
                .map(|(name, value)| format!("{name}: {value}"))
                .collect();
            let headers = headers.join("\n");
            assert_snapshot!(
                format!("{}.headers", sample.name),
                format!("Subject: {}\n{headers}", letter.subject)
            );
            assert_snapshot!(format!("{}.txt", sample.name), letter.text);
            assert_snapshot!(format!("{}.html", sample.name), letter.html);
        }
    });
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for sample in samples::all() {
        assert_eq!(written(&sample), written(&sample), "{}", sample.name);
    }
}
