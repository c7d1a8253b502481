//! E-ADV-02, asking a promoter for a public review.

use serde::Deserialize;

use super::RenderError;
use super::letter::{Payload, templates};
use super::page::{Composer, Frame, Page, Tone};

/// A user who answered the survey with 9 or 10.
#[derive(Debug, Deserialize)]
pub(crate) struct Review {
    /// Payload: 0 to 10.
    #[serde(default, deserialize_with = "super::value::count_opt")]
    pub score: Option<u64>,
}

templates!(
    Review,
    "E-ADV-02/subject.stpl",
    "E-ADV-02/body.txt.stpl",
    "E-ADV-02/body.html.stpl"
);

impl Payload for Review {
    const CODE: &'static str = "E-ADV-02";
    const REQUIRED: &'static [&'static str] = &[];
    const BUTTON: &'static str = "{review_url}";

    fn page<'a>(&self, composer: &Composer<'a>) -> Result<Page<'a>, RenderError> {
        if composer.site.review_url.is_none() {
            return Err(RenderError::Setting {
                code: Self::CODE,
                setting: "EMAIL_REVIEW_URL",
            });
        }
        composer.page(Frame {
            kind: "Merci",
            tone: Tone::Good,
            preheader: "Deux minutes pour aider d'autres équipes à choisir.".to_owned(),
            cta: composer.cta("Laisser un avis"),
            why: "Vous recevez ce message parce que vous avez donné une note à SEQPULSE.",
        })
    }
}
