use super::connection::{Noting, Patience, Usage};
use crate::api::{self, ApiState};
use crate::config::ServerConfig;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
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

/// Requests at a time on one HTTP/2 connection; a client waits with further ones.
const MAX_STREAMS: u32 = 256;

/// How often an HTTP/2 client is asked whether it is still there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);

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
    let patience = Patience {
        without_request: Duration::from_millis(options.header_read_timeout_ms),
        unread: Duration::from_millis(options.write_timeout_ms),
    };
    let http = protocols(patience);
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
        let usage = Usage::new();
        let noting = Noting {
            service: service.clone(),
            usage: usage.clone(),
        };
        let connection = http.serve_connection(TokioIo::new(stream), noting);
        let connection = graceful.watch(connection.into_owned());
        connections.spawn(async move {
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    debug!("a connection ended: {error}");
                },
                () = usage.outlasts(patience) => debug!("a connection was held for nothing"),
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

/// HTTP/1.1, and HTTP/2 for clients that begin with it: there is no TLS here to agree on it.
fn protocols(patience: Patience) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.without_request);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    http
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
        let engines = served.model.engines.clone();
        Box::new(move || engines.shutdown(deadline)) as Box<dyn FnOnce() + Send>
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
