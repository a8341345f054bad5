use clap::Parser;

use super::*;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    pull: PullArgs,
}

fn args(words: &[&str]) -> PullArgs {
    Command::parse_from([&["pull"], words].concat()).pull
}

fn locked(origin: Origin) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.json"), "{}").unwrap();
    lock::write(dir.path(), origin).unwrap();
    dir
}

fn demo_wheel() -> Origin {
    let wheel = Catalogue::load(None)
        .unwrap()
        .find("smollm2-135m-instruct")
        .unwrap()
        .wheel
        .clone()
        .unwrap();
    let source = Source::Wheel {
        requirement: wheel.requirement,
        member: wheel.member,
        sha256: wheel.sha256,
    };
    Origin {
        model: Some("smollm2-135m-instruct".into()),
        source,
        sampling: None,
    }
}

fn hub(repo: &str, revision: &str) -> Origin {
    let source = Source::Hub {
        repo: repo.into(),
        revision: revision.into(),
        commit: "c0ffee".into(),
    };
    Origin {
        model: None,
        source,
        sampling: None,
    }
}

/// Whether a pull of `words` leaves a directory of this origin alone.
fn is_complete(origin: Origin, words: &[&str]) -> bool {
    let dir = locked(origin);
    let args = args(words);
    let checked = lock::check_full(dir.path()).unwrap().unwrap();
    Wanted::resolve(&args)
        .unwrap()
        .is_satisfied_by(&checked.lock)
}

#[test]
fn a_complete_model_is_left_alone_without_any_network() {
    let dir = locked(demo_wheel());
    let path = dir.path().to_str().unwrap();
    assert_eq!(
        pull(&args(&["smollm2-135m-instruct", "--dir", path])).unwrap(),
        dir.path()
    );
}

#[test]
fn what_is_there_counts_only_if_it_is_what_was_asked_for() {
    let demo = "smollm2-135m-instruct";
    assert!(is_complete(demo_wheel(), &[demo, "--source", "wheel"]));
    assert!(!is_complete(demo_wheel(), &[demo, "--source", "hub"]));
    assert!(!is_complete(demo_wheel(), &[demo, "--revision", "v1"]));
    assert!(is_complete(hub("o/r", "main"), &["o/r"]));
    assert!(!is_complete(hub("o/r", "v1"), &["o/r"]));
    assert!(is_complete(hub("o/r", "v1"), &["o/r", "--revision", "v1"]));
    assert!(is_complete(
        hub("o/r", "v1"),
        &["o/r", "--revision", "c0ffee"]
    ));
}

#[test]
fn a_directory_of_another_model_is_not_overwritten() {
    let dir = locked(hub("o/other", "main"));
    let path = dir.path().to_str().unwrap();
    for model in ["smollm2-135m-instruct", "o/r"] {
        let error = pull(&args(&[model, "--dir", path]))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("holds another model (o/other at commit c0ffee)"),
            "{error}"
        );
    }
}

#[test]
fn a_source_that_a_model_does_not_have_is_refused() {
    for (words, message) in [
        (
            &["o/r", "--source", "wheel"][..],
            "there is no wheel of o/r",
        ),
        (&["nonesuch"], "there is no model named"),
        (&["o/r/s"], "org/repo"),
        (&["../r"], "org/repo"),
        (
            &[
                "smollm2-135m-instruct",
                "--source",
                "wheel",
                "--revision",
                "v1",
            ],
            "--revision is about the hub",
        ),
    ] {
        let error = pull(&args(words)).unwrap_err().to_string();
        assert!(error.contains(message), "{words:?}: {error}");
    }
}
