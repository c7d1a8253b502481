//! `/nps/{token}?score=N`: the survey of E-ADV-01.
//!
//! A GET shows the form with the score chosen and changes nothing; sending the form records the answer, once per survey:
//! the first one stays, because E-ADV-02 and the score of the quarter have been told it.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use sailfish::TemplateSimple;

use super::pages;
use super::request::{self, Fields};
use super::state::HttpState;
use crate::db::feedback::{self, Answer};

/// Characters of a comment that are kept; the form allows no more.
const COMMENT_CHARS: usize = 1000;

#[derive(TemplateSimple)]
#[template(path = "_pages/nps.stpl")]
struct Survey<'a> {
    chosen: Option<u8>,
    comment: &'a str,
    is_wrong: bool,
    support: Option<&'a str>,
}

/// What a link or form says about the score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Score {
    Missing,
    Wrong,
    Of(u8),
}

fn score(fields: &Fields) -> Score {
    match fields.get("score").map(str::trim) {
        None | Some("") => Score::Missing,
        Some(text) => match text.parse() {
            Ok(score @ 0..=10) if text.len() <= 2 => Score::Of(score),
            _ => Score::Wrong,
        },
    }
}

/// Without control characters other than line breaks, and not longer than the form allows.
fn comment(fields: &Fields) -> String {
    let text = fields
        .get("comment")
        .unwrap_or_default()
        .replace("\r\n", "\n");
    let kept = text
        .chars()
        .filter(|&character| character == '\n' || !character.is_control());
    kept.take(COMMENT_CHARS)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// `GET`
pub(super) async fn ask(
    State(state): State<HttpState>,
    Path(_token): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let fields = Fields::read(query.unwrap_or_default().as_bytes());
    survey(&state, score(&fields), "", false)
}

/// `POST`; a form without a score takes the one of the link.
pub(super) async fn answer(
    State(state): State<HttpState>,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let support = state.backend.support.as_deref();
    let fields = Fields::read(&body);
    let comment = comment(&fields);
    let score = match score(&fields) {
        Score::Missing => score(&Fields::read(query.unwrap_or_default().as_bytes())),
        found => found,
    };
    let Score::Of(value) = score else {
        return survey(&state, score, &comment, true);
    };
    let known = match request::token(&token) {
        Some(token) => {
            let comment = Some(comment.as_str()).filter(|comment| !comment.is_empty());
            feedback::answer_nps(state.pool(), token, value, comment).await
        }
        None => Ok(Answer::Unknown),
    };
    match known {
        Ok(Answer::Recorded) => {
            tracing::info!("a survey was answered");
            pages::message(
                StatusCode::OK,
                "Merci pour votre réponse",
                "Elle est enregistrée et sera lue par notre équipe.",
                support,
            )
        }
        Ok(Answer::AnsweredBefore) => {
            tracing::info!("a survey was answered again; the first answer stays");
            pages::message(
                StatusCode::OK,
                "Vous avez déjà répondu",
                "Votre première réponse à cette enquête est enregistrée, et c'est elle qui compte. Merci !",
                support,
            )
        }
        Ok(Answer::Unknown) => {
            tracing::info!("a survey link with an unknown token was used");
            pages::unknown_link(support)
        }
        Err(error) => pages::unavailable(&error, support),
    }
}

/// The form; a score that is none (or, when it `must` be there, is missing) is said to be wrong.
fn survey(state: &HttpState, score: Score, comment: &str, must: bool) -> Response {
    let (chosen, is_wrong) = match score {
        Score::Of(score) => (Some(score), false),
        Score::Missing => (None, must),
        Score::Wrong => (None, true),
    };
    let page = Survey {
        chosen,
        comment,
        is_wrong,
        support: state.backend.support.as_deref(),
    };
    let status = if is_wrong {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    };
    pages::page(status, page.render_once())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_whole_numbers_from_0_to_10() {
        for (query, expected) in [
            ("score=0", Score::Of(0)),
            ("score=10", Score::Of(10)),
            ("score=+7", Score::Of(7)),
            ("score=", Score::Missing),
            ("", Score::Missing),
            ("score=11", Score::Wrong),
            ("score=-1", Score::Wrong),
            ("score=007", Score::Wrong),
            ("score=9.5", Score::Wrong),
            ("score=neuf", Score::Wrong),
        ] {
            assert_eq!(score(&Fields::read(query.as_bytes())), expected, "{query}");
        }
    }

    #[test]
    fn a_comment_is_trimmed_and_bounded() {
        let read = |text: &str| comment(&Fields::read(format!("comment={text}").as_bytes()));
        assert_eq!(read("+a%0D%0Ab%00%07+"), "a\nb");
        assert_eq!(read(&"%C3%A9".repeat(1001)).chars().count(), 1000);
    }
}
