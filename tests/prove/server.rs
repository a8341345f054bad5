//! A real server process on a free loopback port, with two callers and its figures.

use crate::client::Client;
use crate::settings::Settings;
use guichet::tenant::{ApiKey, KeyConfig};
use std::collections::HashMap;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const RUNNING: &str = "guichet_requests_running";
pub const WAITING: &str = "guichet_requests_waiting";
/// Blocks that sequences hold; what only the prefix cache keeps is not among them.
pub const BLOCKS_USED: &str = "guichet_kv_blocks_used";
pub const STEPS: &str = "guichet_engine_steps_total";

const TO_START: Duration = Duration::from_secs(120);
/// A little longer than the server gives admitted requests.
const TO_STOP: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);
const LOG_LINES: usize = 60;

/// Ends with its handle. Unless it was stopped in order, its log is printed.
pub struct Server {
    child: Child,
    address: SocketAddr,
    keys: [ApiKey; 2],
    files: TempDir,
    stopped: bool,
}

/// Whose API key a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    A,
    B,
}

/// What the operating system says of the process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Process {
    pub rss_mib: f64,
    pub num_files: usize,
    pub num_threads: usize,
}

/// How the server ended.
pub struct End {
    pub how: String,
    pub in_order: bool,
    /// The last lines of its log.
    pub log: String,
}

impl Server {
    /// Starts it and waits until the model is loaded.
    pub async fn start(settings: &Settings) -> Self {
        let files = tempfile::tempdir().unwrap();
        let keys = [(); 2].map(|()| ApiKey::generate().unwrap());
        let entries: Vec<_> = ["a", "b"]
            .into_iter()
            .zip(&keys)
            .map(|(name, key)| KeyConfig {
                name: name.to_owned(),
                hash: key.hash().to_string(),
                weight: 1,
            })
            .collect();
        let address = free_address();
        let config = files.path().join("config.toml");
        fs::write(&config, settings.to_toml(address, &entries)).unwrap();
        let log = File::create(files.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_guichet"));
        command.arg("serve").arg("--config").arg(&config);
        // What this shell has set for another server is not what is proved.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GUICHET_")) {
            command.env_remove(name);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Self {
            child,
            address,
            keys,
            files,
            stopped: false,
        };
        server.until_ready().await;
        server
    }

    pub fn client(&self, caller: Caller) -> Client {
        Client::new(self.base(), self.key(caller))
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn key(&self, caller: Caller) -> &str {
        match caller {
            Caller::A => self.keys[0].reveal(),
            Caller::B => self.keys[1].reveal(),
        }
    }

    /// The metrics of now that have no labels.
    pub async fn metrics(&self) -> Metrics {
        // A client of its own leaves no connection behind.
        let text = self.client(Caller::A).get("/metrics").await;
        let (_, text) = text.expect("the server gives its metrics");
        let values = text.lines().filter_map(|line| {
            let (name, value) = line.split_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Metrics(values.collect())
    }

    /// Waits until nothing runs or waits and no sequence holds a block; tells what does not
    /// end where that takes too long.
    pub async fn until_idle(&self, patience: Duration) -> Result<(), String> {
        let deadline = Instant::now() + patience;
        loop {
            let metrics = self.metrics().await;
            let now = [RUNNING, WAITING, BLOCKS_USED].map(|name| metrics.get(name));
            if now == [0.0; 3] {
                return Ok(());
            }
            if Instant::now() > deadline {
                let [running, waiting, blocks] = now;
                return Err(format!("{running} run, {waiting} wait, {blocks} blocks"));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    pub fn process(&self) -> Process {
        Process::of(self.child.id())
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, as an operator would.
    pub async fn stop(mut self) -> End {
        self.stopped = true;
        let status = self.terminate().await;
        End {
            how: status.map_or_else(
                || "killed, it did not end".to_owned(),
                |status| status.to_string(),
            ),
            in_order: status.is_some_and(|status| status.success()),
            log: self.log(),
        }
    }

    async fn terminate(&mut self) -> Option<ExitStatus> {
        let signalled = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        let deadline = Instant::now() + TO_STOP;
        while signalled.as_ref().is_ok_and(ExitStatus::success) && Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            tokio::time::sleep(POLL).await;
        }
        None
    }

    async fn until_ready(&mut self) {
        let deadline = Instant::now() + TO_START;
        let client = self.client(Caller::A);
        while !matches!(client.get("/readyz").await, Ok((200, _))) {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the server ended before the model was loaded: {status}");
            }
            assert!(Instant::now() < deadline, "the server does not get ready");
            tokio::time::sleep(POLL).await;
        }
    }

    fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    fn log(&self) -> String {
        let log = fs::read(self.files.path().join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
        format!("-- the end of the server's log:\n{}\n--\n", last.join("\n"))
    }
}

impl Process {
    pub fn of(id: u32) -> Self {
        let dir = format!("/proc/{id}");
        let count = |name: &str| fs::read_dir(format!("{dir}/{name}")).unwrap().count();
        let status = fs::read_to_string(format!("{dir}/status")).unwrap();
        let mib = |name: &str| -> f64 {
            let kib = status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .and_then(|value| value.trim().strip_suffix("kB"))
                .and_then(|value| value.trim().parse::<f64>().ok());
            kib.expect("the status of a process has its memory") / 1024.0
        };
        Self {
            rss_mib: mib("VmRSS:"),
            num_files: count("fd"),
            num_threads: count("task"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.stopped {
            println!("{}", self.log());
        }
        // It has ended already, or a proof failed and nobody waits for it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One scrape.
pub struct Metrics(HashMap<String, f64>);

impl Metrics {
    pub fn get(&self, name: &str) -> f64 {
        *self
            .0
            .get(name)
            .unwrap_or_else(|| panic!("the server has no metric {name}"))
    }
}

/// Free a moment ago, which is near enough on a machine that runs proofs.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}
