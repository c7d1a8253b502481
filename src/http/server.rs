//! Accepting connections within limits, and ending them politely.
//!
//! axum's own `serve` has no limit on how long a client may take to send its headers, hence hyper's server here.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a client may take up. The defaults are what `run` uses.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Headers must be complete within this time; also how long an idle connection is kept.
    pub headers: Duration,
    /// One request, from its headers to our answer.
    pub request: Duration,
    /// Bytes of a request's body.
    pub body: usize,
    /// Connections at once; more wait in the kernel's queue.
    pub connections: usize,
    /// How long open requests may take after a shutdown was asked for.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(10),
            request: Duration::from_secs(15),
            // Webhooks are the largest requests, and they are a few kilobytes.
            body: 256 * 1024,
            connections: 256,
            drain: Duration::from_secs(5),
        }
    }
}

/// After an error of `accept` (such as: no file descriptor left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Bytes of a request's headers.
const HEADER_SIZE: usize = 64 * 1024;

/// The address cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "HTTP_LISTEN={address} cannot be listened on ({source}); choose another address, or HTTP_LISTEN=off"
)]
pub struct HttpError {
    /// As configured.
    pub address: SocketAddr,
    /// The operating system's answer.
    pub source: io::Error,
}

/// A bound server, not answering yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
}

impl Server {
    /// Takes the address, so that a port that is in use is noticed at start.
    ///
    /// # Errors
    /// The address is taken, not of this machine, or not allowed.
    pub async fn bind(address: SocketAddr) -> Result<Self, HttpError> {
        let failed = |source| HttpError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self {
            listener,
            address,
            limits: Limits::default(),
        })
    }

    /// The same server with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where it listens, with the real port when port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown` resolves, then lets open requests finish for a few seconds.
    pub async fn serve(self, router: Router, shutdown: impl Future<Output = ()>) {
        let limits = self.limits;
        let router = router
            .layer(DefaultBodyLimit::max(limits.body))
            .layer(middleware::from_fn_with_state(limits.request, within_time));
        let connections = Arc::new(Semaphore::new(limits.connections));
        let graceful = GracefulShutdown::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                accepted = accept(&self.listener, &connections) => accepted,
            };
            match accepted {
                Ok((stream, permit)) => {
                    let mut builder = http1::Builder::new();
                    builder
                        .timer(TokioTimer::new())
                        .header_read_timeout(limits.headers)
                        .max_buf_size(HEADER_SIZE);
                    let service = TowerToHyperService::new(router.clone());
                    let connection =
                        graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
                    tokio::spawn(async move {
                        // What a client does wrong is its own affair, and any client can cause it.
                        if let Err(error) = connection.await {
                            tracing::debug!(%error, "an HTTP connection ended early");
                        }
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept HTTP connections");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        if tokio::time::timeout(limits.drain, graceful.shutdown())
            .await
            .is_err()
        {
            tracing::warn!("some HTTP requests did not end in time");
        }
    }
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

async fn within_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => (StatusCode::REQUEST_TIMEOUT, "the request took too long\n").into_response(),
    }
}
