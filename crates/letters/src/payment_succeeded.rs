//! E-BILL-02, a payment went through: the receipt, and what the month before was worth.

use serde::Deserialize;

use super::RenderError;
use super::french::{self, NBSP};
use super::letter::{Payload, templates};
use super::page::{Composer, Fact, Frame, Page, Tone};
use super::value::{Instant, Month, Text};

/// What is known about a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Payment {
    /// The project's first: Pro begins with it.
    First,
    /// There was one before.
    Renewal,
    /// A word that is neither says nothing.
    #[serde(other)]
    Unknown,
}

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
    /// Fresh; null when nothing tells whether there was a payment before.
    #[serde(default)]
    pub payment: Option<Payment>,
    /// Fresh: the last full UTC month before the payment, which the figures are about.
    #[serde(default)]
    pub month: Option<Month>,
    /// Fresh; null when the project has no deployment in that month.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub deployments: Option<u64>,
    /// Fresh: how many of them have a verdict.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub analysed: Option<u64>,
    /// Fresh: verdicts `warning` of that month.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub warnings: Option<u64>,
    /// Fresh: verdicts `rollback_recommended` of that month.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub rollbacks: Option<u64>,
    /// Fresh: deployments of that month whose pipeline failed.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub failed_pipelines: Option<u64>,
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
        let label = if self.is_free() {
            "Montant"
        } else {
            "Montant payé"
        };
        facts.push(Fact::new(label, &self.money()));
        facts.extend(Fact::known("Facture", self.invoice_id.as_ref()));
        facts.extend(
            self.occurred_at
                .map(|at| Fact::new("Date", &page.zone.date(at))),
        );
        facts
    }

    /// Nothing was to be paid: a voucher, a trial.
    fn is_free(&self) -> bool {
        self.amount == 0
    }

    /// The subject.
    fn subject(&self) -> &'static str {
        match (self.payment, self.is_free()) {
            (Some(Payment::Renewal), false) => {
                "Renouvellement confirmé - votre projet reste protégé"
            }
            (Some(Payment::Renewal), true) => "Renouvellement confirmé - rien à payer cette fois",
            (Some(Payment::First), false) => "Paiement confirmé - votre abonnement Pro commence",
            (_, false) => "Paiement confirmé - votre projet reste protégé",
            (_, true) => "Abonnement Pro confirmé - rien à payer cette fois",
        }
    }

    /// The title.
    fn title(&self) -> &'static str {
        match (self.payment, self.is_free()) {
            (_, false) => "Paiement reçu, merci",
            (Some(Payment::First), true) => "Votre abonnement Pro commence",
            (_, true) => "Rien à payer cette fois",
        }
    }

    /// What comes before "L'abonnement Pro": the receipt, when there was something to pay.
    fn received(&self) -> &'static str {
        if self.is_free() {
            ""
        } else {
            "Nous avons bien reçu votre paiement. "
        }
    }

    /// What the subscription does.
    fn outcome(&self) -> &'static str {
        match self.payment {
            Some(Payment::Renewal) => {
                " est renouvelé et vos déploiements restent sous surveillance."
            }
            Some(Payment::First) => {
                " commence : déploiements sans quota, jusqu'à trois environnements, jusqu'à 15 minutes d'observation après chaque \
                 déploiement et alertes dans Slack."
            }
            _ => " est confirmé et vos déploiements restent sous surveillance.",
        }
    }

    /// `En février, SEQPULSE a analysé 45 déploiements sur 47 et signalé 8 alertes. Le pipeline a échoué 3 fois.`; `None`
    /// when nothing was analysed.
    fn value(&self) -> Option<String> {
        let month = french::month(self.month?.0);
        let deployments = self.deployments?;
        let analysed = self.analysed?.min(deployments);
        if analysed == 0 {
            return None;
        }
        let alerts = self.warnings.unwrap_or(0) + self.rollbacks.unwrap_or(0);
        let failed = self.failed_pipelines.unwrap_or(0);
        let deployments = if analysed < deployments {
            format!(" sur {}", french::number(deployments))
        } else {
            String::new()
        };
        let found = if alerts == 0 {
            "sans relever d'alerte".to_owned()
        } else {
            format!("et signalé {}", french::count(alerts, "alerte", "alertes"))
        };
        let pipeline = match failed {
            0 => String::new(),
            1 => " Le pipeline a échoué une fois.".to_owned(),
            _ => format!(
                " Le pipeline a échoué {}{NBSP}fois.",
                french::number(failed)
            ),
        };
        Some(format!(
            "En {month}, SEQPULSE a analysé {}{deployments} {found}.{pipeline}",
            french::count(analysed, "déploiement", "déploiements")
        ))
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
            preheader: if self.is_free() {
                "Le montant de cette facture est nul : rien n'a été débité.".to_owned()
            } else {
                format!("Paiement de {money} bien reçu, merci.")
            },
            cta: composer.cta("Voir les performances du mois"),
            why: "Vous recevez ce message parce que vous êtes responsable de l'abonnement Pro de ce projet.",
        })?;
        page.links.extend(self.invoice_url.clone());
        Ok(page)
    }
}
