//! Spans on their way out: a bounded queue, and a task that posts what is in it as OTLP over HTTP (protobuf).
//!
//! The worker never waits for a collector: what finds the queue full is dropped and counted. The task sleeps until
//! there is a span, so tracing an idle sidecar costs no wake-up. The SDK's own batch processor has a thread that wakes
//! every few seconds and does not tell how many spans it dropped.
//!
//! The encoding is `opentelemetry-proto`'s. The exporter of `opentelemetry-otlp` (0.33) was looked at and would replace only the
//! twenty lines that post: it reads `OTEL_*` variables by itself, unchecked and beside [`TraceConfig`] (a bad header is dropped
//! silently, `OTEL_EXPORTER_OTLP_TRACES_HEADERS` overrides), repeats requests within its time-out, reports every failure of the
//! network as "network error", and brings metrics along.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::Context;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanProcessor};
use prost::Message as _;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::TraceConfig;
use crate::provider;
use crate::vitals::SpanCounter;

/// What is left at shutdown gets this long.
pub(super) const FLUSH: Duration = Duration::from_secs(2);
/// Spans that may wait; with some 1 KB each this bounds the memory a dead collector costs.
const QUEUE: usize = 2048;
/// Spans in one request.
const BATCH: usize = 512;
/// After the first span of a batch, others may join for this long.
const GATHER: Duration = Duration::from_secs(1);
/// One request, whole.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A collector that is away is mentioned this often.
const MENTION: Duration = Duration::from_secs(60);

/// The task, and how to end it.
#[derive(Debug)]
pub(super) struct Exporter {
    stop: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// The end of the queue that the SDK puts finished spans into.
#[derive(Debug)]
pub(super) struct Queue {
    spans: mpsc::Sender<SpanData>,
    counter: SpanCounter,
}

impl Exporter {
    pub(super) fn start(
        config: &TraceConfig,
        resource: &Resource,
        counter: SpanCounter,
    ) -> Result<(Self, Queue), reqwest::Error> {
        let mut headers: HeaderMap = config.headers.clone();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-protobuf"),
        );
        let collector = Collector {
            client: provider::client(&config.endpoint)
                .default_headers(headers)
                .timeout(TIMEOUT)
                .build()?,
            endpoint: config.endpoint.clone(),
            resource: resource.into(),
            counter: counter.clone(),
            mentioned: None,
        };
        let (sender, receiver) = mpsc::channel(QUEUE);
        let stop = CancellationToken::new();
        let task = tokio::spawn(collector.serve(receiver, stop.clone()));
        let exporter = Self {
            stop,
            task: Mutex::new(Some(task)),
        };
        let queue = Queue {
            spans: sender,
            counter,
        };
        Ok((exporter, queue))
    }

    /// Waits for what is left to be posted, but not for ever.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(mut task) = task
            && tokio::time::timeout(FLUSH, &mut task).await.is_err()
        {
            task.abort();
            tracing::warn!("the collector did not take the last traces in time");
        }
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut opentelemetry_sdk::trace::Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.spans.try_send(span).is_err() {
            self.counter.dropped(1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

struct Collector {
    client: reqwest::Client,
    endpoint: url::Url,
    resource: ResourceAttributesWithSchema,
    counter: SpanCounter,
    /// When a failure was last logged.
    mentioned: Option<Instant>,
}

impl Collector {
    /// Until `stop`, and then until the queue is empty.
    async fn serve(mut self, mut spans: mpsc::Receiver<SpanData>, stop: CancellationToken) {
        loop {
            let mut batch = Vec::new();
            let filled = async {
                spans.recv_many(&mut batch, BATCH).await;
                tokio::time::sleep(GATHER).await;
            };
            if stop.run_until_cancelled(filled).await.is_none() {
                spans.close();
            }
            while batch.len() < BATCH
                && let Ok(span) = spans.try_recv()
            {
                batch.push(span);
            }
            if batch.is_empty() {
                return;
            }
            self.post(batch).await;
        }
    }

    async fn post(&mut self, batch: Vec<SpanData>) {
        let spans = batch.len();
        let body = ExportTraceServiceRequest {
            resource_spans: group_spans_by_resource_and_scope(batch, &self.resource),
        }
        .encode_to_vec();
        let request = self.client.post(self.endpoint.clone()).body(body);
        let failure = match request.send().await {
            Ok(answer) if answer.status().is_success() => {
                self.counter.exported(spans);
                return;
            }
            Ok(answer) => format!("it answered {}", answer.status()),
            Err(error) if error.is_timeout() => format!("no answer within {} s", TIMEOUT.as_secs()),
            // The innermost cause does not repeat the URL, which may carry a token.
            Err(error) => provider::root_cause(&error),
        };
        self.counter.failed(spans);
        if self
            .mentioned
            .is_none_or(|mentioned| mentioned.elapsed() >= MENTION)
        {
            self.mentioned = Some(Instant::now());
            tracing::warn!(
                spans,
                "the collector of traces did not take them, and they are lost: {failure}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    #[test]
    fn what_finds_the_queue_full_is_dropped_and_counted() {
        let (sender, mut receiver) = mpsc::channel(2);
        let counter = SpanCounter::default();
        let queue = Queue {
            spans: sender,
            counter: counter.clone(),
        };
        let provider = SdkTracerProvider::builder()
            .with_span_processor(queue)
            .build();
        let tracer = provider.tracer("test");
        for name in ["a", "b", "c", "d", "e"] {
            drop(tracer.start(name));
        }
        assert_eq!(counter.get("dropped"), 3);
        for name in ["a", "b"] {
            assert_eq!(receiver.try_recv().map(|span| span.name), Ok(name.into()));
        }
    }
}
