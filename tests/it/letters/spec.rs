//! Codes, subjects, buttons and bodies that the specification gives word for word.

use letters::{CODES, samples};
use serde_json::json;

use super::{sample, visible, with, written};

/// Sample, subject and button as the specification types them: without accents and French spaces.
const GIVEN: &[(&str, &str, &str)] = &[
    (
        "E-TRX-01",
        "Bienvenue sur SEQPULSE - Cree ton premier projet en 2 minutes",
        "Creer un projet",
    ),
    (
        "E-TRX-02-J0",
        "Nadia vous a invite a rejoindre le projet \"API Gateway\"",
        "Accepter l'invitation",
    ),
    (
        "E-SEC-01",
        "Alerte securite: votre 2FA a ete desactivee",
        "Securiser mon compte",
    ),
    (
        "E-SEC-02",
        "Nouvelle connexion detectee sur votre compte SEQPULSE",
        "Ce n'etait pas moi",
    ),
    (
        "E-ACT-01",
        "Il vous manque 1 etape pour activer SEQPULSE",
        "Creer un projet",
    ),
    (
        "E-ACT-02",
        "Connecte ton pipeline pour obtenir ton premier verdict",
        "Voir le guide CI/CD",
    ),
    (
        "E-ACT-03",
        "Votre analyse SEQPULSE est en attente de \"finish\"",
        "Corriger mon integration",
    ),
    (
        "E-ACT-04",
        "Premier verdict SEQPULSE pour API Gateway: warning (deploiement #12)",
        "Voir le verdict complet",
    ),
    (
        "E-ACT-05",
        "Urgent: rollback recommande sur Checkout API (prod), deploiement #48",
        "Voir le verdict complet",
    ),
    (
        "E-CONV-01",
        "Votre projet approche la limite Free (42/50)",
        "Passer au plan Pro",
    ),
    (
        "E-CONV-02",
        "Plus que 5 deploiements avant blocage",
        "Debloquer les deploiements illimites",
    ),
    (
        "E-CONV-03",
        "Action requise: limite Free atteinte pour votre projet",
        "Reprendre les deploiements",
    ),
    (
        "E-CONV-04",
        "Cette fonctionnalite est prete pour vous en Pro",
        "Activer Pro",
    ),
    (
        "E-CONV-05",
        "Votre bilan SEQPULSE de fevrier (+ opportunites Pro)",
        "Voir le plan Pro",
    ),
    (
        "E-RET-01",
        "Votre semaine SEQPULSE: 8 deploiements, 1 alerte",
        "Ouvrir le dashboard",
    ),
    (
        "E-RET-02",
        "On a remarque une baisse d'activite sur votre projet",
        "Demander un check integration",
    ),
    (
        "E-RET-03",
        "Votre cockpit deployment vous attend",
        "Reprendre SEQPULSE",
    ),
    (
        "E-RET-04-J30",
        "Souhaitez-vous continuer a recevoir les alertes SEQPULSE ?",
        "Oui, je reste actif",
    ),
    (
        "E-BILL-01-J0",
        "Action requise: votre paiement SEQPULSE a echoue",
        "Mettre a jour le moyen de paiement",
    ),
    (
        "E-BILL-02",
        "Renouvellement confirme - votre projet reste protege",
        "Voir les performances du mois",
    ),
    (
        "E-ADV-01",
        "Comment evaluez-vous SEQPULSE aujourd'hui ?",
        "Donner ma note",
    ),
    (
        "E-ADV-02",
        "Merci pour votre confiance - un petit avis ?",
        "Laisser un avis",
    ),
];

/// As somebody types French on a keyboard without accents.
fn typed(text: &str) -> String {
    text.replace("\u{a0}:", ":")
        .chars()
        .map(|character| match character {
            'à' | 'â' => 'a',
            'é' | 'è' | 'ê' => 'e',
            'î' => 'i',
            'ô' => 'o',
            'É' => 'E',
            '\u{a0}' => ' ',
            '’' => '\'',
            other => other,
        })
        .collect()
}

#[test]
fn subjects_and_buttons_are_the_specifications_words() {
    assert_eq!(GIVEN.len(), CODES.len());
    for (name, subject, button) in GIVEN {
        let letter = written(&sample(name));
        assert_eq!(typed(&letter.subject), *subject, "{name}");
        assert!(
            typed(&letter.html).contains(&format!(">{button}</a>")),
            "{name}: no button {button}"
        );
        let text = typed(&letter.text);
        let (_, led) = text
            .split_once(&format!("{button}:\n"))
            .unwrap_or_else(|| panic!("{name}: no {button} in the text part"));
        assert!(
            led.starts_with("https://")
                || led.starts_with(&format!("support@example.com (objet: « {button}")),
            "{name}: {led}"
        );
    }
}

#[test]
fn every_code_has_a_sample_and_every_step_its_own_words() {
    let letters: Vec<_> = samples::all()
        .into_iter()
        .map(|sample| (sample.code, written(&sample)))
        .collect();
    for code in CODES {
        let of_code: Vec<_> = letters
            .iter()
            .filter(|(other, _)| other == code)
            .map(|(_, letter)| letter)
            .collect();
        assert!(!of_code.is_empty(), "{code} has no sample");
        for (index, letter) in of_code.iter().enumerate() {
            for other in &of_code[..index] {
                assert_ne!(letter.text, other.text, "{code}");
                if matches!(
                    *code,
                    "E-TRX-02" | "E-RET-04" | "E-BILL-01" | "E-ACT-05" | "E-SEC-01"
                ) {
                    assert_ne!(letter.subject, other.subject, "{code}");
                }
            }
        }
    }
}

#[test]
fn the_bodies_that_the_specification_writes_out_keep_their_substance() {
    let quota = visible(&written(&sample("E-CONV-01")).html);
    for phrase in [
        "Bonjour Nassir,",
        "42/50 déploiements",
        "dans 4\u{a0}jours",
        "déploiements illimités",
        // Not "SDH complet" and email alerts, which every plan has.
        "15\u{a0}minutes d’observation",
        "alertes dans Slack",
    ] {
        assert!(quota.contains(phrase), "E-CONV-01 lacks {phrase}: {quota}");
    }
    let alert = visible(
        &written(&with(
            sample("E-ACT-05-older"),
            "actions",
            serde_json::Value::Null,
        ))
        .html,
    );
    for phrase in [
        "risque élevé",
        "#9",
        "+187\u{a0}%",
        "0,2\u{a0}%\u{a0}→\u{a0}3,4\u{a0}%",
        "rollback",
        "base de données",
        "15\u{a0}min",
    ] {
        assert!(alert.contains(phrase), "E-ACT-05 lacks {phrase}: {alert}");
    }
    let away = visible(&written(&sample("E-RET-03")).html);
    for phrase in [
        "2\u{a0}minutes",
        "dernier projet",
        "déploiement test",
        "consulter le verdict",
    ] {
        assert!(away.contains(phrase), "E-RET-03 lacks {phrase}: {away}");
    }
}

#[test]
fn singulars_are_singular() {
    let one_left = with(sample("E-CONV-02"), "deployments_used", 49);
    assert_eq!(
        written(&one_left).subject,
        "Plus que 1 déploiement avant blocage"
    );
    let quiet = with(with(sample("E-RET-01"), "deployments", 1), "warnings", 0);
    assert_eq!(
        written(&quiet).subject,
        "Votre semaine SEQPULSE\u{a0}: 1 déploiement, 0 alerte"
    );
    let april = with(sample("E-CONV-05"), "month", "2026-04");
    assert_eq!(
        written(&april).subject,
        "Votre bilan SEQPULSE d’avril (+ opportunités Pro)"
    );
    let tomorrow = with(sample("E-CONV-01"), "estimated_days_left", 1);
    assert!(written(&tomorrow).text.contains("d’ici demain"));
}

#[test]
fn nothing_is_claimed_that_is_not_known() {
    let slow = with(
        sample("E-CONV-01"),
        "estimated_days_left",
        serde_json::Value::Null,
    );
    let text = written(&slow).text;
    assert!(
        !text.contains("Au rythme actuel")
            && text.contains("Le compteur repart à zéro le 1er\u{a0}avril"),
        "{text}"
    );
    let blind = with(sample("E-ACT-05"), "metrics", serde_json::Value::Null);
    let text = written(&blind).text;
    assert!(
        !text.contains("atence") && !text.contains("Trafic") && !text.contains("Dans les limites"),
        "{text}"
    );
    let unknown = with(
        with(
            sample("E-TRX-02-J0"),
            "inviter_name",
            serde_json::Value::Null,
        ),
        "first_name",
        serde_json::Value::Null,
    );
    assert_eq!(
        written(&unknown).subject,
        "Invitation à rejoindre le projet \"API Gateway\""
    );
}

#[test]
fn nothing_is_called_ready_in_pro_that_the_plan_does_not_add() {
    const ADDED: [&str; 4] = ["slack", "window", "multi_env", "endpoint"];
    // What the plan does not change, and what is true of it instead; of an unknown feature nothing is.
    let others = [
        ("sdh", "ils sont les mêmes avec tous les plans"),
        ("retention", "la même avec tous les plans"),
        ("export_csv", "aucun plan ne le propose encore"),
        ("cluster", ""),
    ];
    let letter = |features: &[&str]| {
        let tried: Vec<_> = features
            .iter()
            .map(|feature| json!({ "feature": feature }))
            .collect();
        let mut letter = with(sample("E-CONV-04"), "features", tried);
        letter.context["feature"] = features[0].into();
        written(&letter)
    };
    for feature in ADDED {
        let letter = letter(&[feature]);
        assert_eq!(
            letter.subject, "Cette fonctionnalité est prête pour vous en Pro",
            "{feature}"
        );
        assert!(letter.text.contains("une fonctionnalité du plan Pro"));
    }
    assert_eq!(
        letter(&ADDED).subject,
        "Ces fonctionnalités sont prêtes pour vous en Pro"
    );
    for (feature, truth) in others {
        for tried in [&[feature][..], &["slack", feature]] {
            let letter = letter(tried);
            assert_eq!(
                letter.subject, "Ce que le plan Pro ajoute aujourd’hui",
                "{tried:?}"
            );
            for part in [&letter.text, &visible(&letter.html)] {
                assert!(part.contains(truth), "{tried:?}: {part}");
                assert!(
                    !part.contains("fonctionnalité du plan Pro"),
                    "{tried:?}: {part}"
                );
            }
        }
    }
}

#[test]
fn nobody_is_told_to_join_a_project_without_an_invitation() {
    for own in samples::all() {
        let lonely = with(own, "project_name", serde_json::Value::Null);
        let Ok(letter) = super::try_written(&lonely) else {
            continue;
        };
        assert!(
            !letter.text.contains("rejoindre un projet"),
            "{}: {}",
            lonely.name,
            letter.text
        );
    }
    let lonely = with(sample("E-RET-03"), "project_name", serde_json::Value::Null);
    assert!(written(&lonely).text.contains("1) créer un projet\u{a0};"));
}

#[test]
fn leaving_is_not_said_to_end_what_always_goes_out() {
    // E-ACT-05 is transactional: no preference stops it.
    let letter = written(&sample("E-RET-04-J30"));
    for part in [&letter.text, &visible(&letter.html)] {
        assert!(
            part.contains("les alertes critiques et les avis de sécurité et de facturation vous parviendront toujours"),
            "{part}"
        );
    }
}
