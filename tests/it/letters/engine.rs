//! What the application's engine writes in English reaches no letter, and all of it has its French.

use letters::samples;
use serde_json::{Value, json};

use super::{sample, visible, with, written};
use crate::support::TestDb;

/// Every whole sentence of the engine, of today's version and of older ones: summaries, reasons, titles, diagnoses, actions.
fn engine_texts() -> impl Iterator<Item = &'static str> {
    include_str!("engine_texts.txt").lines()
}

#[test]
fn no_text_of_the_engine_is_in_any_letter() {
    assert_eq!(engine_texts().count(), 148);
    for sample in samples::all() {
        let letter = written(&sample);
        let html = visible(&letter.html);
        for text in engine_texts() {
            for part in [&letter.subject, &letter.text, &html] {
                assert!(
                    !part.replace('’', "'").contains(text),
                    "{}: {text:?} in {part}",
                    sample.name
                );
            }
        }
        for raw in [
            "data_quality",
            "_ratio",
            "unstable",
            "requests_per_sec",
            "cpu_usage",
            "HTTPError",
            "hmac_secret",
            "api.client.example",
        ] {
            assert!(!letter.text.contains(raw), "{}: {raw}", sample.name);
        }
    }
}

#[test]
fn only_a_rollback_is_urgent_and_what_was_not_measured_is_no_alarm() {
    for sample in samples::all() {
        if sample.code != "E-ACT-05" {
            continue;
        }
        let letter = written(&sample);
        let rollback = sample.context["verdict"] == "rollback_recommended";
        assert_eq!(
            letter.subject.starts_with("Urgent"),
            rollback,
            "{}",
            sample.name
        );
        let number = format!("#{}", sample.context["deployment_number"]);
        assert!(letter.subject.contains(&number), "{}", sample.name);
        let others = sample.context["others"].as_array();
        let blind = sample.context["measured"] == false
            && others.is_none_or(|others| others.iter().all(|other| other["measured"] == false));
        if blind {
            for alarm in [
                "avertissement",
                "risque",
                "rollback",
                "normale",
                "Avertissement",
                "Urgent",
            ] {
                assert!(
                    !letter.text.contains(alarm) && !letter.subject.contains(alarm),
                    "{}: {alarm}",
                    sample.name
                );
            }
        }
    }
}

#[test]
fn what_was_not_measured_is_counted_apart_from_warnings() {
    let several = sample("E-ACT-05-several");
    let letter = written(&several);
    assert_eq!(
        letter.subject,
        "2 avertissements et 1 déploiement non mesuré sur Checkout API\u{a0}: #52, #53 et #54"
    );
    // The last one could not be measured either: the steps are those for that.
    let last = with(
        with(several.clone(), "measured", false),
        "metrics",
        json!([]),
    );
    let letter = written(&last);
    assert!(
        letter
            .subject
            .starts_with("1 avertissement et 2 déploiements non mesurés sur "),
        "{}",
        letter.subject
    );
    for part in [&letter.text, &visible(&letter.html)] {
        assert!(part.contains("Que faire, pour le #54\u{a0}:"), "{part}");
        assert!(part.contains("Tester l’endpoint de métriques"), "{part}");
        assert!(!part.contains("Comparer les métriques"), "{part}");
    }
    let measured: Vec<_> = several.context["others"]
        .as_array()
        .unwrap()
        .iter()
        .cloned()
        .map(|mut other| {
            other["measured"] = true.into();
            other
        })
        .collect();
    assert_eq!(
        written(&with(several, "others", measured)).subject,
        "3 avertissements sur Checkout API\u{a0}: déploiements #52, #53 et #54"
    );
}

#[test]
fn a_failed_pipeline_and_unjudged_traffic_are_not_called_fine() {
    let failed = written(&sample("E-ACT-04-failed")).text;
    assert!(
        !failed.contains("passer à la suite")
            && failed.contains("- Pipeline\u{a0}: terminé en échec"),
        "{failed}"
    );
    assert!(!written(&sample("E-ACT-04-ok")).text.contains("Pipeline"));
    for (threshold, said) in [(json!(34), true), (Value::Null, false)] {
        let mut quiet = sample("E-ACT-04-ok");
        for measure in quiet.context["metrics"].as_array_mut().unwrap() {
            if measure["metric"] == "requests_per_sec" {
                measure["threshold"] = threshold.clone();
            }
        }
        let text = written(&quiet).text;
        assert_eq!(text.contains("trafic"), said, "{text}");
    }
}

#[test]
fn a_free_project_reads_the_first_action_and_what_pro_adds() {
    let free = written(&sample("E-ACT-05")).text;
    assert!(
        free.contains("\n1) ") && !free.contains("\n2) ") && free.contains("Le plan Pro ajoute"),
        "{free}"
    );
    let pro = written(&with(sample("E-ACT-05"), "plan", "pro")).text;
    assert!(
        pro.contains("\n3) ") && !pro.contains("\n4) ") && !pro.contains("Le plan Pro"),
        "{pro}"
    );
}

#[tokio::test]
async fn every_text_of_the_engine_has_a_french_sentence() {
    let db = TestDb::new().await;
    let texts: Vec<&str> = engine_texts().collect();
    let rows = db
        .query(
            "select f.said from public.email_french($1) f where f.french is null or f.french = f.said",
            &[&texts],
        )
        .await;
    let missing: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(missing, Vec::<String>::new());
}
