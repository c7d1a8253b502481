//! E-BILL-02, a payment went through: the receipt, and what the month before was worth.

use serde::Deserialize;

use super::RenderError;
use super::french;
use super::letter::{Payload, templates};
use super::page::{Composer, Fact, Frame, Page, Tone};
use super::value::{Instant, Month, Text};

/// A paid invoice.
#[derive(Debug, Deserialize)]
pub(crate) struct PaymentSucceeded {
    /// Payload: in minor units of `currency`.
    #[serde(deserialize_with = "super::value::count")]
    pub amount: u64,
    /// Payload: ISO 4217.
    pub currency: String,
    /// Payload: shown as the invoice's number.
    #[serde(default, deserialize_with = "super::value::text")]
    pub invoice_id: Option<Text>,
    /// Payload; only `http` and `https`.
    #[serde(default, deserialize_with = "super::value::web_url")]
    pub invoice_url: Option<String>,
    /// Payload: when it was paid.
    #[serde(default)]
    pub occurred_at: Option<Instant>,
    /// Fresh.
    #[serde(default, deserialize_with = "super::value::text")]
    pub project_name: Option<Text>,
    /// Fresh: the last full UTC month before the payment, which the three figures are about.
    #[serde(default)]
    pub month: Option<Month>,
    /// Fresh; null when the project has no deployment in that month.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub deployments: Option<u64>,
    /// Fresh: verdicts `warning` of that month.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub warnings: Option<u64>,
    /// Fresh: verdicts `rollback_recommended` of that month.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub rollbacks: Option<u64>,
}

templates!(
    PaymentSucceeded,
    "E-BILL-02/subject.stpl",
    "E-BILL-02/body.txt.stpl",
    "E-BILL-02/body.html.stpl"
);

impl PaymentSucceeded {
    /// `49,00 €`; checked by [`Payload::page`].
    fn money(&self) -> String {
        french::money(self.amount, &self.currency).unwrap_or_default()
    }

    fn facts(&self, page: &Page<'_>) -> Vec<Fact> {
        let mut facts = Vec::with_capacity(4);
        facts.extend(Fact::known("Projet", self.project_name.as_ref()));
        facts.push(Fact::new("Montant payé", &self.money()));
        facts.extend(Fact::known("Facture", self.invoice_id.as_ref()));
        facts.extend(
            self.occurred_at
                .map(|at| Fact::new("Date", &page.zone.date(at))),
        );
        facts
    }

    /// `En février, SEQPULSE a analysé 47 déploiements et signalé 8 alertes.`; `None` without figures.
    fn value(&self) -> Option<String> {
        let month = french::month(self.month?.0);
        let deployments = french::count(
            self.deployments.filter(|&count| count > 0)?,
            "déploiement",
            "déploiements",
        );
        let alerts = self.warnings.unwrap_or(0) + self.rollbacks.unwrap_or(0);
        Some(if alerts == 0 {
            format!("En {month}, SEQPULSE a suivi {deployments} sans rien trouver d'alarmant.")
        } else {
            format!(
                "En {month}, SEQPULSE a suivi {deployments} et signalé {}.",
                french::count(alerts, "alerte", "alertes")
            )
        })
    }
}

impl Payload for PaymentSucceeded {
    const CODE: &'static str = "E-BILL-02";
    const REQUIRED: &'static [&'static str] = &["amount", "currency"];
    const BUTTON: &'static str = "/dashboard/deployments";

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        let Some(money) = french::money(self.amount, &self.currency) else {
            let problem = "is not an ISO 4217 code such as EUR".to_owned();
            return Err(RenderError::Invalid {
                code: Self::CODE,
                field: "currency".to_owned(),
                problem,
            });
        };
        let mut page = composer.page(Frame {
            kind: "Facturation",
            tone: Tone::Good,
            preheader: format!("Paiement de {money} bien reçu, merci."),
            cta: composer.cta("Voir les performances du mois"),
            why: "Vous recevez ce message parce que vous êtes responsable de l'abonnement Pro de ce projet.",
        })?;
        page.links.extend(self.invoice_url.clone());
        Ok(page)
    }
}
