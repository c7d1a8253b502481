//! `/unsubscribe/{token}`: leaving a list by one click of a mail client (RFC 8058), or on a page.
//!
//! A GET changes nothing, because scanners follow links; it does not even look the token up, so that a known one and an
//! unknown one get the same page. Any POST leaves the list, from any client and with any body: mail clients send
//! `List-Unsubscribe=One-Click` urlencoded or as multipart, the page's button sends an empty form.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use sailfish::TemplateSimple;

use super::pages;
use super::request::{self, Fields};
use super::state::HttpState;
use crate::db::feedback;

#[derive(TemplateSimple)]
#[template(path = "_pages/unsubscribe.stpl")]
struct Ask<'a> {
    list: Option<&'static str>,
    preferences: String,
    support: Option<&'a str>,
}

#[derive(TemplateSimple)]
#[template(path = "_pages/unsubscribed.stpl")]
struct Done<'a> {
    list: Option<&'static str>,
    preferences: String,
    support: Option<&'a str>,
}

/// `?c=`: the list; anything else means both, because a reader who opens this wants fewer letters, not an error.
fn list(query: Option<&str>) -> Option<&'static str> {
    match Fields::read(query.unwrap_or_default().as_bytes()).get("c") {
        Some("product") => Some("product"),
        Some("marketing") => Some("marketing"),
        _ => None,
    }
}

/// What one stops getting, after "ne plus recevoir".
fn what(list: Option<&str>) -> &'static str {
    match list {
        Some("product") => "nos conseils et bilans",
        Some("marketing") => "nos offres et actualités",
        _ => "nos conseils, bilans, offres et actualités",
    }
}

/// `GET`
pub(super) async fn ask(
    State(state): State<HttpState>,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let page = Ask {
        list: list(query.as_deref()),
        preferences: request::sibling("preferences", &token),
        support: state.backend.support.as_deref(),
    };
    pages::page(StatusCode::OK, page.render_once())
}

/// `POST`; the body is read to its end, within the limits, and means nothing.
pub(super) async fn leave(
    State(state): State<HttpState>,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
    _body: Bytes,
) -> Response {
    let support = state.backend.support.as_deref();
    let list = list(query.as_deref());
    let known = match request::token(&token) {
        Some(token) => feedback::unsubscribe(state.pool(), token, list).await,
        None => Ok(false),
    };
    match known {
        Ok(known) => tracing::info!(
            list = list.unwrap_or("product and marketing"),
            known_token = known,
            "an unsubscribe link was used"
        ),
        Err(error) => return pages::unavailable(&error, support),
    }
    let page = Done {
        list,
        preferences: request::sibling("preferences", &token),
        support,
    };
    pages::page(StatusCode::OK, page.render_once())
}
