//! Contexts that look real, one per letter and step, for `preview`, the demo and tests.
//!
//! The people and projects are the specification's own (Nassir, Nadia, API Gateway, Checkout API). Times are fixed, so
//! that what is rendered from them never changes by itself.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Recipient;
use crate::Category;
use crate::Site;

/// One letter to show.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The code, with the step or variant after it: `E-BILL-01-J3`, `E-ACT-05-warning`. Also a file name.
    pub name: String,
    /// The catalogue code.
    pub code: &'static str,
    /// As in `email_types`.
    pub category: Category,
    /// What SQL would hand over.
    pub context: Value,
}

impl Sample {
    /// The recipient that samples are written to.
    pub fn recipient(&self) -> Recipient {
        Recipient {
            delivery_id: Uuid::from_u128(0x6c0f_5b1e_52b9_4f0e_9b0a_1a2b_3c4d_5e6f),
            category: self.category,
            unsubscribe_token: Some(Uuid::from_u128(0x8f1c_0d3a_7b52_4e19_a6c4_92d8_e0f7_3b15)),
            subject: None,
        }
    }
}

/// Settings for samples: example domains, nothing of a real installation.
pub fn site() -> Site {
    Site {
        frontend_url: "https://app.example.com".to_owned(),
        cta_dashboard_path: "/dashboard".to_owned(),
        cta_pricing_path: "/pricing".to_owned(),
        cta_onboarding_path: "/dashboard/projects/new".to_owned(),
        public_url: Some("https://mail.example.com".to_owned()),
        support_address: Some("support@example.com".to_owned()),
        review_url: Some("https://avis.example.com/seqpulse".to_owned()),
        postal_address: Some("SEQPULSE SAS, 12 rue de l'Exemple, 75011 Paris, France".to_owned()),
    }
}

/// Every letter and step, in the order of the specification; variants follow what they vary.
#[expect(clippy::too_many_lines, reason = "a list: one entry a letter")]
pub fn all() -> Vec<Sample> {
    use Category::{Marketing, Product, Security, Transactional};
    let gateway = "3f0c9a52-6f0d-4c7e-9d0b-5a1c7e2b9f10";
    let checkout = "9b7e1d34-2c58-4f6a-8e21-0d4f6b3a7c88";
    let deployment = "c2a4e6f8-1b3d-4f5a-9c7e-8d0b2a4c6e81";
    let mut samples = Vec::new();
    let mut add = |code: &'static str, variant: &str, category: Category, keys: Value| {
        let mut context = json!({ "first_name": "Nassir", "time_zone": "Europe/Paris" });
        if let (Value::Object(context), Value::Object(keys)) = (&mut context, keys) {
            context.extend(keys);
            link_keys(code, context);
        }
        let name = if variant.is_empty() {
            code.to_owned()
        } else {
            format!("{code}-{variant}")
        };
        samples.push(Sample {
            name,
            code,
            category,
            context,
        });
    };

    add("E-TRX-01", "", Transactional, json!({}));
    let invited = json!({ "invitation_accepted": false, "project_name": "API Gateway", "inviter_name": "Nadia", "accept_url": "https://app.example.com/invitations/inv_7f31" });
    add("E-TRX-01", "invited", Transactional, invited.clone());
    add(
        "E-TRX-01",
        "joined",
        Transactional,
        with(
            &invited,
            json!({ "invitation_accepted": true, "accept_url": null }),
        ),
    );
    for step in ["J0", "J2", "J5"] {
        add(
            "E-TRX-02",
            step,
            Transactional,
            json!({
                "first_name": null, "step": step, "project_name": "API Gateway", "project_id": gateway, "inviter_name": "Nadia", "inviter_email": "nadia@example.com",
                "invitation_id": "inv_7f31", "accept_url": "https://app.example.com/invitations/inv_7f31",
            }),
        );
    }
    let login = json!({
        "changed_at": "2026-03-03T21:41:00Z", "login_at": "2026-03-03T21:38:12Z", "login_ip": "203.0.113.24",
        "login_device": "Firefox sur Linux",
    });
    add(
        "E-SEC-01",
        "",
        Security,
        with(
            &login,
            json!({ "enabled": false, "login_device_known": false }),
        ),
    );
    add(
        "E-SEC-01",
        "enabled",
        Security,
        with(
            &login,
            json!({ "enabled": true, "login_device_known": true }),
        ),
    );
    // What the application can tell today; the place has no source yet.
    let login = json!({ "occurred_at": "2026-03-03T02:14:00Z", "ip": "198.51.100.77", "device": "Chrome sur Windows" });
    add(
        "E-SEC-02",
        "",
        Security,
        with(&login, json!({ "new_device": true })),
    );
    add(
        "E-SEC-02",
        "place",
        Security,
        with(
            &login,
            json!({ "country": "VN", "city": "Hanoï", "new_country": true, "new_city": true, "new_device": true }),
        ),
    );
    add("E-SEC-02", "told", Security, login);
    add("E-ACT-01", "", Product, json!({}));
    let quiet = json!({
        "project_name": "Checkout API", "project_id": checkout, "env": "prod", "tech_stack": "node", "endpoint_active": false, "endpoint_failed": true,
    });
    add("E-ACT-02", "", Product, quiet.clone());
    add(
        "E-ACT-02",
        "active",
        Product,
        with(
            &quiet,
            json!({ "endpoint_active": true, "endpoint_failed": false }),
        ),
    );
    add(
        "E-ACT-02",
        "unknown",
        Product,
        with(
            &quiet,
            json!({ "tech_stack": "other", "endpoint_active": null, "endpoint_failed": null }),
        ),
    );
    add(
        "E-ACT-03",
        "",
        Product,
        json!({
            "project_name": "Checkout API", "project_id": checkout, "deployment_id": deployment, "deployment_number": 1, "env": "prod",
            "started_at": "2026-03-01T09:12:00Z", "unfinished": 1,
        }),
    );
    // What SQL gives for the application's own rows: tests/it/verdict_letters.rs prints it.
    let verdicts: BTreeMap<String, Value> =
        serde_json::from_str(include_str!("verdict_samples.json")).unwrap_or_default();
    let copied = verdicts.get("E-ACT-05").cloned().unwrap_or_default();
    for (name, keys) in verdicts {
        let (code, category) = if name.starts_with("E-ACT-04") {
            ("E-ACT-04", Product)
        } else {
            ("E-ACT-05", Transactional)
        };
        let variant = name[code.len()..].trim_start_matches('-');
        add(code, variant, category, keys);
    }
    add(
        "E-ACT-05",
        "copy",
        Transactional,
        with(
            &copied,
            json!({ "first_name": null, "owner_email": "nassir@example.com", "deployment_number": 50 }),
        ),
    );
    let quota = json!({
        "project_name": "Checkout API", "project_id": checkout, "deployments_used": 42, "deployments_limit": 50,
        "estimated_days_left": 4, "deployments_per_day": 2.3, "alerts": 6, "resets_on": "2026-04-01",
    });
    add("E-CONV-01", "", Marketing, quota.clone());
    add(
        "E-CONV-02",
        "",
        Marketing,
        with(
            &quota,
            json!({
                "deployments_used": 45, "estimated_days_left": 2, "deployments_per_day": 3.0, "alerts": 7,
            }),
        ),
    );
    add(
        "E-CONV-03",
        "",
        Transactional,
        with(
            &quota,
            json!({ "deployments_used": 50, "occurred_at": "2026-03-18T09:24:00Z" }),
        ),
    );
    add(
        "E-CONV-04",
        "",
        Marketing,
        json!({ "feature": "slack", "project_name": "API Gateway", "project_id": gateway }),
    );
    for feature in ["export", "window", "cluster"] {
        add(
            "E-CONV-04",
            feature,
            Marketing,
            json!({ "feature": feature, "project_name": "API Gateway", "project_id": gateway }),
        );
    }
    add(
        "E-CONV-04",
        "multi_env",
        Marketing,
        json!({
            "feature": "multi_env", "project_name": "API Gateway", "project_id": gateway, "original_env": "staging", "forced_env": "prod",
        }),
    );
    add(
        "E-CONV-04",
        "several",
        Marketing,
        json!({
            "feature": "slack", "features": [
                { "feature": "slack", "project_name": "API Gateway" },
                { "feature": "multi_env", "project_name": "Checkout API", "original_env": "staging", "forced_env": "prod" },
                { "feature": "export_csv", "project_name": "Checkout API" },
            ],
        }),
    );
    add(
        "E-CONV-05",
        "",
        Marketing,
        json!({
            "project_name": "API Gateway", "project_id": gateway, "month": "2026-02", "deployments": 47, "warnings": 6, "rollbacks": 2,
            "latency_delta": -4.2, "previous_deployments": 39, "previous_warnings": 8, "previous_rollbacks": 1,
            "analysed": 47, "failed": 0,
            "projects": [{ "name": "API Gateway", "deployments": 47, "alerts": 8, "path": "/dashboard/deployments/api-gateway/dpl_45" }],
        }),
    );
    add(
        "E-CONV-05",
        "projects",
        Marketing,
        json!({
            "project_name": null, "month": "2026-02", "deployments": 108, "analysed": 101, "failed": 3, "warnings": 9, "rollbacks": 2,
            "latency_delta": 2.6, "unmeasured": 4, "previous_deployments": 96, "previous_warnings": 8, "previous_rollbacks": 4,
            "projects": [
                { "name": "API Gateway", "deployments": 47, "alerts": 8, "path": "/dashboard/projects/api-gateway" },
                { "name": "Checkout API", "deployments": 31, "alerts": 0, "path": "/dashboard/projects/checkout-api" },
                { "name": "Service de facturation et de relance", "deployments": 14, "alerts": 2, "path": "/dashboard/projects/service-de-facturation-et-de-relance" },
                { "name": "Notifications", "deployments": 9, "alerts": 0, "path": "/dashboard/projects/notifications" },
                { "name": "Recherche", "deployments": 5, "alerts": 0, "path": "/dashboard/projects/recherche" },
                { "name": "Images", "deployments": 1, "alerts": 1, "path": "/dashboard/projects/images" },
                { "name": "Site vitrine", "deployments": 1, "alerts": 0, "path": "/dashboard/projects/site-vitrine" },
            ],
        }),
    );
    add(
        "E-RET-01",
        "",
        Product,
        json!({
            "week_start": "2026-03-02", "deployments": 8, "analysed": 8, "failed": 0, "warnings": 1, "rollbacks": 0, "latency_delta": -12.0,
            "previous_deployments": 5, "previous_warnings": 2, "previous_rollbacks": 0,
            "days": [
                { "date": "2026-03-02", "deployments": 2, "alerts": 0 }, { "date": "2026-03-03", "deployments": 3, "alerts": 1 },
                { "date": "2026-03-05", "deployments": 2, "alerts": 0 }, { "date": "2026-03-06", "deployments": 1, "alerts": 0 },
            ],
            "projects": [
                { "name": "Checkout API", "deployments": 3, "alerts": 1, "path": "/dashboard/deployments/checkout-api/dpl_47" },
                { "name": "API Gateway", "deployments": 5, "alerts": 0, "path": "/dashboard/projects/api-gateway" },
            ],
        }),
    );
    add(
        "E-RET-01",
        "one",
        Product,
        json!({
            "week_start": "2026-03-02", "deployments": 1, "analysed": 1, "failed": 1, "warnings": 0, "rollbacks": 1, "latency_delta": null,
            "previous_deployments": null, "previous_warnings": null, "previous_rollbacks": null,
            "days": [{ "date": "2026-03-08", "deployments": 1, "alerts": 1 }],
            "projects": [
                { "name": "Checkout API", "deployments": 1, "alerts": 1, "path": "/dashboard/deployments/checkout-api/dpl_48" },
            ],
        }),
    );
    add(
        "E-RET-01",
        "unanalysed",
        Product,
        json!({
            "week_start": "2026-03-02", "deployments": 5, "analysed": 2, "failed": 3, "warnings": 0, "rollbacks": 0, "latency_delta": 0.0,
            "previous_deployments": 5, "previous_warnings": 0, "previous_rollbacks": 0,
            "days": [{ "date": "2026-03-04", "deployments": 4, "alerts": 0 }, { "date": "2026-03-07", "deployments": 1, "alerts": 0 }],
            "projects": [{ "name": "API Gateway", "deployments": 5, "alerts": 0, "path": "/dashboard/projects/api-gateway" }],
        }),
    );
    add(
        "E-RET-01",
        "quiet",
        Product,
        json!({
            "week_start": "2026-03-02", "deployments": 0, "analysed": 0, "failed": 0, "warnings": 0, "rollbacks": 0, "latency_delta": null,
            "previous_deployments": 5, "previous_warnings": 2, "previous_rollbacks": 0, "days": [], "projects": [],
        }),
    );
    add(
        "E-RET-02",
        "",
        Marketing,
        json!({
            "project_name": "Checkout API", "project_id": checkout, "deployments": 7, "previous_deployments": 20,
        }),
    );
    add(
        "E-RET-02",
        "several",
        Marketing,
        json!({
            "deployments": 11, "previous_deployments": 32, "projects": [
                { "name": "Checkout API", "deployments": 7, "previous_deployments": 20 },
                { "name": "Paiements", "deployments": 4, "previous_deployments": 8 },
                { "name": "Catalogue", "deployments": 0, "previous_deployments": 4 },
            ],
        }),
    );
    let away = json!({ "project_name": "API Gateway", "project_id": gateway, "last_active_at": "2026-02-17T15:20:00Z" });
    add("E-RET-03", "", Marketing, away.clone());
    for step in ["J30", "J37"] {
        add(
            "E-RET-04",
            step,
            Marketing,
            with(&away, json!({ "step": step })),
        );
    }
    for step in ["J0", "J3", "J7", "J10"] {
        add(
            "E-BILL-01",
            step,
            Transactional,
            json!({
                "step": step, "project_name": "API Gateway", "project_id": gateway, "invoice_id": "in_1042", "amount": 4900, "currency": "EUR",
                "update_url": "https://billing.example.com/update/in_1042", "occurred_at": "2026-03-03T06:00:00Z",
            }),
        );
    }
    let paid = json!({
        "project_name": "API Gateway", "project_id": gateway, "invoice_id": "in_1043", "amount": 4900, "currency": "EUR",
        "invoice_url": "https://billing.example.com/invoices/in_1043", "occurred_at": "2026-03-03T06:00:00Z", "payment": "renewal",
        "month": "2026-02", "deployments": 47, "analysed": 45, "warnings": 6, "rollbacks": 2, "failed_pipelines": 3,
    });
    add("E-BILL-02", "", Transactional, paid.clone());
    add(
        "E-BILL-02",
        "first",
        Transactional,
        with(
            &paid,
            json!({ "payment": "first", "deployments": 5, "analysed": 2, "warnings": 0, "rollbacks": 0, "failed_pipelines": 1 }),
        ),
    );
    add(
        "E-BILL-02",
        "zero",
        Transactional,
        with(
            &paid,
            json!({ "amount": 0, "analysed": 47, "failed_pipelines": 0 }),
        ),
    );
    add(
        "E-BILL-02",
        "unknown",
        Transactional,
        with(
            &paid,
            json!({ "payment": null, "invoice_url": null, "month": null }),
        ),
    );
    add(
        "E-ADV-01",
        "",
        Marketing,
        json!({ "deployments": 64, "active_days": 45 }),
    );
    add("E-ADV-02", "", Marketing, json!({ "score": 10 }));
    samples
}

/// What SQL adds for the links of a letter: the address half of the project's pages, the key of the letter's own question.
fn link_keys(code: &str, context: &mut Map<String, Value>) {
    let button = super::button(code).unwrap_or_default();
    if button.contains("slug}") {
        let project = context.get("project_name").and_then(Value::as_str);
        let slug = project.unwrap_or_default().to_lowercase().replace(' ', "-");
        context.insert("project_slug".to_owned(), slug.clone().into());
        context.insert("unique_slug".to_owned(), slug.into());
    }
    if button.contains("{answer}") {
        let key = "5f1c0d3a7b524e19a6c492d8e0f73b15";
        context.insert("answer_key".to_owned(), key.into());
    }
}

/// `base` with `more` laid over it.
fn with(base: &Value, more: Value) -> Value {
    let mut merged = base.clone();
    if let (Value::Object(merged), Value::Object(more)) = (&mut merged, more) {
        merged.extend(more);
    }
    merged
}
