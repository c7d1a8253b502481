//! The pages a person reads: what arrived, newest first, and each letter as HTML, text, headers and source.
//!
//! They work without any script, and load nothing but their own style sheet. A letter's HTML is shown in a frame that may
//! run nothing and fetch nothing.
//!
//! Long because each page is a template, the struct it shows and its handler, side by side.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, Utc};
use sailfish::TemplateSimple;
use serde::Deserialize;
use uuid::Uuid;

use super::ledger::{Api, Entry, Fate, Ledger};
use super::letter::{Letter, Piece, indented, pieces, with_links_outside};
use super::state::Shared;

const PAGE: usize = 50;
const SNIPPET_CHARS: usize = 110;
/// Seconds between two looks of the live list.
const REFRESH_SECONDS: u8 = 3;

const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; frame-src 'self'; img-src 'self' data:; \
                           form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// No script, no request: styles and images that are part of the letter itself, and links that open elsewhere.
const LETTER_POLICY: &str = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; \
                             style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'";

/// The gallery is one file without scripts: its styles are inline, its letters frames with their content inside.
const GALLERY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self' data:; \
                              base-uri 'none'; frame-ancestors 'none'";

type Sandbox = State<Arc<Shared>>;

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(list))
        .route("/inbox.css", get(style))
        .route("/letters", get(gallery))
        .route("/inbox/{id}", get(letter))
        .route("/inbox/{id}/html", get(letter_html))
}

/// Every letter and step with sample data, as `preview` writes it.
async fn gallery() -> Response {
    match letters::preview::gallery() {
        Ok(html) => with_headers(
            ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
            GALLERY_POLICY,
        ),
        Err(error) => {
            tracing::error!(%error, "the gallery cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn style() -> Response {
    let css = include_str!("../../../templates/_sandbox/inbox.css");
    with_headers(
        ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], css).into_response(),
        PAGE_POLICY,
    )
}

fn page(rendered: Result<String, sailfish::RenderError>) -> Response {
    match rendered {
        Ok(html) => with_headers(
            ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
            PAGE_POLICY,
        ),
        Err(error) => {
            tracing::error!(%error, "a page of the inbox cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn with_headers(mut response: Response, policy: &'static str) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(policy),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What the list shows.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    /// Part of a recipient, a subject or a code.
    q: String,
    /// `resend` or `postmark`; empty: both.
    provider: String,
    /// `1`: look again every few seconds.
    live: String,
    /// Only entries before this place.
    before: Option<usize>,
}

impl Wanted {
    fn matches(&self, entry: &Entry, needle: &str) -> bool {
        let contains = |text: &str| text.to_lowercase().contains(needle);
        (self.provider.is_empty() || self.provider == entry.api.name())
            && (needle.is_empty()
                || contains(&entry.to)
                || entry.email_type.as_deref().is_some_and(contains)
                || contains(&entry.subject)
                || entry.delivery.as_deref() == Some(needle))
    }

    /// The address of the list with some of it changed.
    fn link(&self, provider: &str, is_live: bool, before: Option<usize>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if !self.q.is_empty() {
            query.append_pair("q", &self.q);
        }
        if !provider.is_empty() {
            query.append_pair("provider", provider);
        }
        if is_live {
            query.append_pair("live", "1");
        }
        if let Some(before) = before {
            query.append_pair("before", &before.to_string());
        }
        let query = query.finish();
        if query.is_empty() {
            "/".to_owned()
        } else {
            format!("/?{query}")
        }
    }
}

#[derive(TemplateSimple)]
#[template(path = "_sandbox/list.stpl")]
struct ListPage<'a> {
    wanted: &'a Wanted,
    is_live: bool,
    refresh: u8,
    rows: Vec<Row>,
    total: usize,
    matching: usize,
    duplicates: usize,
    older: Option<String>,
    newest: Option<String>,
}

struct Row {
    id: Uuid,
    subject: String,
    snippet: String,
    to: String,
    code: String,
    family: &'static str,
    api: &'static str,
    stream: Option<Arc<str>>,
    fate: Option<&'static str>,
    time: Time,
}

/// A moment for people and for machines.
struct Time {
    short: String,
    long: String,
    machine: String,
}

impl Time {
    fn new(at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let is_today = at.date_naive() == now.date_naive();
        let short = at
            .format(if is_today { "%H:%M:%S" } else { "%-d %b %H:%M" })
            .to_string();
        Self {
            short,
            long: at.format("%-d %B %Y, %H:%M:%S UTC").to_string(),
            machine: at.to_rfc3339(),
        }
    }
}

/// The colour of a code's chip: `E-TRX-01` is of the family `trx`.
fn family(code: &str) -> &'static str {
    match code.split('-').nth(1) {
        Some("TRX") => "trx",
        Some("SEC") => "sec",
        Some("ACT") => "act",
        Some("CONV") => "conv",
        Some("RET") => "ret",
        Some("BILL") => "bill",
        Some("ADV") => "adv",
        _ => "other",
    }
}

/// Only what is out of the ordinary is worth a word.
fn fate(fate: Fate) -> Option<&'static str> {
    (fate != Fate::Delivered).then(|| fate.name())
}

impl Row {
    fn new(entry: &Entry, ledger: &Ledger, now: DateTime<Utc>) -> Self {
        let code = entry.email_type.as_deref().unwrap_or("untagged").to_owned();
        let letter = ledger
            .source(entry.seq)
            .map(|source| Letter::read(entry.api, source));
        Self {
            id: entry.id,
            subject: entry.subject.to_string(),
            snippet: letter
                .map(|letter| letter.snippet(SNIPPET_CHARS))
                .unwrap_or_default(),
            to: entry.to.to_string(),
            family: family(&code),
            code,
            api: entry.api.name(),
            stream: entry.stream.clone(),
            fate: fate(entry.fate),
            time: Time::new(entry.at, now),
        }
    }
}

async fn list(State(shared): Sandbox, Query(wanted): Query<Wanted>) -> Response {
    let now = shared.settings().now();
    let needle = wanted.q.trim().to_lowercase();
    let account = shared.account();
    let ledger = &account.ledger;
    let total = ledger.entries().len();
    let end = wanted.before.unwrap_or(total).min(total);
    let mut matching = ledger.entries()[..end]
        .iter()
        .rev()
        .filter(|entry| wanted.matches(entry, &needle));
    let rows: Vec<Row> = matching
        .by_ref()
        .take(PAGE)
        .map(|entry| Row::new(entry, ledger, now))
        .collect();
    let last_seq = rows
        .last()
        .and_then(|row| ledger.by_id(row.id))
        .map(|entry| entry.seq);
    let has_more = matching.next().is_some();
    let matching = if needle.is_empty() && wanted.provider.is_empty() {
        total
    } else {
        ledger
            .entries()
            .iter()
            .filter(|entry| wanted.matches(entry, &needle))
            .count()
    };
    let duplicates = ledger.doubled();
    drop(account);
    // The live list is always the newest page.
    let is_live = wanted.live == "1" && wanted.before.is_none();
    let older = last_seq
        .filter(|_| has_more)
        .map(|seq| wanted.link(&wanted.provider, false, Some(seq)));
    let newest = wanted
        .before
        .map(|_| wanted.link(&wanted.provider, false, None));
    let list = ListPage {
        wanted: &wanted,
        is_live,
        refresh: REFRESH_SECONDS,
        rows,
        total,
        matching,
        duplicates,
        older,
        newest,
    };
    page(list.render_once())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct View {
    /// `html`, `text`, `headers` or `source`.
    view: String,
    /// `phone`: as narrow as one.
    width: String,
}

#[derive(TemplateSimple)]
#[template(path = "_sandbox/letter.stpl")]
struct LetterPage<'a> {
    entry: &'a Entry,
    letter: &'a Letter,
    is_kept: bool,
    view: &'a str,
    is_phone: bool,
    code: &'a str,
    family: &'a str,
    fate: Option<&'a str>,
    time: Time,
    text: Vec<Piece<'a>>,
    source: String,
    size: String,
    newer: Option<Uuid>,
    older: Option<Uuid>,
    copies: usize,
}

async fn letter(
    State(shared): Sandbox,
    Path(id): Path<Uuid>,
    Query(view): Query<View>,
) -> Response {
    let now = shared.settings().now();
    let account = shared.account();
    let ledger = &account.ledger;
    let Some(entry) = ledger.by_id(id).cloned() else {
        return gone();
    };
    let source = ledger.source(entry.seq).cloned();
    let neighbour = |seq: Option<usize>| {
        seq.and_then(|seq| ledger.entries().get(seq))
            .map(|entry| entry.id)
    };
    let newer = neighbour(entry.seq.checked_add(1));
    let older = neighbour(entry.seq.checked_sub(1));
    let copies = entry
        .delivery
        .as_ref()
        .map_or(1, |delivery| ledger.by_delivery(delivery).len());
    drop(account);
    let letter = source
        .as_deref()
        .map(|source| Letter::read(entry.api, source))
        .unwrap_or_default();
    let code = entry.email_type.as_deref().unwrap_or("untagged");
    let rendered = LetterPage {
        letter: &letter,
        is_kept: source.is_some(),
        view: match view.view.as_str() {
            known @ ("text" | "headers" | "source") => known,
            _ => "html",
        },
        is_phone: view.width == "phone",
        code,
        family: family(code),
        fate: fate(entry.fate),
        time: Time::new(entry.at, now),
        text: pieces(&letter.text),
        size: size(source.as_ref().map_or(0, Bytes::len)),
        source: source
            .map(|source| indented(&String::from_utf8_lossy(&source)))
            .unwrap_or_default(),
        newer,
        older,
        copies,
        entry: &entry,
    };
    page(rendered.render_once())
}

/// `812 bytes`, `10.8 KB`
fn size(bytes: usize) -> String {
    match bytes {
        0..1000 => format!("{bytes} bytes"),
        _ => format!("{}.{} KB", bytes / 1000, bytes % 1000 / 100),
    }
}

/// The HTML part by itself, for the frame.
async fn letter_html(State(shared): Sandbox, Path(id): Path<Uuid>) -> Response {
    let found = {
        let account = shared.account();
        let ledger = &account.ledger;
        ledger
            .by_id(id)
            .and_then(|entry| Some((entry.api, ledger.source(entry.seq)?.clone())))
    };
    let Some((api, source)) = found else {
        return gone();
    };
    let html = with_links_outside(&Letter::read(api, &source).html);
    with_headers(
        ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        LETTER_POLICY,
    )
}

#[derive(TemplateSimple)]
#[template(path = "_sandbox/gone.stpl")]
struct GonePage {}

fn gone() -> Response {
    let mut response = page(GonePage {}.render_once());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// What Resend and Postmark call what carries our ids.
fn tags_name(api: Api) -> &'static str {
    match api {
        Api::Resend => "Tags",
        Api::Postmark => "Tag and metadata",
    }
}
