//! E-BILL-01, a payment failed: four letters, each in its own tone.

use serde::Deserialize;

use super::RenderError;
use super::french;
use super::letter::{Payload, templates};
use super::page::{Composer, Fact, Frame, Page, Tone};
use super::value::{Instant, Text};

/// Which letter of the sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Step {
    /// At once: what happened, what to do.
    J0,
    /// Three days later: a reminder.
    J3,
    /// A week later: what is at stake.
    J7,
    /// Ten days later, the last.
    J10,
}

/// An invoice that could not be paid and still is not.
#[derive(Debug, Deserialize)]
pub(crate) struct PaymentFailed {
    /// Payload.
    pub step: Step,
    /// Payload: shown as the invoice's number.
    #[serde(default, deserialize_with = "super::value::text")]
    pub invoice_id: Option<Text>,
    /// Payload: in minor units of `currency`.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub amount: Option<u64>,
    /// Payload: ISO 4217.
    #[serde(default)]
    pub currency: Option<String>,
    /// Payload: when the payment failed.
    #[serde(default)]
    pub occurred_at: Option<Instant>,
    /// Fresh.
    #[serde(default, deserialize_with = "super::value::text")]
    pub project_name: Option<Text>,
}

templates!(
    PaymentFailed,
    "E-BILL-01/subject.stpl",
    "E-BILL-01/body.txt.stpl",
    "E-BILL-01/body.html.stpl"
);

impl PaymentFailed {
    /// `49,00 €`, when both halves are known; a failed payment of nothing is a figure nobody meant.
    fn money(&self) -> Option<String> {
        french::money(
            self.amount.filter(|&amount| amount > 0)?,
            self.currency.as_deref()?,
        )
    }

    fn facts(&self, page: &Page<'_>) -> Vec<Fact> {
        let mut facts = Vec::with_capacity(4);
        facts.extend(Fact::known("Projet", self.project_name.as_ref()));
        facts.extend(self.money().map(|money| Fact::new("Montant", &money)));
        facts.extend(Fact::known("Facture", self.invoice_id.as_ref()));
        facts.extend(
            self.occurred_at
                .map(|at| Fact::new("Échec du paiement", &page.zone.date(at))),
        );
        facts
    }
}

impl Payload for PaymentFailed {
    const CODE: &'static str = "E-BILL-01";
    const REQUIRED: &'static [&'static str] = &["step"];
    const BUTTON: &'static str = "{update_url} | {support}";

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        let (tone, preheader) = match self.step {
            Step::J0 => (
                Tone::Caution,
                "Rien d'alarmant : c'est le plus souvent une carte expirée ou remplacée.",
            ),
            Step::J3 => (
                Tone::Caution,
                "Le règlement n'est toujours pas passé, et la facture reste ouverte.",
            ),
            Step::J7 => (
                Tone::Danger,
                "Sans règlement, votre projet pourra repasser en Free.",
            ),
            Step::J10 => (Tone::Danger, "C'est notre dernier message à ce sujet."),
        };
        composer.page(Frame {
            kind: "Facturation",
            tone,
            preheader: preheader.to_owned(),
            cta: composer.cta("Mettre à jour le moyen de paiement"),
            why: "Vous recevez ce message parce que vous êtes responsable de l'abonnement Pro de ce projet.",
        })
    }
}
