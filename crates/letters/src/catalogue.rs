//! Code to letter, one line each.

use serde_json::Value;

use super::letter::{self, Letter, Payload};
use super::{Recipient, RenderError};
use crate::Site;

macro_rules! catalogue {
    ($($payload:ty),+ $(,)?) => {
        /// The codes of the catalogue, in the order of the specification.
        pub const CODES: &[&str] = &[$(<$payload>::CODE),+];

        /// Writes the letter `code` from its context (payload and fresh figures, see `docs/letters.md`).
        ///
        /// # Errors
        /// [`RenderError`] names the code and the field or setting that is wrong; trying again with the same context is useless.
        pub fn render(code: &str, context: &Value, recipient: &Recipient, site: &Site) -> Result<Letter, RenderError> {
            match code {
                $(<$payload as Payload>::CODE => letter::write::<$payload>(context, recipient, site),)+
                _ => Err(RenderError::UnknownCode(super::value::one_line(code))),
            }
        }

        /// The keys a letter cannot do without; `None` for an unknown code.
        pub fn required(code: &str) -> Option<&'static [&'static str]> {
            match code {
                $(<$payload as Payload>::CODE => Some(<$payload>::REQUIRED),)+
                _ => None,
            }
        }

        /// Where a letter's button leads unless `email_types.params.cta_path` says otherwise; `None` for an unknown code.
        pub fn button(code: &str) -> Option<&'static str> {
            match code {
                $(<$payload as Payload>::CODE => Some(<$payload>::BUTTON),)+
                _ => None,
            }
        }
    };
}

catalogue!(
    super::welcome::Welcome,
    super::invitation::Invitation,
    super::two_factor::TwoFactor,
    super::suspicious_login::SuspiciousLogin,
    super::first_project::FirstProject,
    super::connect_pipeline::ConnectPipeline,
    super::finish_missing::FinishMissing,
    super::first_verdict::FirstVerdict,
    super::critical_verdict::CriticalVerdict,
    super::quota_80::Quota80,
    super::quota_90::Quota90,
    super::quota_reached::QuotaReached,
    super::pro_feature::ProFeature,
    super::monthly_report::MonthlyReport,
    super::weekly_report::WeeklyReport,
    super::activity_drop::ActivityDrop,
    super::inactive_14d::Inactive14d,
    super::inactive_30d::Inactive30d,
    super::payment_failed::PaymentFailed,
    super::payment_succeeded::PaymentSucceeded,
    super::nps::Nps,
    super::review::Review,
);
