//! The sidecar's HTTP server in this process, with the sidecar's own rights on a test's database.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use seqpulse_mailer::config::Config;
use seqpulse_mailer::http::{Backend, HttpState, Limits, Server, router};
use seqpulse_mailer::vitals::Vitals;

use super::TestDb;

/// A running server; ends with the test's runtime.
pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    pub(crate) vitals: Arc<Vitals>,
    client: Client,
}

/// A status and a body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Web {
    /// Serves `db` as a login that has nothing but the sidecar's role; further settings by name.
    pub(crate) async fn start(db: &TestDb, settings: &[(&str, &str)]) -> Self {
        db.exec(&format!(
            "create role {} login in role email_worker",
            role_of(db)
        ))
        .await;
        Self::start_again(db, settings).await
    }

    /// Another server with the same login.
    pub(crate) async fn start_again(db: &TestDb, settings: &[(&str, &str)]) -> Self {
        Self::at(&db.url_as(&role_of(db)), settings).await
    }

    /// The same for any database address.
    pub(crate) async fn at(url: &str, settings: &[(&str, &str)]) -> Self {
        let lookup = |name: &str| match name {
            "DATABASE_URL" => Some(url.to_owned()),
            "EMAIL_SUPPORT_ADDRESS" => Some("support@seqpulse.test".to_owned()),
            _ => settings
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned()),
        };
        let config = Config::read(&lookup).expect("settings");
        // An error means that another test was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let vitals = Arc::new(Vitals::default());
        let backend = Arc::new(Backend::new(&config, &vitals).expect("a pool"));
        let server = Server::bind(([127, 0, 0, 1], 0).into())
            .await
            .expect("a free port")
            .with_limits(Limits::default());
        let address = server.address();
        let state = HttpState {
            vitals: Arc::clone(&vitals),
            backend,
        };
        tokio::spawn(server.serve(router(state), std::future::pending()));
        Self {
            address,
            vitals,
            client: Client::builder().build().expect("a client"),
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// As a browser sends a form.
    pub(crate) async fn post(&self, path: &str, form: &str) -> Answer {
        let request = self.request(Method::POST, path);
        let kind = "application/x-www-form-urlencoded";
        send(request.header("content-type", kind).body(form.to_owned())).await
    }
}

fn role_of(db: &TestDb) -> String {
    format!("web_of_{}", db.name())
}

pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.text().await.expect("text"),
    }
}
