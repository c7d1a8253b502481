//! The listener, with a hand on each connection: an answer can be cut off at a chosen byte, which no HTTP library offers.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// The length of `HTTP/1.1 200 OK` with its line end.
const STATUS_LINE: usize = 17;
const HEAD_END: &[u8] = b"\r\n\r\n";

/// Where an answer breaks off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Not a byte arrives.
    BeforeStatus,
    /// In the middle of `HTTP/1.1 200 OK`.
    InStatus,
    /// The status is known, the headers are not.
    AfterStatus,
    /// The head and this many bytes of the body.
    InBody(usize),
}

/// What the handlers hold of the connection their request came over.
#[derive(Debug, Clone, Default)]
pub(super) struct Connection(Arc<Mutex<Scissors>>);

#[derive(Debug, Default)]
enum Scissors {
    #[default]
    Closed,
    /// Looking for the end of the head; so many of its four bytes were seen in a row.
    Head { seen: usize, body: usize },
    /// So many bytes may still go out.
    Counting(usize),
}

impl Connection {
    /// From now on the connection lets this much of an answer out, then breaks.
    pub(super) fn cut(&self, cut: Cut) {
        let scissors = match cut {
            Cut::BeforeStatus => Scissors::Counting(0),
            Cut::InStatus => Scissors::Counting(STATUS_LINE / 2),
            Cut::AfterStatus => Scissors::Counting(STATUS_LINE),
            Cut::InBody(body) => Scissors::Head { seen: 0, body },
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = scissors;
    }

    /// How many of these bytes may be written now; `None` when the connection is to break.
    fn allow(&self, bytes: &[u8]) -> Option<usize> {
        let mut scissors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Scissors::Head { seen, body } = &mut *scissors {
            let mut end = None;
            for (index, byte) in bytes.iter().enumerate() {
                *seen = if *byte == HEAD_END[*seen] {
                    *seen + 1
                } else {
                    usize::from(*byte == HEAD_END[0])
                };
                if *seen == HEAD_END.len() {
                    end = Some(index + 1);
                    break;
                }
            }
            let Some(end) = end else {
                return Some(bytes.len());
            };
            // The head goes out by itself; the next call counts the body.
            *scissors = Scissors::Counting(*body);
            return Some(end);
        }
        match &*scissors {
            Scissors::Counting(0) => None,
            Scissors::Counting(left) => Some(bytes.len().min(*left)),
            _ => Some(bytes.len()),
        }
    }

    /// So many bytes really went out while counting.
    fn spent(&self, bytes: usize) {
        if let Scissors::Counting(left) =
            &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)
        {
            *left = left.saturating_sub(bytes);
        }
    }

    fn is_counting(&self) -> bool {
        matches!(
            *self.0.lock().unwrap_or_else(PoisonError::into_inner),
            Scissors::Counting(_)
        )
    }
}

/// Accepts connections whose answers can be cut.
#[derive(Debug)]
pub(super) struct Wire(pub(super) TcpListener);

impl Listener for Wire {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        loop {
            match self.0.accept().await {
                Ok((tcp, address)) => {
                    // Answers are small; waiting for more to send would only slow the client down.
                    let _ = tcp.set_nodelay(true);
                    return (
                        Stream {
                            tcp,
                            connection: Connection::default(),
                        },
                        address,
                    );
                }
                Err(error) => {
                    // Out of file descriptors, usually: some will be closed.
                    tracing::warn!(%error, "the sandbox cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Wire>> for Connection {
    fn connect_info(stream: IncomingStream<'_, Wire>) -> Self {
        stream.io().connection.clone()
    }
}

/// A TCP connection that breaks when it is told to.
#[derive(Debug)]
pub(super) struct Stream {
    tcp: TcpStream,
    connection: Connection,
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let counted = self.connection.is_counting();
        let Some(allowed) = self.connection.allow(buf) else {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::BrokenPipe,
                "cut by a fault of the sandbox",
            )));
        };
        let written = Pin::new(&mut self.tcp).poll_write(cx, &buf[..allowed]);
        if counted && let Poll::Ready(Ok(bytes)) = &written {
            self.connection.spent(*bytes);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
