//! OpenTelemetry traces of deliveries, once an endpoint is set; without it nothing here is started and nothing is
//! collected.
//!
//! Spans are made explicitly and not from `tracing`, so that nothing is exported but what is named in
//! `worker::deliver`: ids, counts, words and statuses. Log lines, the application's figures, addresses and tokens never
//! reach a span.
//!
//! | module | job |
//! |---|---|
//! | this one | spans |
//! | [`export`] | a bounded queue, and one task that posts what is in it |

mod export;

use std::time::SystemTime;

use opentelemetry::trace::{
    Span as _, SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use crate::config::TraceConfig;
use crate::vitals::SpanCounter;
use export::Exporter;

/// Where spans begin; empty when no endpoint is set.
#[derive(Debug, Default)]
pub(crate) struct Traces(Option<Running>);

#[derive(Debug)]
struct Running {
    tracer: SdkTracer,
    exporter: Exporter,
}

impl Traces {
    /// `instance` tells one sidecar from another; `counter` hears what became of the spans.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub(crate) fn start(
        config: Option<&TraceConfig>,
        instance: &str,
        counter: SpanCounter,
    ) -> Result<Self, reqwest::Error> {
        let Some(config) = config else {
            return Ok(Self::default());
        };
        // Takes OTEL_RESOURCE_ATTRIBUTES along.
        let resource = Resource::builder()
            .with_service_name(config.service_name.clone())
            .with_attributes([
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("service.instance.id", instance.to_owned()),
            ])
            .build();
        let (exporter, queue) = Exporter::start(config, &resource, counter)?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_span_processor(queue)
            .build();
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        Ok(Self(Some(Running {
            tracer: provider.tracer_with_scope(scope),
            exporter,
        })))
    }

    /// A span without a parent that began at `since`.
    pub(crate) fn root(&self, name: &'static str, since: SystemTime) -> Span {
        let Some(Running { tracer, .. }) = &self.0 else {
            return Span(None);
        };
        let builder = tracer
            .span_builder(name)
            .with_kind(SpanKind::Consumer)
            .with_start_time(since);
        let span = tracer.build_with_context(builder, &Context::new());
        Span(Some((tracer.clone(), Context::new().with_span(span))))
    }

    /// Posts what is left, for as long as [`export::FLUSH`] allows.
    pub(crate) async fn stop(&self) {
        if let Some(running) = &self.0 {
            running.exporter.stop().await;
        }
    }
}

/// A span, or nothing when traces are off. It ends when it is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Span(Option<(SdkTracer, Context)>);

impl Span {
    /// A step of this one that begins now.
    pub(crate) fn step(&self, name: &'static str) -> Self {
        let Some((tracer, context)) = &self.0 else {
            return Self(None);
        };
        let builder = tracer.span_builder(name).with_kind(SpanKind::Client);
        let span = tracer.build_with_context(builder, context);
        Self(Some((tracer.clone(), context.with_span(span))))
    }

    /// A step of this one that is over already.
    pub(crate) fn past_step(&self, name: &'static str, from: SystemTime, until: SystemTime) {
        if let Some((tracer, context)) = &self.0 {
            let builder = tracer
                .span_builder(name)
                .with_kind(SpanKind::Client)
                .with_start_time(from);
            tracer
                .build_with_context(builder, context)
                .end_with_timestamp(until);
        }
    }

    /// Adds what `attributes` makes, which is not called when nobody collects.
    pub(crate) fn tell<const N: usize>(&self, attributes: impl FnOnce() -> [KeyValue; N]) {
        if let Some((_, context)) = &self.0 {
            let span = context.span();
            if span.is_recording() {
                span.set_attributes(attributes());
            }
        }
    }

    /// Marks it as failed. `why` holds no more than a line of the log would.
    pub(crate) fn fail(&self, why: &str) {
        if let Some((_, context)) = &self.0 {
            context.span().set_status(Status::error(why.to_owned()));
        }
    }
}
