//! At full load the probes answer at once, and memory is what was announced.

use crate::client::Outcome;
use crate::prompts::{Prompts, streamed};
use crate::report::{OutOfBounds, Report, ms};
use crate::server::{Caller, Process, Server};
use crate::settings::{Settings, model_dir};
use crate::statistics::percentile;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const DEADLINE: Duration = Duration::from_secs(300);
const NUM_STREAMS: usize = 32;
const NUM_REQUESTS: usize = 256;
const PROMPT_TOKENS: usize = 200;
const MAX_TOKENS: usize = 64;
/// The cache fills with what was computed, so that all of it counts.
const KV_CACHE_MIB: u64 = 128;
/// Between two probes.
const PAUSE: Duration = Duration::from_millis(20);
const MAX_PROBE: f64 = 0.020;
/// Beside weights and KV cache.
const MAX_REST_MIB: f64 = 150.0;
const MAX_READY: f64 = 2.0;

#[test]
#[ignore = "a proof: make prove"]
fn footprint() -> Result<(), OutOfBounds> {
    crate::prove(DEADLINE, async {
        let mut report = Report::new("footprint: probes and memory at full load");
        let settings = Settings {
            kv_cache_mib: KV_CACHE_MIB,
            prefix_cache_mib: KV_CACHE_MIB,
            ..Settings::default()
        };
        let started = Instant::now();
        let server = Server::start(&settings).await;
        let ready = started.elapsed().as_secs_f64();
        let idle = server.process().rss_mib;

        let is_loaded = Arc::new(AtomicBool::new(true));
        let probing = std::thread::spawn({
            // The client's own work would count on its thread.
            let (is_loaded, address, id) = (is_loaded.clone(), server.address(), server.id());
            move || probe(address, id, &is_loaded)
        });
        let client = server.client(Caller::A);
        let mut prompts = Prompts::new(11);
        let mut tasks = JoinSet::new();
        let (mut answered, mut strange) = (0, Vec::new());
        for number in 0..NUM_REQUESTS + NUM_STREAMS {
            if number >= NUM_STREAMS {
                match tasks.join_next().await.unwrap().unwrap() {
                    Ok(()) => answered += 1,
                    Err(other) => strange.push(other),
                }
            }
            if number < NUM_REQUESTS {
                let body = streamed(&prompts.text(PROMPT_TOKENS), MAX_TOKENS);
                let client = client.clone();
                tasks.spawn(async move {
                    match client.chat(&body).await {
                        Outcome::Answered(_) => Ok(()),
                        other => Err(other.describe()),
                    }
                });
            }
        }
        is_loaded.store(false, Ordering::Relaxed);
        let (probes, largest) = probing.join().unwrap();

        report.figure("requests answered", answered);
        report.bound(
            "requests that ended otherwise",
            strange.first().map_or("none", String::as_str),
            "none",
            strange.is_empty(),
        );
        report.bound(
            "ready after",
            ms(ready),
            format!("at most {}", ms(MAX_READY)),
            ready <= MAX_READY,
        );
        let slowest = percentile(&probes, 99.0);
        report.figure("probes", probes.len());
        report.figure("/livez, p50", ms(percentile(&probes, 50.0)));
        report.bound(
            "/livez, p99",
            ms(slowest),
            format!("at most {}", ms(MAX_PROBE)),
            slowest <= MAX_PROBE,
        );
        let weights = weights_mib();
        let limit = weights + KV_CACHE_MIB as f64 + MAX_REST_MIB;
        report.figure("weights", format!("{weights:.0} MiB"));
        report.figure("KV cache", format!("{KV_CACHE_MIB} MiB"));
        report.figure("memory when ready", format!("{idle:.0} MiB"));
        report.bound(
            "memory at full load",
            format!("{largest:.0} MiB"),
            format!("at most {limit:.0} MiB"),
            largest <= limit,
        );
        report.finish(server).await
    })
}

/// Seconds that each probe took, infinity where it was not answered with 200; and the most
/// memory that was seen between them.
fn probe(address: SocketAddr, id: u32, is_loaded: &AtomicBool) -> (Vec<f64>, f64) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let (mut seconds, mut largest) = (Vec::new(), 0.0f64);
    let mut answer = [0; 4096];
    while is_loaded.load(Ordering::Relaxed) {
        let began = Instant::now();
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        let len = stream.read(&mut answer).unwrap_or(0);
        let is_alive = answer[..len].starts_with(b"HTTP/1.1 200");
        seconds.push(if is_alive {
            began.elapsed().as_secs_f64()
        } else {
            f64::INFINITY
        });
        largest = largest.max(Process::of(id).rss_mib);
        std::thread::sleep(PAUSE);
    }
    (seconds, largest)
}

/// What bf16 weights take: as much as their files.
fn weights_mib() -> f64 {
    let files = std::fs::read_dir(model_dir()).unwrap();
    let sizes = files.filter_map(|file| {
        let file = file.unwrap();
        let is_weights = file.path().extension()? == "safetensors";
        is_weights.then(|| file.metadata().unwrap().len())
    });
    sizes.sum::<u64>() as f64 / f64::from(1 << 20)
}
