use super::client::reason;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Say whether a server is ready to answer
///
/// For health checks of containers, which have no shell and no curl: the exit status is 0
/// when the model is loaded, else 1.
#[derive(Debug, clap::Args)]
pub struct HealthArgs {
    /// Where the server listens
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
}

#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    #[error("{url} cannot be reached: {cause}")]
    Unreachable { url: String, cause: String },
    #[error("{url} answers with status {status}")]
    NotReady {
        url: String,
        status: reqwest::StatusCode,
    },
}

pub async fn run(args: HealthArgs) -> Result<(), HealthError> {
    let url = format!("{}/readyz", args.url.trim_end_matches('/'));
    match get(&url).await {
        Ok(response) if response.status().is_success() => Ok(()),
        Ok(response) => Err(HealthError::NotReady {
            url,
            status: response.status(),
        }),
        Err(error) => Err(HealthError::Unreachable {
            cause: reason(&error),
            url,
        }),
    }
}

/// Past whatever proxy is configured: the server is on this machine.
async fn get(url: &str) -> reqwest::Result<reqwest::Response> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(TIMEOUT)
        .build()?;
    client.get(url).send().await
}
