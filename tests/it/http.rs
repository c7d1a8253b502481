//! The HTTP server over real sockets: what it answers, and what a rude client can do to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use seqpulse_mailer::config::Config;
use seqpulse_mailer::db::settlement::Outcome;
use seqpulse_mailer::db::workers::HeartbeatReply;
use seqpulse_mailer::http::{Backend, HttpState, Limits, Server, router};
use seqpulse_mailer::vitals::Vitals;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A server and the means to stop it.
struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(router: Router, limits: Limits) -> Self {
        let server = Server::bind(([127, 0, 0, 1], 0).into())
            .await
            .expect("a free port")
            .with_limits(limits);
        let address = server.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.serve(router, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            stop,
            task,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connected")
    }

    /// Sends text and reads until the server closes.
    async fn talk(&self, text: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.expect("sent");
        read_all(&mut stream).await
    }

    async fn get(&self, path: &str) -> String {
        self.talk(&format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        ))
        .await
    }

    async fn stop(self) {
        self.stop.send(()).expect("the server runs");
        self.task.await.expect("a clean end");
    }
}

/// Nothing in this file asks the database.
fn state(vitals: &Arc<Vitals>) -> HttpState {
    let lookup = |name: &str| {
        (name == "DATABASE_URL").then(|| "postgres://nobody@127.0.0.1:1/none".to_owned())
    };
    let config = Config::read(&lookup).expect("settings");
    HttpState {
        vitals: Arc::clone(vitals),
        backend: Arc::new(Backend::new(&config, vitals).expect("a pool")),
    }
}

/// Everything up to the end; a reset counts as an end.
async fn read_all(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).expect("text")
}

#[tokio::test]
async fn health_says_what_is_missing() {
    let vitals = Arc::new(Vitals::default());
    let server = Running::start(router(state(&vitals)), Limits::default()).await;
    let answer = server.get("/healthz").await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("{\"status\":\"ok\"}"),
        "{answer}"
    );
    let answer = server.get("/readyz").await;
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.contains("not been reached"),
        "{answer}"
    );

    let reply = HeartbeatReply {
        armed: true,
        paused: None,
        clock_offset: None,
        pooled: false,
        lag: None,
    };
    vitals.seen(&reply, true);
    let answer = server.get("/readyz").await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("{\"status\":\"ready\"}"),
        "{answer}"
    );
    assert!(
        answer.to_lowercase().contains("cache-control: no-store"),
        "{answer}"
    );
    vitals.seen(
        &HeartbeatReply {
            armed: false,
            paused: Some("HTTP 401 from db-7".into()),
            ..reply
        },
        false,
    );
    let answer = server.get("/readyz").await;
    assert!(
        answer.contains("LISTEN")
            && answer.contains("email_arm()")
            && answer.contains("\"paused\":true"),
        "{answer}"
    );
    assert!(
        !answer.contains("db-7"),
        "details are for the log: {answer}"
    );

    vitals.settled("E-TRX-01", Outcome::Sent);
    let answer = server.get("/metrics").await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.contains("application/openmetrics-text"),
        "{answer}"
    );
    assert!(
        answer.contains(
            "seqpulse_mailer_letters_total{email_type=\"E-TRX-01\",outcome=\"sent\"} 1\n"
        ),
        "{answer}"
    );
    assert!(server.get("/nothing").await.starts_with("HTTP/1.1 404 "));
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_dawdles_is_dropped() {
    let limits = Limits {
        headers: Duration::from_millis(100),
        ..Limits::default()
    };
    let vitals = Arc::new(Vitals::default());
    let server = Running::start(router(state(&vitals)), limits).await;
    let mut silent = server.connect().await;
    let mut half = server.connect().await;
    half.write_all(b"GET /healthz HTTP/1.1\r\nHost:")
        .await
        .expect("sent");
    let mut idle = server.connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("sent");
    assert_eq!(read_all(&mut silent).await, "");
    assert!(!read_all(&mut half).await.contains("200 OK"));
    assert!(
        read_all(&mut idle).await.contains("200 OK"),
        "answered once, then closed for being idle"
    );
    server.stop().await;
}

#[tokio::test]
async fn requests_are_limited_in_size_and_time() {
    let router = Router::new()
        .route("/echo", post(async |body: String| body))
        .route("/never", get(std::future::pending::<&'static str>));
    let limits = Limits {
        request: Duration::from_millis(100),
        body: 10,
        ..Limits::default()
    };
    let server = Running::start(router, limits).await;
    let post = |body: &str, length: usize| {
        format!(
            "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    assert!(
        server
            .talk(&post("0123456789", 10))
            .await
            .ends_with("\r\n\r\n0123456789")
    );
    assert!(
        server
            .talk(&post("01234567890", 11))
            .await
            .starts_with("HTTP/1.1 413 ")
    );
    assert!(
        server
            .talk(&post("0123", 10))
            .await
            .starts_with("HTTP/1.1 408 "),
        "a body that never arrives"
    );
    assert!(server.get("/never").await.starts_with("HTTP/1.1 408 "));
    server.stop().await;
}

#[tokio::test]
async fn more_connections_than_allowed_wait_their_turn() {
    let inside = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (counter, peak) = (Arc::clone(&inside), Arc::clone(&most));
    let count = async move || {
        peak.fetch_max(counter.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        // Long enough for the others to come in, if they could.
        tokio::time::sleep(Duration::from_millis(30)).await;
        counter.fetch_sub(1, Ordering::SeqCst);
    };
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    let server = Running::start(Router::new().route("/count", get(count)), limits).await;
    let answers = futures_util::future::join_all((0..8).map(|_| server.get("/count"))).await;
    for answer in answers {
        assert!(answer.contains("200 OK"), "{answer}");
    }
    assert_eq!(most.load(Ordering::SeqCst), 2);
    server.stop().await;
}

#[tokio::test]
async fn a_shutdown_lets_requests_finish_and_closes_idle_connections() {
    let (release, released) = oneshot::channel::<()>();
    let (entered, inside) = oneshot::channel::<()>();
    let once = std::sync::Mutex::new(Some((entered, released)));
    let once = Arc::new(once);
    let slow = move || {
        let (entered, released) = once.lock().expect("lock").take().expect("asked once");
        async move {
            entered.send(()).expect("the test waits");
            released.await.expect("the test releases");
            "finished"
        }
    };
    let server = Running::start(Router::new().route("/slow", get(slow)), Limits::default()).await;
    let mut idle = server.connect().await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("sent");
    inside.await.expect("the handler runs");
    server.stop.send(()).expect("the server runs");
    assert_eq!(read_all(&mut idle).await, "");
    assert!(
        TcpStream::connect(server.address).await.is_err(),
        "nobody new is let in"
    );
    release.send(()).expect("the handler waits");
    assert!(read_all(&mut busy).await.ends_with("finished"));
    server.task.await.expect("a clean end");
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let first = Server::bind(([127, 0, 0, 1], 0).into())
        .await
        .expect("a free port");
    let error = Server::bind(first.address()).await.expect_err("taken");
    assert!(
        error
            .to_string()
            .starts_with(&format!("HTTP_LISTEN={} ", first.address())),
        "{error}"
    );
}
