//! Reads documents in a process of its own for each: this program again, which gives up all that
//! reading does not need before it looks at a byte of the document.
//!
//! The child reads from its standard input, computes, and writes to its standard output. It opens
//! no file and no socket and starts nothing. It is killed at any limit, and what it answers is
//! checked before it is believed.

mod child;
#[cfg(target_os = "linux")]
mod linux;
mod outcome;
mod strength;

pub use child::run_if_child;
pub use strength::Strength;

use super::error::{DocumentError, Limit};
use super::limits::ParseLimits;
use super::model::Document;
use serde::{Deserialize, Serialize};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The first words of the child's command line; the limits follow.
const CHILD: [&str; 2] = ["parse-document", "--child"];
/// An answer may be so many times as long as the text in it, and a little more.
const ANSWER_RATIO: u64 = 12;
const ANSWER_ROOM: u64 = 1 << 20;
/// What is kept of what the child says on its standard error.
const MAX_COMPLAINT: u64 = 16 << 10;
/// How long a child that has answered may take to end.
const POLL: Duration = Duration::from_millis(1);

/// Reads documents in children.
#[derive(Debug, Clone)]
pub struct Parser {
    executable: PathBuf,
}

/// What a child answers.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    strength: Strength,
    result: Result<Document, DocumentError>,
}

impl Parser {
    /// `executable` is this program, whose `main` calls [`run_if_child`] first.
    pub fn new(executable: PathBuf) -> Self {
        Self { executable }
    }

    /// How well children are locked up on this machine, by asking one. A server asks at its start,
    /// and says loudly what is missing.
    ///
    /// # Errors
    ///
    /// `Sandbox` if no child can be started or none answers.
    pub fn probe(&self) -> Result<Strength, DocumentError> {
        self.ask(b"-", &ParseLimits::default())
            .map(|answer| answer.strength)
    }

    /// Reads a document; blocks until the child has ended.
    ///
    /// # Errors
    ///
    /// Any [`DocumentError`]: `Sandbox` is this machine's fault, all others are the document's.
    pub fn parse(&self, bytes: &[u8], limits: &ParseLimits) -> Result<Document, DocumentError> {
        // Nobody needs a process to see that.
        if bytes.len() as u64 > limits.max_input_bytes {
            return Err(DocumentError::LimitExceeded {
                limit: Limit::InputBytes,
                max: limits.max_input_bytes,
            });
        }
        let document = self.ask(bytes, limits)?.result?;
        match document.is_consistent() {
            true => Ok(document),
            false => Err(DocumentError::ReaderFailed {
                reason: "what it answered contradicts itself".to_owned(),
            }),
        }
    }

    fn ask(&self, bytes: &[u8], limits: &ParseLimits) -> Result<Answer, DocumentError> {
        let internal = |reason: &str| DocumentError::Sandbox {
            reason: reason.to_owned(),
        };
        let told =
            serde_json::to_string(limits).map_err(|_| internal("the limits cannot be written"))?;
        let mut child = Command::new(&self.executable)
            .args(CHILD)
            .arg(told)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| internal(&format!("the reader cannot be started: {error}")))?;
        let ended = converse(&mut child, bytes, limits);
        // Whatever happened, nobody is left behind.
        let _ = child.kill();
        let _ = child.wait();
        outcome::judge(ended, limits)
    }
}

/// How a child came to its end.
struct Ended {
    /// None if it had to be stopped.
    status: Option<ExitStatus>,
    answer: Vec<u8>,
    complaint: Vec<u8>,
    /// It answered more than it may.
    is_too_long: bool,
}

/// Feeds the child and hears it out, until it has ended or its time is up.
fn converse(child: &mut Child, bytes: &[u8], limits: &ParseLimits) -> Ended {
    let deadline = Instant::now() + Duration::from_secs(limits.max_wall_seconds);
    let max_answer = limits
        .max_output_bytes
        .saturating_mul(ANSWER_RATIO)
        .saturating_add(ANSWER_ROOM);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            // A child that has died does not read to the end.
            if let Some(mut stdin) = stdin {
                let _ = stdin.write_all(bytes);
            }
        });
        let complaint = scope.spawn(move || {
            let mut complaint = Vec::new();
            if let Some(mut stderr) = stderr {
                let _ = stderr
                    .by_ref()
                    .take(MAX_COMPLAINT)
                    .read_to_end(&mut complaint);
                let _ = std::io::copy(&mut stderr, &mut std::io::sink());
            }
            complaint
        });
        scope.spawn(move || {
            let mut answer = Vec::new();
            if let Some(stdout) = stdout {
                let _ = stdout.take(max_answer + 1).read_to_end(&mut answer);
            }
            // The other end waits, or has given up.
            let _ = sender.send(answer);
        });
        let answer = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        let mut status = None;
        if answer
            .as_ref()
            .is_ok_and(|answer| answer.len() as u64 <= max_answer)
        {
            status = wait_until(child, deadline);
        }
        let _ = child.kill();
        let answer = answer.unwrap_or_default();
        Ended {
            status,
            is_too_long: answer.len() as u64 > max_answer,
            answer,
            complaint: complaint.join().unwrap_or_default(),
        }
    })
}

fn wait_until(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(POLL),
            Ok(None) | Err(_) => return None,
        }
    }
}
