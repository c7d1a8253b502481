//! The stand-in itself: that it refuses what the real providers refuse, and shows what arrived.

mod control;
mod postmark;
mod resend;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use standin::{Sandbox, SandboxOptions};

/// A sandbox, and a client that sends nothing by itself: no user agent, no key.
struct Bench {
    sandbox: Sandbox,
    client: reqwest::Client,
}

struct Answer {
    status: StatusCode,
    headers: reqwest::header::HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Status and Resend's error name.
    fn error(&self) -> (u16, String) {
        let name = self.json()["name"].as_str().unwrap_or_default().to_owned();
        (self.status.as_u16(), name)
    }

    /// Status and Postmark's `ErrorCode`, which must be in the header too.
    fn code(&self) -> (u16, i64) {
        let code = self.json()["ErrorCode"].as_i64().expect("an error code");
        assert_eq!(
            self.header("x-pm-apierrorcode"),
            Some(code.to_string().as_str())
        );
        (self.status.as_u16(), code)
    }
}

impl Bench {
    async fn open() -> Self {
        Self::with(SandboxOptions::default()).await
    }

    async fn with(options: SandboxOptions) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sandbox = Sandbox::start(options)
            .await
            .expect("loopback has a free port");
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        Self { sandbox, client }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.sandbox.url()))
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.expect("a body");
        Answer {
            status,
            headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    async fn resend(&self, path: &str, key: &str, body: &Value) -> Answer {
        let mut headers = vec![("user-agent", "test"), ("authorization", "Bearer re_x")];
        if !key.is_empty() {
            headers.push(("idempotency-key", key));
        }
        self.call(Method::POST, path, &headers, body.to_string())
            .await
    }

    async fn read_resend(&self, path: &str) -> Answer {
        let headers = [("user-agent", "test"), ("authorization", "Bearer re_x")];
        self.call(Method::GET, path, &headers, String::new()).await
    }

    async fn postmark(&self, path: &str, body: &Value) -> Answer {
        self.postmark_as("token", path, body.to_string()).await
    }

    async fn postmark_as(&self, token: &str, path: &str, body: String) -> Answer {
        let headers = [
            ("x-postmark-server-token", token),
            ("accept", "application/json"),
            ("content-type", "application/json"),
        ];
        self.call(Method::POST, path, &headers, body).await
    }

    async fn search(&self, query: &str) -> Answer {
        let headers = [
            ("x-postmark-server-token", "token"),
            ("accept", "application/json"),
        ];
        let path = format!("/messages/outbound{query}");
        self.call(Method::GET, &path, &headers, String::new()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, &[], String::new()).await
    }

    async fn control(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.call(method, &format!("/_sandbox{path}"), &[], body.to_string())
            .await
    }
}

fn email() -> Value {
    json!({"from": "SeqPulse <hello@mail.example.com>", "to": ["lea@example.org"], "subject": "Bienvenue",
        "html": "<p>Bonjour</p>", "text": "Bonjour", "headers": {"X-A": "1"},
        "tags": [{"name": "delivery", "value": "d-1"}, {"name": "type", "value": "E-TRX-01"}]})
}

fn with(mut email: Value, field: &str, value: Value) -> Value {
    email[field] = value;
    email
}

fn mail() -> Value {
    json!({"From": "SeqPulse <hello@mail.example.com>", "To": "lea@example.org", "Subject": "Bienvenue",
        "HtmlBody": "<p>Bonjour</p>", "TextBody": "Bonjour", "MessageStream": "outbound", "Tag": "E-TRX-01",
        "Metadata": {"delivery": "d-1", "attempt": "a-1"}})
}
