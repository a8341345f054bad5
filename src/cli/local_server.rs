//! A server inside this process, for commands that were given no URL.

use super::client::{Client, ClientError};
use crate::app::{self, App, AppError};
use crate::config::{Config, ConfigError};
use std::path::Path;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};

/// The model of `make demo`, which is also what `ask` serves when it is not told.
pub const DEFAULT_MODEL: &str = "smollm2-135m-instruct";

const FREE_PORT: &str = "127.0.0.1:0";

/// Between two looks at whether the model is loaded.
const POLL: Duration = Duration::from_millis(10);

/// Listens on a free loopback port; ends when it is dropped or stopped.
pub struct LocalServer {
    pub url: String,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), AppError>>,
}

#[derive(Debug, thiserror::Error)]
pub enum LocalServerError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the server ended before the model was loaded")]
    Ended,
    #[error("the server inside this process failed: {0}")]
    Task(#[from] JoinError),
}

impl LocalServer {
    /// Loads `model`, a directory or a name, and serves it. Settings of the environment
    /// hold here too, but for the address and the keys.
    pub async fn start(model: &Path) -> Result<Self, LocalServerError> {
        let mut config = Config::load(
            None,
            serde_json::json!({ "server": { "listen": FREE_PORT } }),
        )?;
        config.keys.clear();
        // It ends with the command, and leaves nothing behind.
        config.responses.store = false;
        config.model.path = Some(model.to_owned());
        config.models.clear();
        let models = app::resolve_models(&config)?;
        let app = App::bind(config).await?;
        let url = format!("http://{}", app.local_addr());
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(app.run(models, async {
            // A sender that was dropped means the same.
            let _ = stopped.await;
        }));
        let server = Self { url, stop, running };
        server.until_ready().await
    }

    /// A client that talks to this server.
    pub fn client(&self) -> Result<Client, ClientError> {
        Client::for_loopback(&self.url)
    }

    /// Stops taking requests and waits for the end.
    pub async fn stop(self) -> Result<(), LocalServerError> {
        // It fails if the server has ended, which the next line tells.
        let _ = self.stop.send(());
        Ok(self.running.await??)
    }

    async fn until_ready(mut self) -> Result<Self, LocalServerError> {
        let client = self.client()?;
        while client.first_model().await.is_err() {
            if self.running.is_finished() {
                (&mut self.running).await??;
                return Err(LocalServerError::Ended);
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(self)
    }
}
