//! The story: thirteen days in which every letter of the catalogue falls due, from a Wednesday to the 1st of a month.
//!
//! The people are the specification's own (Nassir, Nadia) and five more whom `sql/history.sql` knows. Whoever gets several
//! capped letters gets them a day apart: the clock moves past the cap, as it does past every delay.

use super::scenario::{Actor, Deed, Expected, Fact, Outcome, Scene};

/// The application does something.
const fn app(
    what: &'static str,
    statement: &'static str,
    parameters: &'static [&'static str],
) -> Fact {
    Fact {
        what,
        deed: Deed::Statement(Actor::Application, statement, parameters),
    }
}

/// Whoever runs the mailer does something.
const fn operator(
    what: &'static str,
    statement: &'static str,
    parameters: &'static [&'static str],
) -> Fact {
    Fact {
        what,
        deed: Deed::Statement(Actor::Operator, statement, parameters),
    }
}

/// The application tells a fact that no table of its own records.
const fn signal(what: &'static str, parameters: &'static [&'static str; 4]) -> Fact {
    app(what, include_str!("sql/signal.sql"), parameters)
}

/// A letter that was waiting for its time.
const fn due(
    who: &'static str,
    code: &'static str,
    step: &'static str,
    key: &'static str,
) -> Expected {
    Expected {
        who,
        code,
        step,
        key,
        outcome: Outcome::FallsDue,
    }
}

/// A letter that arrives at once.
const fn to(
    who: &'static str,
    code: &'static str,
    step: &'static str,
    key: &'static str,
) -> Expected {
    Expected {
        who,
        code,
        step,
        key,
        outcome: Outcome::Arrives,
    }
}

/// A letter that does not go out, for a reason that contains this.
const fn held(
    who: &'static str,
    code: &'static str,
    step: &'static str,
    key: &'static str,
    reason: &'static str,
) -> Expected {
    Expected {
        who,
        code,
        step,
        key,
        outcome: Outcome::HeldBack(reason),
    }
}

const SIGN_UP: &str = include_str!("sql/sign_up.sql");
const PROJECT: &str = include_str!("sql/project.sql");
const DEPLOY: &str = include_str!("sql/deploy.sql");
const VERDICT: &str = include_str!("sql/verdict.sql");
const VIEW: &str = include_str!("sql/view_verdict.sql");
const TWO_FACTOR: &str = include_str!("sql/two_factor.sql");
const PLAN: &str = include_str!("sql/plan.sql");

/// The whole demo, in order.
pub(super) const SCENES: &[Scene] = &[
    Scene {
        day: 0,
        time: "10:04",
        facts: &[
            app(
                "Nassir signs up",
                SIGN_UP,
                &["{nassir}", "Nassir Benali", "nassir.benali@exemple.fr"],
            ),
            signal(
                "Nassir logs in, from Paris",
                &[
                    "login",
                    "{nassir}",
                    "",
                    r#"{"ip": "203.0.113.10", "country": "FR", "city": "Paris", "device": "Firefox sur Linux"}"#,
                ],
            ),
            signal(
                "Nadia invites devops@acme.example to API Gateway",
                &[
                    "invitation_created",
                    "{nadia}",
                    "{project}2",
                    r#"{"invitation_id": "inv-1", "invitee_email": "devops@acme.example", "inviter_name": "Nadia"}"#,
                ],
            ),
            signal(
                "Nadia's card is refused",
                &[
                    "payment_failed",
                    "{nadia}",
                    "{project}2",
                    r#"{"invoice_id": "F-2041", "amount": 4900, "currency": "EUR"}"#,
                ],
            ),
            app(
                "Nadia switches two-factor authentication on",
                TWO_FACTOR,
                &["{nadia}", "true"],
            ),
            signal(
                "Jean-Baptiste clicks \u{ab} Exporter CSV \u{bb}, a Pro feature",
                &[
                    "pro_feature_attempted",
                    "{jb}",
                    "{project}5",
                    r#"{"feature": "export"}"#,
                ],
            ),
            app(
                "Éloïse's project runs its 40th deployment this month",
                DEPLOY,
                &["{project}3", "1", "analyzed", ""],
            ),
        ],
        letters: &[
            to("Nassir", "E-TRX-01", "", "welcome_signup:{nassir}"),
            to("devops@acme", "E-TRX-02", "J0", "invitation:inv-1:J0"),
            to("Nadia", "E-BILL-01", "J0", "payment_failed:F-2041:J0"),
            to("Nadia", "E-SEC-01", "on", "twofa_changed:{nadia}:on:%"),
            to(
                "Jean-Baptiste",
                "E-CONV-04",
                "",
                "pro_feature:{jb}:export:%",
            ),
        ],
    },
    Scene {
        day: 0,
        time: "12:10",
        facts: &[],
        letters: &[
            due("Nassir", "E-ACT-01", "", "no_project_after_signup:{nassir}"),
            due("Éloïse", "E-CONV-01", "", "free_quota_80:{project}3:%"),
        ],
    },
    Scene {
        day: 0,
        time: "12:30",
        facts: &[app(
            "Nassir creates the project Checkout API",
            PROJECT,
            &["{project}1", "Checkout API", "{nassir}"],
        )],
        letters: &[],
    },
    Scene {
        day: 0,
        time: "22:41",
        facts: &[
            app(
                "Nadia switches two-factor authentication off",
                TWO_FACTOR,
                &["{nadia}", "false"],
            ),
            signal(
                "Nassir logs in, from São Paulo this time",
                &[
                    "login",
                    "{nassir}",
                    "",
                    r#"{"ip": "198.51.100.7", "country": "BR", "city": "São Paulo", "device": "Chrome sur Windows"}"#,
                ],
            ),
            Fact {
                what: "Jean-Baptiste unsubscribes, by his mail client's button",
                deed: Deed::Unsubscribe("E-CONV-04", "jb.ndiaye@exemple.fr"),
            },
        ],
        letters: &[
            to("Nadia", "E-SEC-01", "off", "twofa_changed:{nadia}:off:%"),
            to("Nassir", "E-SEC-02", "", "suspicious_login:%"),
        ],
    },
    Scene {
        day: 1,
        time: "14:00",
        facts: &[
            operator(
                "Nadia adds an admin and an on-call address to API Gateway",
                include_str!("sql/contacts.sql"),
                &["{project}2"],
            ),
            operator(
                "Nadia agrees to opens and clicks being tracked",
                include_str!("sql/consent.sql"),
                &["{nadia}"],
            ),
            app(
                "Nadia deploys API Gateway for the first time",
                DEPLOY,
                &["{project}2", "1", "running", "{deployment}1"],
            ),
            app(
                "the verdict: warning",
                VERDICT,
                &["{project}2", "warning", "210", "248", "0.004", "0.017"],
            ),
        ],
        letters: &[
            due(
                "Nassir",
                "E-ACT-02",
                "",
                "no_deployment_after_project:{project}1",
            ),
            to(
                "Nadia",
                "E-ACT-04",
                "warning",
                "first_verdict_available:{project}2",
            ),
            to(
                "admin@acme",
                "E-ACT-04",
                "copy",
                "first_verdict_available:{project}2:%",
            ),
            to(
                "Nadia",
                "E-ACT-05",
                "warning",
                "critical_verdict_alert:{deployment}1",
            ),
            to(
                "on-call@acme",
                "E-ACT-05",
                "copy",
                "critical_verdict_alert:{deployment}1:%",
            ),
            due("Chloé", "E-RET-03", "", "inactive_14d:{chloe}:%"),
            due("Maëlys", "E-RET-04", "J30", "inactive_30d:{maelys}:%:J30"),
        ],
    },
    Scene {
        day: 1,
        time: "14:20",
        facts: &[
            app("Nadia reads the verdict", VIEW, &["{nadia}", "{project}2"]),
            app(
                "Nassir's pipeline starts a deployment, and never says that it is over",
                DEPLOY,
                &["{project}1", "1", "running", "{deployment}2"],
            ),
            signal(
                "Jean-Baptiste asks for the SDH details, another Pro feature",
                &[
                    "pro_feature_attempted",
                    "{jb}",
                    "{project}5",
                    r#"{"feature": "sdh"}"#,
                ],
            ),
            app(
                "Jean-Baptiste switches two-factor authentication on",
                TWO_FACTOR,
                &["{jb}", "true"],
            ),
        ],
        letters: &[
            held(
                "Jean-Baptiste",
                "E-CONV-04",
                "sdh",
                "pro_feature:{jb}:sdh:%",
                "opted out of marketing",
            ),
            to("Jean-Baptiste", "E-SEC-01", "on", "twofa_changed:{jb}:on:%"),
        ],
    },
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
            &["{project}1", "ok", "180", "172", "0.003", "0.002"],
        )],
        letters: &[],
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
                &[
                    "{project}1",
                    "rollback_recommended",
                    "180",
                    "412",
                    "0.003",
                    "0.031",
                ],
            ),
            signal(
                "Éloïse's 51st deployment is refused",
                &["quota_refused", "{eloise}", "{project}3", "{}"],
            ),
        ],
        letters: &[
            due(
                "Nassir",
                "E-ACT-04",
                "ok",
                "first_verdict_available:{project}1",
            ),
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
        letters: &[due("Karim", "E-RET-02", "", "activity_drop:{project}4:%")],
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
        facts: &[Fact {
            what: "Inès gives 10 of 10, on the survey's page",
            deed: Deed::Answer("ines.moreau@exemple.fr", "10"),
        }],
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
        facts: &[],
        letters: &[due(
            "Nassir",
            "E-CONV-05",
            "",
            "monthly_value_report:{project}1:%",
        )],
    },
];
