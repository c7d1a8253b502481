//! `/answer/{token}`: the questions that letters ask with their button (E-SEC-02, E-RET-02, E-RET-04).
//!
//! A GET shows the question and changes nothing; sending the form records the answer as a signal, once. The token is the
//! letter's id and a key that only its recipient was given, so that nobody can confirm a login that is not theirs.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use letters::french::Zone;
use sailfish::TemplateSimple;

use super::pages;
use super::request::{self, Fields};
use super::state::HttpState;
use crate::db::answers::{self, About, Outcome, Question};

/// Longer names are cut: the page is read on a phone.
const NAME_CHARS: usize = 80;

/// What a page asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Was that you?
    Login,
    /// Do you want to stay?
    Stay,
    /// Shall we look at your integration?
    Check,
}

impl Asked {
    fn of(code: &str) -> Option<Self> {
        match code {
            "E-SEC-02" => Some(Self::Login),
            "E-RET-04" => Some(Self::Stay),
            "E-RET-02" => Some(Self::Check),
            _ => None,
        }
    }
}

/// What was said, as the form and SQL name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Disowned,
    Confirmed,
    Active,
    Check,
}

impl Said {
    fn read(fields: &Fields) -> Option<Self> {
        match fields.get("answer")? {
            "disowned" => Some(Self::Disowned),
            "confirmed" => Some(Self::Confirmed),
            "active" => Some(Self::Active),
            "check" => Some(Self::Check),
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Disowned => "disowned",
            Self::Confirmed => "confirmed",
            Self::Active => "active",
            Self::Check => "check",
        }
    }
}

#[derive(TemplateSimple)]
#[template(path = "_pages/answer.stpl")]
struct Ask<'a> {
    asked: Asked,
    /// `mardi 3 mars 2026 à 03:14 (heure de Paris)`, when the letter still says so.
    when: Option<String>,
    device: Option<String>,
    project: Option<String>,
    /// Answered so before; the form stays, because a login may still be disowned.
    before: Option<Said>,
    support: Option<&'a str>,
}

#[derive(TemplateSimple)]
#[template(path = "_pages/answered.stpl")]
struct Done<'a> {
    said: Said,
    settings: &'a str,
    dashboard: &'a str,
    support: Option<&'a str>,
}

/// `GET`
pub(super) async fn ask(State(state): State<HttpState>, Path(token): Path<String>) -> Response {
    let support = state.backend.support.as_deref();
    let question = match request::letter_token(&token) {
        Some(token) => answers::question(state.pool(), &token).await,
        None => Ok(None),
    };
    match question {
        Ok(Some(Question {
            code,
            answered,
            about,
        })) => match Asked::of(&code) {
            Some(asked) => pages::page(
                StatusCode::OK,
                page_of(asked, &answered, &about, support).render_once(),
            ),
            None => pages::unknown_link(support),
        },
        Ok(None) => {
            tracing::info!("an answer link with an unknown token was opened");
            pages::unknown_link(support)
        }
        Err(error) => pages::unavailable(&error, support),
    }
}

/// `POST`
pub(super) async fn answer(
    State(state): State<HttpState>,
    Path(token): Path<String>,
    body: Bytes,
) -> Response {
    let support = state.backend.support.as_deref();
    let said = Said::read(&Fields::read(&body));
    let outcome = match request::letter_token(&token) {
        // Asked even without a usable answer, so that an unknown link is told from an incomplete form.
        Some(token) => answers::answer(state.pool(), &token, said.map_or("", Said::word)).await,
        None => Ok(Outcome::Unknown),
    };
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => return pages::unavailable(&error, support),
    };
    tracing::info!(
        answer = said.map(Said::word),
        ?outcome,
        "a letter's question was answered"
    );
    let said = match (outcome, said) {
        (Outcome::Unknown, _) => return pages::unknown_link(support),
        (Outcome::DisownedBefore, _) => Said::Disowned,
        (Outcome::Recorded | Outcome::AnsweredBefore, Some(said)) => said,
        (Outcome::NoAnswer, _) | (_, None) => return pages::unusable(support),
    };
    let page = Done {
        said,
        settings: &state.backend.settings_page,
        dashboard: &state.backend.dashboard_page,
        support,
    };
    pages::page(StatusCode::OK, page.render_once())
}

fn page_of<'a>(
    asked: Asked,
    answered: &[String],
    about: &About,
    support: Option<&'a str>,
) -> Ask<'a> {
    let zone = Zone::named(about.time_zone.as_deref());
    let was = |kind: &str| answered.iter().any(|known| known == kind);
    Ask {
        asked,
        when: about
            .occurred_at
            .map(|at| format!("{} ({})", zone.moment(at), zone.label())),
        device: about.device.as_deref().and_then(name),
        project: about.project_name.as_deref().and_then(name),
        before: if was("login_disowned") {
            Some(Said::Disowned)
        } else if was("login_confirmed") {
            Some(Said::Confirmed)
        } else if was("still_active") {
            Some(Said::Active)
        } else if was("integration_check_requested") {
            Some(Said::Check)
        } else {
            None
        },
        support,
    }
}

/// On one line, without what hides or reorders text; `None` when nothing is left.
fn name(raw: &str) -> Option<String> {
    letters::name(raw, NAME_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_four_words_are_answers() {
        for (body, said) in [
            ("answer=disowned", Some(Said::Disowned)),
            ("answer=confirmed", Some(Said::Confirmed)),
            ("answer=active", Some(Said::Active)),
            ("answer=check", Some(Said::Check)),
            ("answer=", None),
            ("answer=login_confirmed", None),
            ("List-Unsubscribe=One-Click", None),
            ("", None),
        ] {
            assert_eq!(Said::read(&Fields::read(body.as_bytes())), said, "{body}");
        }
    }
}
