//! How far the TLS handshake of one attempt came.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_postgres::Socket;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The encrypted stream, whose own type is private to tokio-postgres-rustls.
pub(crate) type TlsStream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

/// How far TLS came, seen from outside, because tokio-postgres tells its errors apart only by their texts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress(Arc<[AtomicBool; 2]>);

impl Progress {
    pub(crate) fn started(&self) -> bool {
        self.0[0].load(Ordering::Relaxed)
    }

    pub(crate) fn established(&self) -> bool {
        self.0[1].load(Ordering::Relaxed)
    }
}

pub(crate) struct Observed {
    pub(crate) inner: MakeRustlsConnect,
    pub(crate) progress: Progress,
}

impl MakeTlsConnect<Socket> for Observed {
    type Stream = TlsStream;
    type TlsConnect = ObservedHandshake;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<ObservedHandshake> {
        let inner = MakeTlsConnect::<Socket>::make_tls_connect(&mut self.inner, host)
            .map_err(io::Error::other)?;
        Ok(ObservedHandshake {
            inner,
            progress: self.progress.clone(),
        })
    }
}

pub(crate) struct ObservedHandshake {
    inner: <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect,
    progress: Progress,
}

impl TlsConnect<Socket> for ObservedHandshake {
    type Stream = TlsStream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TlsStream>> + Send>>;

    fn connect(self, stream: Socket) -> Self::Future {
        self.progress.0[0].store(true, Ordering::Relaxed);
        Box::pin(async move {
            let stream = self.inner.connect(stream).await?;
            self.progress.0[1].store(true, Ordering::Relaxed);
            Ok(stream)
        })
    }
}
