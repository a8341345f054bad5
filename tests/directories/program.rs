use std::io::Read;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How a command of the program has ended.
pub struct Ended {
    /// `None`: a signal ended it, or it would not end.
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
    pub time: Duration,
}

/// Beyond this a command is ended.
const PATIENCE: Duration = Duration::from_secs(20);

pub fn guichet(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let begun = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_guichet"))
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = read_beside(child.stdout.take());
    let err = read_beside(child.stderr.take());
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status.code(),
            None if begun.elapsed() > PATIENCE => {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    Ended {
        status,
        time: begun.elapsed(),
        out: out.join().unwrap(),
        err: err.join().unwrap(),
    }
}

/// What a command writes, read while it runs so that it never waits for room.
fn read_beside(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).unwrap();
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
