//! From the third day on: what takes its time. Sequences, the quota, the weekly and the monthly report, the survey.

use super::verbs::{DEPLOY, PLAN, VERDICT, VIEW, app, due, signal, to, waits};
use crate::scenario::{Deed, Fact, Scene};

pub(super) const SCENES: &[Scene] = &[
    Scene {
        day: 2,
        time: "10:10",
        facts: &[app(
            "Éloïse's project runs its 45th deployment",
            DEPLOY,
            &["{project}3", "5", "analyzed", ""],
        )],
        letters: &[due("devops@acme", "E-TRX-02", "J2", "invitation:inv-1:J2")],
    },
    Scene {
        day: 2,
        time: "13:00",
        facts: &[],
        letters: &[due("Éloïse", "E-CONV-02", "", "free_quota_90:{project}3:%")],
    },
    Scene {
        day: 3,
        time: "10:10",
        facts: &[signal(
            "Chloé comes back",
            &[
                "login",
                "{chloe}",
                "",
                r#"{"ip": "203.0.113.20", "country": "FR", "device": "Safari sur Mac"}"#,
            ],
        )],
        letters: &[due("Nadia", "E-BILL-01", "J3", "payment_failed:F-2041:J3")],
    },
    Scene {
        day: 3,
        time: "14:30",
        facts: &[],
        letters: &[due(
            "Nassir",
            "E-ACT-03",
            "",
            "deployment_never_finished:{project}1",
        )],
    },
    Scene {
        day: 3,
        time: "15:00",
        facts: &[app(
            "Nassir's pipeline now says that it is over; the verdict: ok",
            VERDICT,
            &["{project}1", "ok", ""],
        )],
        letters: &[to(
            "Nassir",
            "E-ACT-04",
            "ok",
            "first_verdict_available:{project}1",
        )],
    },
    Scene {
        day: 4,
        time: "15:10",
        facts: &[
            app(
                "Nassir deploys again",
                DEPLOY,
                &["{project}1", "1", "running", "{deployment}3"],
            ),
            app(
                "the verdict: rollback recommended",
                VERDICT,
                &["{project}1", "rollback_recommended", "traffic"],
            ),
            signal(
                "Éloïse's 51st deployment is refused",
                &["quota_refused", "{eloise}", "{project}3", "{}"],
            ),
        ],
        letters: &[
            to(
                "Nassir",
                "E-ACT-05",
                "rollback",
                "critical_verdict_alert:{deployment}3",
            ),
            to("Éloïse", "E-CONV-03", "", "free_quota_reached:{project}3:%"),
        ],
    },
    Scene {
        day: 4,
        time: "16:00",
        facts: &[
            app(
                "Nassir reads the verdict",
                VIEW,
                &["{nassir}", "{project}1"],
            ),
            app("Éloïse takes the Pro plan", PLAN, &["{project}3", "pro"]),
        ],
        letters: &[],
    },
    Scene {
        day: 5,
        time: "08:01",
        facts: &[],
        letters: &[due("Nadia", "E-RET-01", "", "weekly_usage:{nadia}:%")],
    },
    Scene {
        day: 5,
        time: "10:10",
        facts: &[],
        letters: &[due("devops@acme", "E-TRX-02", "J5", "invitation:inv-1:J5")],
    },
    Scene {
        day: 6,
        time: "10:30",
        facts: &[app(
            "Inès deploys, on her 30th active day",
            DEPLOY,
            &["{project}8", "1", "analyzed", ""],
        )],
        letters: &[due("Karim", "E-RET-02", "", "activity_drop:{karim}:%")],
    },
    Scene {
        day: 7,
        time: "10:40",
        facts: &[],
        letters: &[
            due("Nadia", "E-BILL-01", "J7", "payment_failed:F-2041:J7"),
            due("Inès", "E-ADV-01", "", "nps_survey:{ines}:30d"),
        ],
    },
    Scene {
        day: 7,
        time: "11:00",
        facts: &[
            Fact {
                what: "Inès gives 10 of 10, on the survey's page",
                deed: Deed::Answer("ines.moreau@exemple.fr", "10"),
            },
            Fact {
                what: "Karim asks support to look at his integration, by the letter's button",
                deed: Deed::Press("E-RET-02", "karim.haddad@exemple.fr", "check"),
            },
        ],
        letters: &[],
    },
    Scene {
        day: 8,
        time: "11:30",
        facts: &[],
        letters: &[
            due("Maëlys", "E-RET-04", "J37", "inactive_30d:{maelys}:%:J37"),
            due("Inès", "E-ADV-02", "", "review_request:{ines}"),
        ],
    },
    Scene {
        day: 8,
        time: "12:00",
        facts: &[Fact {
            what: "Maëlys says that she stays, by the letter's button",
            deed: Deed::Press("E-RET-04", "maelys@exemple.fr", "active"),
        }],
        letters: &[],
    },
    Scene {
        day: 10,
        time: "10:50",
        facts: &[],
        letters: &[due(
            "Nadia",
            "E-BILL-01",
            "J10",
            "payment_failed:F-2041:J10",
        )],
    },
    Scene {
        day: 10,
        time: "11:00",
        facts: &[signal(
            "Nadia pays",
            &[
                "payment_succeeded",
                "{nadia}",
                "{project}2",
                r#"{"invoice_id": "F-2041", "amount": 4900, "currency": "EUR"}"#,
            ],
        )],
        letters: &[to("Nadia", "E-BILL-02", "", "payment_succeeded:F-2041")],
    },
    Scene {
        day: 13,
        time: "09:05",
        facts: &[signal(
            "Karim looks in, and deploys nothing",
            &[
                "login",
                "{karim}",
                "",
                r#"{"ip": "203.0.113.40", "country": "FR", "device": "Chrome sur Windows"}"#,
            ],
        )],
        letters: &[
            due("Nassir", "E-CONV-05", "", "monthly_value_report:{nassir}:%"),
            // His project went from seven deployments to none: that weighs more.
            waits(
                "Karim",
                "E-CONV-05",
                "",
                "monthly_value_report:{karim}:%",
                "cap",
            ),
        ],
    },
    Scene {
        day: 14,
        time: "09:30",
        facts: &[],
        letters: &[due(
            "Karim",
            "E-CONV-05",
            "",
            "monthly_value_report:{karim}:%",
        )],
    },
];
