//! A context that does not fit is refused with the code and the field; what is optional may be missing.

use letters::{CODES, RenderError, required, samples};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{sample, try_written, with, without, written};

#[test]
fn every_required_field_is_named_when_it_is_missing_or_null() {
    for sample in samples::all() {
        for &field in required(sample.code).unwrap() {
            let expected = format!("{}: field `{field}` is missing", sample.code);
            for broken in [
                without(sample.clone(), field),
                with(sample.clone(), field, Value::Null),
            ] {
                assert_eq!(try_written(&broken).unwrap_err().to_string(), expected);
            }
        }
    }
}

#[test]
fn every_other_field_may_be_missing_or_null() {
    // These open with a fact instead of a greeting.
    let urgent = ["E-ACT-05", "E-CONV-03"];
    for sample in samples::all() {
        for field in sample.context.as_object().unwrap().keys() {
            if !required(sample.code).unwrap().contains(&field.as_str()) {
                written(&without(sample.clone(), field));
                written(&with(sample.clone(), field, Value::Null));
            }
        }
        let mut bare = sample.clone();
        bare.context
            .as_object_mut()
            .unwrap()
            .retain(|key, _| required(sample.code).unwrap().contains(&key.as_str()));
        let letter = written(&bare);
        assert!(
            letter.text.starts_with("Bonjour,") || urgent.contains(&sample.code),
            "{}: {}",
            sample.name,
            letter.text
        );
    }
}

#[test]
fn a_field_of_the_wrong_kind_is_named() {
    for (name, field, value) in [
        ("E-CONV-01", "deployments_used", json!("many")),
        ("E-CONV-01", "deployments_used", json!([42])),
        ("E-CONV-01", "deployments_used", json!(-3)),
        ("E-CONV-01", "deployments_used", json!(1e18)),
        ("E-CONV-01", "deployments_used", json!(41.5)),
        ("E-CONV-01", "resets_on", json!("soon")),
        ("E-SEC-01", "enabled", json!("off")),
        ("E-SEC-01", "changed_at", json!("yesterday")),
        ("E-ACT-05", "verdict", json!("panic")),
        ("E-ACT-05", "verdict", json!("ok")),
        ("E-ACT-05", "actions", json!("restart")),
        ("E-TRX-02-J0", "step", json!("J9")),
        ("E-TRX-02-J0", "project_name", json!({ "name": "x" })),
        ("E-CONV-05", "month", json!("2026-13")),
        ("E-CONV-05", "warnings", json!("some")),
        ("E-RET-01", "deployments", json!(true)),
        ("E-ACT-04", "deployment_number", json!("#12")),
        ("E-CONV-02", "project_name", json!(false)),
        ("E-BILL-02", "currency", json!("euros")),
        ("E-TRX-01", "first_name", json!(["Nassir"])),
    ] {
        let sample = sample(name);
        let error = try_written(&with(sample.clone(), field, value.clone())).unwrap_err();
        assert!(
            matches!(error, RenderError::Invalid { .. }),
            "{name} {field} {value}: {error}"
        );
        let message = error.to_string();
        assert!(
            message.starts_with(&format!("{}: field `{field}` ", sample.code)),
            "{name} {field} {value}: {message}"
        );
    }
}

#[test]
fn an_optional_figure_out_of_range_is_left_out() {
    let mut absurd = with(sample("E-ACT-05"), "confidence", 7);
    absurd.context["metrics"][0]["after"] = json!(1e300);
    absurd.context["metrics"][1]["before"] = json!(-4);
    let text = written(&absurd).text;
    assert!(
        !text.contains("req/s (")
            && text.contains("taux d’erreur 0,2\u{a0}%")
            && !text.contains("Confiance"),
        "{text}"
    );
    let text = written(&with(sample("E-CONV-01"), "estimated_days_left", -4)).text;
    assert!(!text.contains("Au rythme actuel"), "{text}");
    let text = written(&with(sample("E-BILL-01-J0"), "amount", -4900)).text;
    assert!(!text.contains("Montant"), "{text}");
    for missing in ["amount", "currency"] {
        let text = written(&with(sample("E-BILL-01-J7"), missing, json!(null))).text;
        assert!(
            !text.contains("Montant") && text.contains("la facture de l’abonnement Pro"),
            "{text}"
        );
    }
}

#[test]
fn a_suspicious_login_says_what_differs_and_nothing_else() {
    let said = |device: Option<bool>, country: Option<bool>, city: Option<bool>| {
        let letter = with(sample("E-SEC-02-place"), "new_device", json!(device));
        let letter = with(letter, "new_country", json!(country));
        let text = written(&with(letter, "new_city", json!(city))).text;
        text.lines()
            .find(|line| line.starts_with("Une connexion"))
            .unwrap_or_default()
            .to_owned()
    };
    let (new, known) = (Some(true), Some(false));
    for (device, country, city, sentence) in [
        (new, known, None, "vient d’un appareil inhabituel."),
        (None, new, new, "vient d’un pays inhabituel."),
        (
            new,
            new,
            new,
            "vient d’un appareil et d’un pays inhabituels.",
        ),
        (known, None, new, "vient d’une ville inhabituelle."),
        (
            new,
            None,
            new,
            "vient d’un appareil et d’une ville inhabituels.",
        ),
        (None, None, None, "a été signalée comme suspecte."),
    ] {
        assert_eq!(
            said(device, country, city),
            format!("Une connexion à votre compte SEQPULSE {sentence}")
        );
    }
}

#[test]
fn figures_of_the_applications_own_jobs_may_be_strings() {
    assert_eq!(
        written(&with(sample("E-CONV-01"), "deployments_used", "42")),
        written(&sample("E-CONV-01"))
    );
}

#[test]
fn what_the_recipient_or_the_settings_lack_is_named() {
    let sample_ = sample("E-CONV-01");
    let mut recipient = sample_.recipient();
    recipient.unsubscribe_token = None;
    let error =
        letters::render("E-CONV-01", &sample_.context, &recipient, &samples::site()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "E-CONV-01: field `unsubscribe_token` is missing"
    );

    let review = sample("E-ADV-02");
    let mut site = samples::site();
    site.review_url = None;
    let error =
        letters::render("E-ADV-02", &review.context, &review.recipient(), &site).unwrap_err();
    assert_eq!(
        error.to_string(),
        "E-ADV-02: setting EMAIL_REVIEW_URL is missing"
    );

    let error = letters::render("E-NEW-01", &json!({}), &recipient, &site).unwrap_err();
    assert_eq!(error.to_string(), "E-NEW-01: there is no such letter");
    for context in [json!(null), json!([]), json!("x")] {
        let error = letters::render("E-TRX-01", &context, &review.recipient(), &site);
        assert!(error.is_err(), "{context} was taken for a context");
    }
}

#[test]
fn a_chosen_subject_is_filled_in_or_falls_back() {
    let sample = sample("E-CONV-01");
    let mut recipient = sample.recipient();
    let mut subject = |variant: &str, context: &Value| {
        recipient.subject = Some(variant.to_owned());
        letters::render("E-CONV-01", context, &recipient, &samples::site()).unwrap()
    };
    let letter = subject(
        "{first_name}, déjà {deployments_used} déploiements sur {project_name} !",
        &sample.context,
    );
    assert_eq!(
        letter.subject,
        "Nassir, déjà 42 déploiements sur Checkout API\u{a0}!"
    );
    assert!(
        letter
            .html
            .contains(&format!("<title>{}</title>", letter.subject))
    );
    let own = "Votre projet approche la limite Free (42/50)";
    assert_eq!(
        subject(
            "Bonjour {first_name}",
            &with(sample.clone(), "first_name", Value::Null).context
        )
        .subject,
        own
    );
    assert_eq!(subject("Bonjour {nobody}", &sample.context).subject, own);
    assert_eq!(subject("Bonjour {first_name", &sample.context).subject, own);
    assert_eq!(
        subject("Deux\r\nBcc: x@example.com", &sample.context).subject,
        "Deux Bcc: x@example.com"
    );
}

#[test]
fn the_catalogue_has_22_codes() {
    assert_eq!(CODES.len(), 22);
    assert_eq!(required("E-TRX-01"), Some(&[][..]));
    assert_eq!(required("E-NEW-01"), None);
    assert_ne!(Uuid::nil(), sample("E-TRX-01").recipient().delivery_id);
}
