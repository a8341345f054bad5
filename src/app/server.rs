use crate::api::{self, ApiState};
use crate::config::ServerConfig;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, info, warn};

/// What a connection gets to say that its generation was cut off.
const FAREWELL: Duration = Duration::from_secs(1);

/// Pause after the operating system refused a connection, so as not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the API until `shutdown`, then takes no more connections, finishes what is
/// admitted within `shutdown_timeout_ms` and stops the engines.
pub async fn serve(
    listener: TcpListener,
    state: Arc<ApiState>,
    options: &ServerConfig,
    shutdown: impl Future<Output = ()>,
) {
    let service = TowerToHyperService::new(api::router(Arc::clone(&state)));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(options.header_read_timeout_ms));
    let permits = Arc::new(Semaphore::new(options.max_connections));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, permit) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let connection =
            graceful.watch(http.serve_connection(TokioIo::new(stream), service.clone()));
        connections.spawn(async move {
            if let Err(error) = connection.await {
                debug!("a connection ended: {error}");
            }
            drop(permit);
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);

    info!(
        "stopping: finishing {} connections within {} ms",
        graceful.count(),
        options.shutdown_timeout_ms
    );
    let deadline = Instant::now() + Duration::from_millis(options.shutdown_timeout_ms);
    let mut closing = pin!(graceful.shutdown());
    let closed = timeout(deadline - Instant::now(), &mut closing)
        .await
        .is_ok();
    stop_engines(&state, deadline).await;
    state.finish(deadline + FAREWELL).await;
    if !closed {
        warn!("cutting off what did not finish in time");
        // Whether it was enough or not, the connections end here.
        let _ = timeout(FAREWELL, closing).await;
    }
    info!("stopped");
}

/// The next connection, as soon as there is room for one.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        let Ok(permit) = Arc::clone(permits).acquire_owned().await else {
            // Nobody closes the semaphore.
            return std::future::pending().await;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                // Tokens are small and must not wait for each other; without it they are only slower.
                let _ = stream.set_nodelay(true);
                return (stream, permit);
            }
            Err(error) => {
                warn!("cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Shutting an engine down waits, so it does not run on a thread that serves connections.
async fn stop_engines(state: &ApiState, deadline: Instant) {
    let Some(models) = state.loaded() else { return };
    let generators = models.generators.iter().map(|served| {
        let engine = served.model.engine.clone();
        Box::new(move || engine.shutdown(deadline)) as Box<dyn FnOnce() + Send>
    });
    let encoders = models.encoders.iter().map(|served| {
        let engine = served.model.engine.clone();
        Box::new(move || engine.shutdown(deadline)) as Box<dyn FnOnce() + Send>
    });
    let mut ends = Vec::new();
    for shutdown in generators.chain(encoders) {
        let (ended, end) = oneshot::channel();
        ends.push(end);
        // A thread of its own: those for blocking work may all be tokenizing.
        std::thread::spawn(move || {
            shutdown();
            // Nobody waits any more if the process ends first.
            let _ = ended.send(());
        });
    }
    for end in ends {
        if end.await.is_err() {
            warn!("an engine did not stop in order");
        }
    }
}
