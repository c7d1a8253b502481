//! A request and its answer, free of the web framework, as the two stand-ins see them.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use futures_util::stream;
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    /// A header as text; `None` when it is missing or not text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The part of the body that a piece of its JSON came from, without copying it.
    pub(super) fn slice(&self, raw: &RawValue) -> Bytes {
        self.body.slice_ref(raw.get().as_bytes())
    }
}

#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) content_type: &'static str,
    pub(super) body: Bytes,
}

impl Reply {
    pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("our own answers have a JSON form");
        Self {
            status,
            headers: Vec::new(),
            content_type: "application/json; charset=utf-8",
            body: body.into(),
        }
    }

    /// A page as proxies answer it.
    pub(super) fn html(status: StatusCode) -> Self {
        let body = format!(
            "<!DOCTYPE html>\n<html><head><title>{status}</title></head>\n<body><center><h1>{status}</h1></center>\
             <hr><center>sandbox</center></body></html>\n"
        );
        Self {
            status,
            headers: Vec::new(),
            content_type: "text/html",
            body: body.into(),
        }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((HeaderName::from_static(name), value));
        }
        self
    }

    /// The answer with half of its body, as a complete HTTP answer.
    pub(super) fn cut_in_half(mut self) -> Self {
        self.body.truncate(self.body.len() / 2);
        self
    }

    /// As the web framework wants it; trickling when asked for.
    pub(super) fn into_response(self, trickle: Option<(usize, Duration)>) -> Response<Body> {
        let body = match trickle {
            None => Body::from(self.body),
            Some((bytes, every)) => {
                Body::from_stream(stream::unfold(self.body, move |mut rest| async move {
                    if rest.is_empty() {
                        return None;
                    }
                    tokio::time::sleep(every).await;
                    let piece = rest.split_to(rest.len().min(bytes.max(1)));
                    Some((Ok::<_, std::convert::Infallible>(piece), rest))
                }))
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(self.content_type),
        );
        response.headers_mut().extend(self.headers);
        response
    }
}
