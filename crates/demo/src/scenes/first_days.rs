//! The first two days: the users appear, the first letters, an address that bounces, a user who wants fewer letters.

use standin::Happening;

use super::verbs::{
    DEPLOY, PROJECT, SIGN_UP, TWO_FACTOR, VERDICT, VIEW, app, due, held, operator, signal, to,
};
use crate::scenario::{Deed, Fact, Scene};

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
            app(
                "Lucas signs up, and mistypes his address",
                SIGN_UP,
                &["{lucas}", "Lucas Petit", "lucas.petti@exemple.fr"],
            ),
            signal(
                "Nassir logs in, with Firefox on Linux",
                &[
                    "login",
                    "{nassir}",
                    "",
                    r#"{"ip": "203.0.113.10", "device": "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"}"#,
                ],
            ),
            signal(
                "Nadia invites devops@acme.example to API Gateway",
                &[
                    "invitation_created",
                    "{nadia}",
                    "{project}2",
                    r#"{"invitation_id": "inv-1", "invitee_email": "devops@acme.example", "inviter_name": "Nadia", "accept_url": "https://app.seqpulse.example/invitations/inv-1"}"#,
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
                "Jean-Baptiste wants his alerts in Slack, a Pro feature",
                &[
                    "pro_feature_attempted",
                    "{jb}",
                    "{project}5",
                    r#"{"feature": "slack"}"#,
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
            to("Lucas", "E-TRX-01", "", "welcome_signup:{lucas}"),
            to("devops@acme", "E-TRX-02", "J0", "invitation:inv-1:J0"),
            to("Nadia", "E-BILL-01", "J0", "payment_failed:F-2041:J0"),
            to("Nadia", "E-SEC-01", "on", "twofa_changed:{nadia}:on:%"),
            to("Jean-Baptiste", "E-CONV-04", "", "pro_feature:{jb}:slack:%"),
        ],
    },
    Scene {
        day: 0,
        time: "10:20",
        facts: &[Fact {
            what: "the provider reports that Lucas' letter bounced",
            deed: Deed::Happens(Happening::Bounced, "E-TRX-01", "lucas.petti@exemple.fr"),
        }],
        letters: &[],
    },
    Scene {
        day: 0,
        time: "12:10",
        facts: &[],
        letters: &[
            due("Nassir", "E-ACT-01", "", "no_project_after_signup:{nassir}"),
            held(
                "Lucas",
                "E-ACT-01",
                "",
                "no_project_after_signup:{lucas}",
                "address suppressed: bounced",
            ),
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
                "Nassir logs in, with Chrome on Windows this time",
                &[
                    "login",
                    "{nassir}",
                    "",
                    r#"{"ip": "198.51.100.7", "device": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"}"#,
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
            Fact {
                what: "Nassir says that it was him, on the page of the alert",
                deed: Deed::Press("E-SEC-02", "nassir.benali@exemple.fr", "confirmed"),
            },
            operator(
                "Nadia adds an admin and an on-call address to API Gateway",
                include_str!("../sql/contacts.sql"),
                &["{project}2"],
            ),
            operator(
                "Nadia agrees to opens and clicks being tracked",
                include_str!("../sql/consent.sql"),
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
                &["{project}2", "warning", "cpu"],
            ),
        ],
        letters: &[
            due(
                "Nassir",
                "E-ACT-02",
                "",
                "no_deployment_after_project:{project}1",
            ),
            held(
                "Nadia",
                "E-ACT-04",
                "warning",
                "first_verdict_available:{project}2",
                "E-ACT-05 tells this recipient of the deployment",
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
            Fact {
                what: "Nadia opens the alert",
                deed: Deed::Happens(Happening::Opened, "E-ACT-05", "nadia.fournier@exemple.fr"),
            },
            Fact {
                what: "Nadia clicks through to the verdict",
                deed: Deed::Happens(Happening::Clicked, "E-ACT-05", "nadia.fournier@exemple.fr"),
            },
            app("Nadia reads the verdict", VIEW, &["{nadia}", "{project}2"]),
            app(
                "Nassir's pipeline starts a deployment, and never says that it is over",
                DEPLOY,
                &["{project}1", "1", "running", "{deployment}2"],
            ),
            signal(
                "Jean-Baptiste sets 15 minutes of observation, another Pro feature",
                &[
                    "pro_feature_attempted",
                    "{jb}",
                    "{project}5",
                    r#"{"feature": "window"}"#,
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
                "window",
                "pro_feature:{jb}:window:%",
                "opted out of marketing",
            ),
            to("Jean-Baptiste", "E-SEC-01", "on", "twofa_changed:{jb}:on:%"),
        ],
    },
];
