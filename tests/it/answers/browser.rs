//! A person with a real browser.

use std::path::{Path, PathBuf};

use super::{ASKING, asked, told};
use crate::support::web::Web;
use crate::support::{Browser, TestDb};

/// From the letter's button to the row, with a real browser: on a phone in daylight and on a dark desktop.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_answers_in_a_browser() {
    let db = TestDb::only(&ASKING).await;
    let web = Web::start(&db, &[]).await;
    let mut visits = Vec::new();
    let mut people = Vec::new();
    for (code, button, asks, thanks, kind) in [
        (
            "E-SEC-02",
            "button[value=disowned]",
            "Était-ce bien vous ?",
            "C’est signalé",
            "login_disowned",
        ),
        (
            "E-RET-04",
            "button[value=active]",
            "Souhaitez-vous garder vos alertes ?",
            "Merci, c’est noté",
            "still_active",
        ),
        (
            "E-RET-02",
            "button[value=check]",
            "Demander un check intégration",
            "Votre demande est enregistrée",
            "integration_check_requested",
        ),
    ] {
        let letter = asked(&db, code, &code.to_lowercase()).await;
        people.push((letter.user, kind));
        let url = format!("http://{}{}", web.address, letter.path);
        visits.push((code, url, button, asks, thanks));
    }
    let keep = std::env::var_os("KEEP_PAGES").map(PathBuf::from);
    let went = tokio::task::spawn_blocking(move || {
        let Some(mut browser) = Browser::start("answers") else {
            eprintln!("skipped: Chromium is not installed (Debian: chromium)");
            return false;
        };
        for (code, url, button, asks, thanks) in visits {
            browser.window(375, false);
            browser.open(&url, asks);
            look(&mut browser, code, "asks", keep.as_deref());
            browser.press(button);
            browser.wait_for(thanks);
            look(&mut browser, code, "thanks", keep.as_deref());
        }
        true
    })
    .await
    .unwrap();
    if went {
        for (user, kind) in people {
            let told = told(&db, user).await;
            assert!(
                told.len() == 1 && told[0].starts_with(kind),
                "{kind}: {told:?}"
            );
        }
    }
}

/// Nothing may stick out sideways, and what is pressed is large enough for a thumb.
fn look(browser: &mut Browser, code: &str, what: &str, keep: Option<&Path>) {
    for (width, dark) in [(1280, true), (375, false)] {
        browser.window(width, dark);
        let place = format!("{code} {what} at {width}");
        let wider = browser.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth",
        );
        assert_eq!(wider, 0, "{place}");
        let low = browser
            .evaluate("[...document.querySelectorAll('button')].filter(b => b.getBoundingClientRect().height < 44).length");
        assert_eq!(low, 0, "{place}");
        if let Some(directory) = keep {
            std::fs::create_dir_all(directory).unwrap();
            browser.picture(&directory.join(format!("answer-{code}-{what}-{width}.png")));
        }
    }
}
