//! `preview` writes what it promises.

use letters::preview;
use letters::samples;

#[test]
fn writes_three_files_a_letter_and_an_index() {
    let out = tempfile::tempdir().unwrap();
    let below = out.path().join("a/b");
    let count = preview::run(&[], &below).unwrap();
    assert_eq!(count, samples::all().len());
    let index = std::fs::read_to_string(below.join("index.html")).unwrap();
    for sample in samples::all() {
        for part in ["html", "txt", "headers"] {
            assert!(
                below.join(format!("{}.{part}", sample.name)).is_file(),
                "{}.{part}",
                sample.name
            );
        }
        assert!(
            index.contains(&format!("id=\"{}\"", sample.name)),
            "{}",
            sample.name
        );
    }
    assert!(below.join("E-TRX-01.html").is_file() && below.join("E-BILL-01-J3.html").is_file());
    assert_eq!(index, preview::gallery().unwrap());
    assert!(!index.contains("<script"));
}

#[test]
fn a_code_stands_for_its_steps() {
    let out = tempfile::tempdir().unwrap();
    assert_eq!(
        preview::run(&["E-BILL-01".to_owned()], out.path()).unwrap(),
        4
    );
    assert_eq!(
        preview::run(
            &["e-bill-01-j3".to_owned(), "E-ACT-01".to_owned()],
            out.path()
        )
        .unwrap(),
        2
    );
    let error = preview::run(&["E-BILL-99".to_owned()], out.path())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("E-BILL-99: there is no such letter; the codes are E-TRX-01, "),
        "{error}"
    );
}
