use std::io::Write as _;
use std::process::{Command, Output};

fn guichet(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guichet"));
    command.args(arguments).envs(environment.iter().copied());
    command.output().unwrap()
}

/// A command that fails says why in one line on standard error.
#[track_caller]
fn check_refused(arguments: &[&str], environment: &[(&str, &str)], parts: &[&str]) {
    let output = guichet(arguments, environment);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    for part in parts {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn the_version_is_told() {
    let output = guichet(&["--version"], &[]);
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        concat!("guichet ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn a_key_is_shown_once_with_the_lines_for_the_configuration() {
    let output = guichet(&["keys", "hash", "--name", "tax \"office\""], &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.matches("gch_").count(), 1);
    let toml: String = text
        .split_once("[[keys]]")
        .unwrap()
        .1
        .lines()
        .map(|line| line.to_owned() + "\n")
        .collect();
    let config: toml::Table = format!("[[keys]]{toml}").parse().unwrap();
    let key = &config["keys"][0];
    assert_eq!(key["name"].as_str(), Some("tax \"office\""));
    let hash: guichet::tenant::KeyHash = key["hash"].as_str().unwrap().parse().unwrap();
    assert_eq!(hash.to_string(), key["hash"].as_str().unwrap());
}

#[test]
fn an_unknown_key_is_named_with_its_file_or_variable() {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    writeln!(file, "[server]\nlistenn = \"127.0.0.1:1\"").unwrap();
    let path = file.path().to_str().unwrap();
    check_refused(
        &["serve", "--model", "x", "--config", path],
        &[],
        &["listenn", path],
    );
    check_refused(
        &["serve", "--model", "x"],
        &[("GUICHET_ENGINE__NUM_THREAD", "2")],
        &["num_thread", "GUICHET_"],
    );
    check_refused(
        &["serve", "--config", "/nowhere.toml"],
        &[],
        &["/nowhere.toml", "does not exist"],
    );
}

#[test]
fn variables_of_an_orchestrator_and_of_the_client_are_no_keys() {
    check_refused(
        &["serve", "--model", "no-such-model"],
        &[
            ("GUICHET_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("GUICHET_SERVICE_HOST", "10.0.0.1"),
            ("GUICHET_API_KEY", "gch_secret"),
        ],
        &["no-such-model"],
    );
}

#[test]
fn beyond_loopback_a_server_without_keys_does_not_start() {
    check_refused(
        &["serve", "--model", "x", "--listen", "0.0.0.0:0"],
        &[],
        &["0.0.0.0:0", "guichet keys hash"],
    );
    check_refused(
        &["serve", "--model", "x"],
        &[("GUICHET_SERVER__LISTEN", "[::]:0")],
        &["[::]:0"],
    );
}

#[test]
fn a_model_that_is_not_there_is_told_how_to_get() {
    check_refused(
        &["serve", "--model", "no-such-model"],
        &[],
        &["guichet pull no-such-model"],
    );
    check_refused(&["serve"], &[], &["--model"]);
}

#[test]
fn a_broken_checkpoint_ends_in_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.json"), "{}").unwrap();
    let path = dir.path().to_str().unwrap();
    let output = guichet(
        &["serve", "--model", path, "--listen", "127.0.0.1:0"],
        &[("GUICHET_LOG__LEVEL", "error")],
    );
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        error.starts_with("guichet: ") && error.contains(path),
        "{error}"
    );
    assert!(!error.contains("panicked"), "{error}");
}

#[test]
fn replicas_for_which_there_is_no_place_are_refused() {
    let serve = |model: &str, replicas: &str, parts: &[&str]| {
        check_refused(
            &[
                "serve",
                "--model",
                model,
                "--device",
                "cpu",
                "--replicas",
                replicas,
                "--listen",
                "127.0.0.1:0",
            ],
            &[
                ("GUICHET_LOG__LEVEL", "error"),
                ("GUICHET_ENGINE__NUM_THREADS", "2"),
            ],
            parts,
        );
    };
    let fixture = |name: &str| format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    let parts = ["model.replicas is 3", "2 threads", "engine.num_threads"];
    serve(&fixture("tiny-llama"), "3", &parts);
    serve(
        &fixture("tiny-bert"),
        "2",
        &["model.replicas is 2", "one engine"],
    );
    serve("x", "0", &["model.replicas", "from 1 to 64"]);
}
