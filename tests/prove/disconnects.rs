//! A thousand clients that leave in the middle of things leave nothing behind.

use crate::client::CHAT;
use crate::prompts::{Prompts, as_stream, plain};
use crate::report::{OutOfBounds, Report};
use crate::server::{Caller, Process, Server};
use crate::settings::Settings;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const DEADLINE: Duration = Duration::from_secs(600);
const NUM_REQUESTS: usize = 1000;
const AT_A_TIME: usize = 16;
/// For a client that waits for bytes; the server is busy with fifteen others.
const PATIENCE: Duration = Duration::from_secs(60);
/// The server's threads for blocking work end after ten seconds without any.
const TO_BASELINE: Duration = Duration::from_secs(40);
/// The connection that asks for the metrics, and one that is just being closed.
const SLACK: usize = 2;

/// Where a client leaves.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Leaving {
    /// So many bytes of the request are sent.
    Sending(usize),
    /// All is sent; so long nothing is read.
    Waiting(Duration),
    /// So many bytes of the answer are read.
    Reading(usize),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Left {
    InTheMiddle,
    /// The answer was shorter than what the client wanted to read.
    AfterTheEnd,
    /// Nothing came for too long.
    InVain,
}

#[test]
#[ignore = "a proof: make prove"]
fn disconnects() -> Result<(), OutOfBounds> {
    crate::prove(DEADLINE, async {
        let mut report = Report::new("disconnects: a thousand clients that leave");
        let server = Server::start(&Settings::default()).await;
        let mut prompts = Prompts::new(4);
        let question = plain(&prompts.text(120), 24);
        let before = ask(&server, &question).await;
        let baseline = server.process();

        let mut left = Vec::new();
        let mut tasks = JoinSet::new();
        let began = Instant::now();
        for _ in 0..NUM_REQUESTS {
            if tasks.len() == AT_A_TIME {
                left.push(tasks.join_next().await.unwrap().unwrap());
            }
            let (request, leaving) = draw(&mut prompts, &server);
            tasks.spawn(leave(server.address(), request, leaving));
        }
        left.extend(tasks.join_all().await);
        let took = began.elapsed();

        let idle = server.until_idle(Duration::from_secs(60)).await;
        let after = until_baseline(&server, baseline).await;
        let answer = ask(&server, &question).await;

        report.figure("requests", left.len());
        for (kind, is_kind) in [
            ("left while sending", is_sending as fn(&Leaving) -> bool),
            ("left before the headers", is_waiting),
            ("left while reading", is_reading),
        ] {
            let of_kind = || left.iter().filter(|(leaving, _)| is_kind(leaving));
            let early = of_kind().filter(|(_, left)| *left == Left::InTheMiddle);
            report.figure(
                kind,
                format!("{}, {} in the middle", of_kind().count(), early.count()),
            );
        }
        let in_vain = left.iter().filter(|(_, left)| *left == Left::InVain);
        let in_vain = in_vain.count();
        report.bound("waited in vain", in_vain, 0, in_vain == 0);
        report.figure("seconds", format!("{:.1}", took.as_secs_f64()));
        report.bound(
            "running, waiting, blocks of sequences",
            idle.as_ref().err().map_or("0, 0, 0", String::as_str),
            "0, 0, 0",
            idle.is_ok(),
        );
        for (name, before, after) in [
            ("open files", baseline.num_files, after.num_files),
            ("threads", baseline.num_threads, after.num_threads),
        ] {
            report.bound(
                name,
                format!("{before} before, {after} after"),
                format!("at most {}", before + SLACK),
                after <= before + SLACK,
            );
        }
        report.figure(
            "memory",
            format!(
                "{:.0} MiB before, {:.0} after",
                baseline.rss_mib, after.rss_mib
            ),
        );
        report.bound(
            "the answer to the same question",
            if answer == before {
                "the same"
            } else {
                "another"
            },
            "the same",
            answer == before,
        );
        report.finish(server).await
    })
}

fn is_sending(leaving: &Leaving) -> bool {
    matches!(leaving, Leaving::Sending(_))
}

fn is_waiting(leaving: &Leaving) -> bool {
    matches!(leaving, Leaving::Waiting(_))
}

fn is_reading(leaving: &Leaving) -> bool {
    matches!(leaving, Leaving::Reading(_))
}

/// By a client of its own, whose connection closes with it.
async fn ask(server: &Server, question: &Value) -> String {
    let answer = server.client(Caller::A).chat(question).await.answer();
    answer.text().to_owned()
}

/// The bytes of a request and where its client leaves.
fn draw(prompts: &mut Prompts, server: &Server) -> (Vec<u8>, Leaving) {
    let num_tokens = prompts.random.within(50, 250);
    let max_tokens = prompts.random.within(1, 64);
    let mut body = plain(&prompts.text(num_tokens), max_tokens);
    let is_stream = prompts.random.below(2) == 0;
    if is_stream {
        body = as_stream(body);
    }
    let body = body.to_string();
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        server.address(),
        server.key(Caller::A),
        body.len()
    );
    let request = [head, body].concat().into_bytes();
    let random = &mut prompts.random;
    let leaving = match random.below(4) {
        0 => Leaving::Sending(random.below(request.len())),
        1 => Leaving::Waiting(Duration::from_millis(random.below(600) as u64)),
        // A chunk of a stream has some 300 bytes, a plain answer some 700 in all.
        _ if is_stream => Leaving::Reading(random.within(1, 8000)),
        _ => Leaving::Reading(random.within(1, 500)),
    };
    (request, leaving)
}

async fn leave(address: SocketAddr, request: Vec<u8>, leaving: Leaving) -> (Leaving, Left) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (sent, wanted) = match leaving {
        Leaving::Sending(sent) => (sent, 0),
        Leaving::Waiting(_) => (request.len(), 0),
        Leaving::Reading(wanted) => (request.len(), wanted),
    };
    stream.write_all(&request[..sent]).await.unwrap();
    if let Leaving::Waiting(time) = leaving {
        sleep(time).await;
    }
    let (mut read, mut buffer) = (0, [0; 256]);
    while read < wanted {
        let most = buffer.len().min(wanted - read);
        match timeout(PATIENCE, stream.read(&mut buffer[..most])).await {
            Ok(Ok(0) | Err(_)) => return (leaving, Left::AfterTheEnd),
            Ok(Ok(num)) => read += num,
            Err(_) => return (leaving, Left::InVain),
        }
    }
    (leaving, Left::InTheMiddle)
}

/// What the process has, as soon as it is what it had, or after some patience.
async fn until_baseline(server: &Server, baseline: Process) -> Process {
    let deadline = Instant::now() + TO_BASELINE;
    loop {
        let now = server.process();
        let back = now.num_files <= baseline.num_files && now.num_threads <= baseline.num_threads;
        if back || Instant::now() > deadline {
            return now;
        }
        sleep(Duration::from_millis(100)).await;
    }
}
