//! From the socket to the stand-ins and back, with the faults in between.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::{Method, Response, StatusCode};

use super::exchange::{Call, Reply};
use super::fault::Fault;
use super::ledger::Api;
use super::postmark_email::Refusal as PostmarkRefusal;
use super::resend_email::Refusal as ResendRefusal;
use super::state::Shared;
use super::wire::{Connection, Cut};
use super::{control, inbox, postmark, resend, resend_send, webhook_control};

/// Above the 50 MB that Postmark takes, so that its own refusal is what a client sees.
const MAX_BODY: usize = 64 << 20;

/// Control API, inbox page, and everything else to the stand-ins.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .nest(
            "/_sandbox",
            control::router().nest("/webhooks", webhook_control::router()),
        )
        .merge(inbox::router())
        .fallback(provider)
        .with_state(shared)
}

/// Told apart by path; on a path that neither has, by the header that holds the key.
fn api_of(request: &Request) -> Option<Api> {
    let path = request.uri().path();
    let starts = |with: &str| {
        path == with
            || path
                .strip_prefix(with)
                .is_some_and(|rest| rest.starts_with('/'))
    };
    let has = |header: &str| request.headers().contains_key(header);
    if starts("/emails") || starts("/logs") {
        return Some(Api::Resend);
    }
    if starts("/email") || starts("/messages") || starts("/message-streams") {
        return Some(Api::Postmark);
    }
    let by_key = [
        ("x-postmark-server-token", Api::Postmark),
        ("authorization", Api::Resend),
    ];
    by_key
        .into_iter()
        .find(|(header, _)| has(header))
        .map(|(_, api)| api)
}

/// What the faults that struck mean for one request.
#[derive(Debug, Default)]
struct Plan {
    latency: Duration,
    resend: resend_send::Twist,
    postmark: postmark::Twist,
    /// Decided without asking the stand-in.
    instead: Option<Instead>,
    then: Then,
}

#[derive(Debug)]
enum Instead {
    Drop,
    Answer(Reply),
}

/// What happens to the stand-in's answer.
#[derive(Debug, Default)]
enum Then {
    #[default]
    Pass,
    Cut(Cut),
    Delay(Duration),
    Replace(Reply),
    CutJson,
    Recount {
        more: bool,
    },
    Trickle {
        bytes: usize,
        every: Duration,
    },
}

impl Plan {
    /// Latency and lasting changes add up; of the others the first one counts.
    fn of(shared: &Shared, api: Api, faults: Vec<Fault>) -> Self {
        let mut plan = Self::default();
        let mut taken = false;
        for fault in faults {
            match fault {
                Fault::Latency { ms } => plan.latency += Duration::from_millis(ms),
                Fault::RevokeKeys => {
                    shared.change_settings(|settings| settings.revoked_keys = vec!["*".to_owned()]);
                }
                Fault::JumpClock { seconds } => {
                    shared.change_settings(|settings| {
                        settings.clock_offset_seconds =
                            settings.clock_offset_seconds.saturating_add(seconds);
                    });
                }
                fault if !taken => {
                    taken = true;
                    plan.take(api, fault);
                }
                _ => {}
            }
        }
        plan
    }

    fn take(&mut self, api: Api, fault: Fault) {
        match fault {
            Fault::AcceptThenDrop { at } => self.then = Then::Cut(at.into()),
            Fault::AcceptThenDelay { ms } => {
                let hold = Duration::from_millis(ms);
                self.resend.hold_key = Some(hold);
                self.then = Then::Delay(hold);
            }
            Fault::RefuseThenDrop => self.instead = Some(Instead::Drop),
            Fault::AcceptHalf => {
                self.resend.half = true;
                self.postmark.half = true;
            }
            Fault::CutJson => self.then = Then::CutJson,
            Fault::WrongCount { more } => self.then = Then::Recount { more },
            Fault::Trickle { bytes, every_ms } => {
                self.then = Then::Trickle {
                    bytes,
                    every: Duration::from_millis(every_ms),
                };
            }
            Fault::MayBeDelayed => self.postmark.may_be_delayed = true,
            Fault::ItemError {
                index,
                code,
                message,
            } => self.postmark.item_error = Some((index, code, message)),
            Fault::Status { accept, .. } => {
                let reply = status_reply(api, &fault);
                if accept {
                    self.then = Then::Replace(reply);
                } else {
                    self.instead = Some(Instead::Answer(reply));
                }
            }
            // These are looked at before.
            Fault::Latency { .. } | Fault::RevokeKeys | Fault::JumpClock { .. } => {}
        }
    }
}

/// A whole-request answer on demand, in the API's shape or as a proxy's page.
fn status_reply(api: Api, fault: &Fault) -> Reply {
    let Fault::Status {
        status,
        html,
        retry_after,
        name,
        code,
        message,
        location,
        ..
    } = fault
    else {
        return Reply::html(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let http = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let text = message.as_deref().unwrap_or("A fault on demand");
    let mut reply = match api {
        _ if *html => Reply::html(http),
        Api::Resend => {
            let mut reply = ResendRefusal::new(*status, usual_name(*status), text).reply();
            if let Some(name) = name {
                let body = serde_json::json!({"statusCode": status, "message": text, "name": name});
                reply = Reply::json(http, &body);
            }
            reply
        }
        Api::Postmark => {
            PostmarkRefusal::new(code.unwrap_or(usual_code(*status)), text).reply_with(http)
        }
    };
    if let Some(seconds) = retry_after {
        reply = reply.with_header("retry-after", &seconds.to_string());
    }
    if let Some(location) = location {
        reply = reply.with_header("location", location);
    }
    reply
}

fn usual_name(status: u16) -> &'static str {
    match status {
        401 => "missing_api_key",
        403 => "invalid_permission",
        404 => "not_found",
        405 => "method_not_allowed",
        409 => "concurrent_idempotent_requests",
        429 => "rate_limit_exceeded",
        503 => "service_unavailable",
        500..=599 => "internal_server_error",
        _ => "validation_error",
    }
}

fn usual_code(status: u16) -> i64 {
    match status {
        401 => 10,
        500 => 101,
        503 => 100,
        429 => 429,
        _ => 300,
    }
}

async fn provider(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
) -> Response<Body> {
    let Some(api) = api_of(&request) else {
        let mut reply = Reply::html(StatusCode::NOT_FOUND);
        reply.content_type = "text/plain; charset=utf-8";
        reply.body = "Neither a path of Resend or Postmark, nor a page of the sandbox.\n".into();
        return reply.into_response(None);
    };
    let plan = Plan::of(&shared, api, shared.strike(request.uri().path()));
    let call = match read(request).await {
        Ok(call) => call,
        Err(too_large) => return too_large.into_response(None),
    };
    if !plan.latency.is_zero() {
        tokio::time::sleep(plan.latency).await;
    }
    let reply = match plan.instead {
        Some(Instead::Drop) => {
            connection.cut(Cut::BeforeStatus);
            return Reply::html(StatusCode::INTERNAL_SERVER_ERROR).into_response(None);
        }
        Some(Instead::Answer(reply)) => reply,
        None => match api {
            Api::Resend => resend::handle(&shared, &call, plan.resend),
            Api::Postmark => postmark::handle(&shared, &call, &plan.postmark),
        },
    };
    shared.log(api, &call, &reply);
    finish(reply, plan.then, &connection).await
}

async fn read(request: Request) -> Result<Call, Reply> {
    let (parts, body) = request.into_parts();
    let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
        .map(|Query(query)| query)
        .unwrap_or_default();
    let body = if parts.method == Method::GET {
        axum::body::Bytes::new()
    } else {
        let read = axum::body::to_bytes(body, MAX_BODY).await;
        read.map_err(|_| Reply::html(StatusCode::PAYLOAD_TOO_LARGE))?
    };
    let path = parts.uri.path().to_owned();
    Ok(Call {
        method: parts.method,
        path,
        query,
        headers: parts.headers,
        body,
    })
}

async fn finish(reply: Reply, then: Then, connection: &Connection) -> Response<Body> {
    match then {
        Then::Pass => reply.into_response(None),
        Then::Cut(cut) => {
            connection.cut(cut);
            reply.into_response(None)
        }
        Then::Delay(delay) => {
            tokio::time::sleep(delay).await;
            reply.into_response(None)
        }
        Then::Replace(reply) => reply.into_response(None),
        Then::CutJson => reply.cut_in_half().into_response(None),
        Then::Recount { more } => recount(reply, more).into_response(None),
        Then::Trickle { bytes, every } => reply.into_response(Some((bytes, every))),
    }
}

/// One result more or less in a batch's answer; other answers stay.
fn recount(mut reply: Reply, more: bool) -> Reply {
    let Ok(mut value) = serde_json::from_slice::<serde_json::Value>(&reply.body) else {
        return reply;
    };
    let list = if value.is_array() {
        Some(&mut value)
    } else {
        value.get_mut("data")
    };
    if let Some(list) = list.and_then(serde_json::Value::as_array_mut) {
        if more {
            list.extend(list.last().cloned());
        } else {
            list.pop();
        }
        reply.body = value.to_string().into();
    }
    reply
}
