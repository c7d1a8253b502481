//! What every page has: the frame, the headers that keep a token inside it, and the answers when nothing can be shown.
//!
//! A page is one response without script, cookie or further request, so a strict policy costs nothing: only the style
//! sheet inside it is allowed, by its hash. Its address holds a token that acts for its owner: no cache keeps it, no
//! referrer carries it on, no search engine lists it.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use letters::french;
use pgconnect::pool::DbError;
use sailfish::TemplateSimple;
use sha2::{Digest as _, Sha256};

const STYLE: &str = include_str!("../../templates/_pages/style.css");
/// Where the style sheet goes: put in last, so that the spacing of French does not touch it.
const STYLE_MARK: &str = "<!--style-->";
/// Seconds after which a page that could not be answered is worth another try.
const RETRY_AFTER: &str = "60";

static HEADERS: LazyLock<HeaderMap> = LazyLock::new(|| {
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        STANDARD.encode(Sha256::digest(STYLE))
    );
    let policy = HeaderValue::from_str(&policy).expect("base64 and our own words");
    let fixed = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    ];
    let fixed = fixed.map(|(name, value)| (name, HeaderValue::from_static(value)));
    fixed
        .into_iter()
        .chain([(header::CONTENT_SECURITY_POLICY, policy)])
        .collect()
});

/// A page about nothing but itself.
#[derive(TemplateSimple)]
#[template(path = "_pages/message.stpl")]
struct Message<'a> {
    title: &'a str,
    text: &'a str,
    support: Option<&'a str>,
}

pub(super) fn page(
    status: StatusCode,
    rendered: Result<String, sailfish::RenderError>,
) -> Response {
    match rendered {
        Ok(html) => {
            let html = french::typeset_html(&html).replacen(STYLE_MARK, STYLE, 1);
            (status, HEADERS.clone(), html).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

pub(super) fn message(
    status: StatusCode,
    title: &str,
    text: &str,
    support: Option<&str>,
) -> Response {
    let page_of = Message {
        title,
        text,
        support,
    };
    page(status, page_of.render_once())
}

/// Nobody has this token, or nothing can be done with it.
pub(super) fn unknown_link(support: Option<&str>) -> Response {
    message(
        StatusCode::NOT_FOUND,
        "Ce lien ne fonctionne pas",
        "Il est peut-être incomplet : ouvrez-le directement depuis le message que vous avez reçu, ou prenez celui d'un message plus récent.",
        support,
    )
}

/// The form was not sent by our page.
pub(super) fn unusable(support: Option<&str>) -> Response {
    message(
        StatusCode::BAD_REQUEST,
        "Rien n'a été enregistré",
        "Votre demande est arrivée incomplète. Rouvrez le lien de votre message et recommencez.",
        support,
    )
}

/// The database does not answer: the reader is told to come back, the operator why.
pub(super) fn unavailable(error: &DbError, support: Option<&str>) -> Response {
    tracing::warn!(%error, "a page cannot be answered: the database does not serve it");
    let mut response = message(
        StatusCode::SERVICE_UNAVAILABLE,
        "Réessayez dans un instant",
        "Nous n'avons pas pu traiter votre demande, et rien n'a été changé. Rechargez cette page dans une minute.",
        support,
    );
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    response
}
