//! Spans to an OpenTelemetry collector, as OTLP over HTTP.

use std::env;
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;

use super::TelemetryError;

/// Any of them names a collector, as OpenTelemetry's specification has it.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
/// An export that takes longer is given up; the exporter has a limit of its own for each try.
const LONGEST: Duration = Duration::from_secs(30);

/// What makes spans and sends them in batches; none where no collector is named.
pub(super) fn provider(endpoint: Option<&str>) -> Result<Option<SdkTracerProvider>, TelemetryError> {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let disabled = set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let nobody = set("OTEL_TRACES_EXPORTER").is_some_and(|value| value == "none");
    if disabled || nobody || (endpoint.is_none() && ENDPOINTS.iter().all(|name| set(name).is_none())) {
        return Ok(None);
    }
    if let Some(protocol) = PROTOCOLS.iter().find_map(|name| set(name))
        && protocol != "http/protobuf"
    {
        return Err(TelemetryError(format!("the protocol {protocol} is not spoken here, http/protobuf is")));
    }
    let failed = |error: &dyn std::fmt::Display| TelemetryError(error.to_string());
    let mut exporter = SpanExporter::builder().with_http().with_http_client(Client::new()?);
    if let Some(endpoint) = endpoint {
        exporter = exporter.with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')));
    }
    let exporter = exporter.build().map_err(|error| failed(&error))?;
    let mut resource = Resource::builder();
    let named = set("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|said| said.contains("service.name="));
    if set("OTEL_SERVICE_NAME").is_none() && !named {
        resource = resource.with_service_name("lastro");
    }
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = resource.with_attribute(version).build();
    Ok(Some(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build()))
}

/// Our HTTP client in the exporter's thread, which has no runtime of its own.
#[derive(Debug)]
struct Client {
    client: reqwest::Client,
    runtime: Handle,
}

impl Client {
    fn new() -> Result<Self, TelemetryError> {
        let runtime = Handle::try_current().map_err(|error| TelemetryError(error.to_string()))?;
        // Fails only where one was installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().timeout(LONGEST).build();
        let client = client.map_err(|error| TelemetryError(error.to_string()))?;
        Ok(Self { client, runtime })
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let response = client.execute(request.try_into()?).await?;
            let (status, headers) = (response.status(), response.headers().clone());
            let mut answer = Response::new(response.bytes().await?);
            (*answer.status_mut(), *answer.headers_mut()) = (status, headers);
            Ok::<_, reqwest::Error>(answer)
        });
        Ok(sent.await??)
    }
}
