//! `/preferences/{token}`: which lists, whether opens and clicks may be measured, and the time zone.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono_tz::{TZ_VARIANTS, Tz};
use pgconnect::pool::DbError;
use sailfish::TemplateSimple;
use uuid::Uuid;

use super::pages;
use super::request::{self, Fields};
use super::state::HttpState;
use crate::db::feedback::{self, Preferences};

/// Regions of IANA names in French, in the order of the list; names outside them are old aliases.
const REGIONS: [(&str, &str); 9] = [
    ("Europe/", "Europe"),
    ("Africa/", "Afrique"),
    ("America/", "Amérique"),
    ("Asia/", "Asie"),
    ("Atlantic/", "Atlantique"),
    ("Australia/", "Australie"),
    ("Indian/", "Océan Indien"),
    ("Pacific/", "Pacifique"),
    ("Antarctica/", "Antarctique"),
];

type Zones = Vec<(&'static str, Vec<&'static str>)>;

static ZONES: LazyLock<Zones> = LazyLock::new(|| {
    let of = |prefix: &str| {
        let names = TZ_VARIANTS.iter().map(|zone| zone.name());
        names.filter(|name| name.starts_with(prefix)).collect()
    };
    let mut zones: Zones = REGIONS.map(|(prefix, region)| (region, of(prefix))).into();
    zones.push(("Temps universel", vec!["UTC"]));
    zones
});

#[derive(TemplateSimple)]
#[template(path = "_pages/preferences.stpl")]
struct Form<'a> {
    current: &'a Preferences,
    zones: Vec<(&'a str, Vec<&'a str>)>,
    is_saved: bool,
    support: Option<&'a str>,
}

fn form(current: &Preferences, is_saved: bool, support: Option<&str>) -> Response {
    let mut zones: Vec<(&str, Vec<&str>)> = ZONES.clone();
    let zone = current.timezone.as_str();
    if !zones.iter().any(|(_, names)| names.contains(&zone)) {
        zones.push(("Autre", vec![zone]));
    }
    let page = Form {
        current,
        zones,
        is_saved,
        support,
    };
    pages::page(StatusCode::OK, page.render_once())
}

/// `GET`
pub(super) async fn show(State(state): State<HttpState>, Path(token): Path<String>) -> Response {
    let support = state.backend.support.as_deref();
    match current(&state, request::token(&token)).await {
        Ok(Some(current)) => form(&current, false, support),
        Ok(None) => unknown(support),
        Err(error) => pages::unavailable(&error, support),
    }
}

/// `POST`
pub(super) async fn save(
    State(state): State<HttpState>,
    Path(token): Path<String>,
    body: Bytes,
) -> Response {
    let support = state.backend.support.as_deref();
    let fields = Fields::read(&body);
    match change(&state, request::token(&token), &fields).await {
        Ok(Changed::To(current)) => form(&current, true, support),
        Ok(Changed::UnknownToken) => unknown(support),
        Ok(Changed::NothingAsked) => pages::unusable(support),
        Err(error) => pages::unavailable(&error, support),
    }
}

enum Changed {
    /// As it is on record now.
    To(Preferences),
    UnknownToken,
    NothingAsked,
}

async fn change(
    state: &HttpState,
    token: Option<Uuid>,
    fields: &Fields,
) -> Result<Changed, DbError> {
    let Some((token, before)) = token.zip(current(state, token).await?) else {
        return Ok(Changed::UnknownToken);
    };
    let names = [
        "save",
        "product_updates_opt_in",
        "marketing_opt_in",
        "tracking_consent",
        "timezone",
    ];
    if !names.iter().any(|name| fields.get(name).is_some()) {
        return Ok(Changed::NothingAsked);
    }
    let zone = fields.get("timezone").map(str::trim);
    let known = zone.filter(|zone| zone.parse::<Tz>().is_ok());
    let wanted = Preferences {
        is_user: before.is_user,
        marketing: fields.is_ticked("marketing_opt_in"),
        product: fields.is_ticked("product_updates_opt_in"),
        tracking: fields.is_ticked("tracking_consent"),
        timezone: known.unwrap_or(&before.timezone).to_owned(),
    };
    if !feedback::set_preferences(state.pool(), token, &wanted).await? {
        return Ok(Changed::UnknownToken);
    }
    tracing::info!(
        marketing = wanted.marketing,
        product = wanted.product,
        tracking = wanted.tracking,
        "preferences were saved"
    );
    Ok(match current(state, Some(token)).await? {
        Some(current) => Changed::To(current),
        None => Changed::UnknownToken,
    })
}

async fn current(state: &HttpState, token: Option<Uuid>) -> Result<Option<Preferences>, DbError> {
    match token {
        Some(token) => feedback::preferences_of(state.pool(), token).await,
        None => Ok(None),
    }
}

fn unknown(support: Option<&str>) -> Response {
    tracing::info!("a preferences link with an unknown token was used");
    pages::unknown_link(support)
}
