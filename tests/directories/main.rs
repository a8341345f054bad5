//! Damaged directories: `guichet check` and `guichet serve` say in one sentence what is wrong
//! with each, soon, and end with status 1.
//!
//! `cargo test --test directories -- --nocapture` prints the sentences.

mod configuration;
mod damage;
mod edit;
mod encoders;
mod files;
mod headers;
mod program;
mod tensors;
mod text;

use damage::Damage;
use program::{Ended, guichet};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How soon either command has ended.
const SOON: Duration = Duration::from_secs(2);

/// A sentence is no page.
const MAX_CHARS: usize = 500;

fn all() -> Vec<Damage> {
    let mut all = files::damages();
    all.extend(headers::damages());
    all.extend(tensors::damages());
    all.extend(configuration::damages());
    all.extend(text::damages());
    all.extend(encoders::damages());
    all
}

#[test]
fn every_damage_is_told_in_one_sentence_by_check_and_by_serve() {
    let all = all();
    let names: BTreeSet<_> = all.iter().map(|damage| damage.name).collect();
    assert_eq!(names.len(), all.len(), "two have one name");
    assert!(all.len() >= 60);

    let next = AtomicUsize::new(0);
    let told = Mutex::new(vec![None; all.len()]);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((index, damage)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    all.get(index).map(|damage| (index, damage))
                } {
                    match tell(damage) {
                        Ok(sentence) => told.lock().unwrap()[index] = sentence,
                        Err(failure) => failures
                            .lock()
                            .unwrap()
                            .push(format!("{}: {failure}", damage.name)),
                    }
                }
            });
        }
    });
    for (damage, sentence) in all.iter().zip(told.into_inner().unwrap()) {
        let sentence = sentence.as_deref().unwrap_or("(not tried here)");
        println!("{:<40} {sentence}", damage.name);
    }
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn an_undamaged_fixture_passes() {
    for fixture in [
        "tiny-llama",
        "tiny-llama-tied",
        "tiny-bert",
        "tiny-xlm-roberta",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let model = edit::copy(fixture, dir.path());
        let ended = check(&model);
        assert_eq!(ended.status, Some(0), "{fixture}: {}", ended.out);
        let report: Value = serde_json::from_str(&ended.out).unwrap();
        assert_eq!(report["would_serve"], true);
    }
}

/// The first reason that `guichet check` gives; `None` where this machine cannot show the damage.
fn tell(damage: &Damage) -> Result<Option<String>, String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let model = edit::copy(damage.fixture, dir.path());
    if (damage.apply)(&model).is_none() {
        return Ok(None);
    }
    let ended = check(&model);
    soon(&ended, "check")?;
    if !ended.err.is_empty() {
        return Err(format!("check complains: {}", ended.err));
    }
    let report: Value =
        serde_json::from_str(&ended.out).map_err(|error| format!("{error}: {}", ended.out))?;
    let reasons: Vec<&str> = report["problems"]
        .as_array()
        .map(|reasons| reasons.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    for reason in &reasons {
        is_a_sentence(reason)?;
    }
    if !reasons.iter().any(|reason| reason.contains(damage.words)) {
        return Err(format!(
            "check does not say {:?}: {reasons:#?}",
            damage.words
        ));
    }
    let ended = serve(&model, dir.path());
    soon(&ended, "serve")?;
    let sentence = ended.err.trim_end();
    is_a_sentence(sentence)?;
    let words = damage.serve_words.unwrap_or(damage.words);
    if !(sentence.starts_with("guichet: ") && sentence.contains(words)) {
        return Err(format!("serve does not say {words:?}: {sentence}"));
    }
    let place = format!("{}/", dir.path().display());
    Ok(Some(reasons[0].replace(&place, "")))
}

fn check(model: &Path) -> Ended {
    guichet(&["check", "--json", &model.display().to_string()], &[])
}

fn serve(model: &Path, state: &Path) -> Ended {
    let model = model.display().to_string();
    guichet(
        &["serve", "--model", &model, "--listen", "127.0.0.1:0"],
        &[
            ("GUICHET_LOG__LEVEL", "error"),
            ("GUICHET_SERVER__STATE_DIR", &state.display().to_string()),
        ],
    )
}

fn soon(ended: &Ended, command: &str) -> Result<(), String> {
    match ended.status {
        Some(1) if ended.time < SOON => Ok(()),
        status => Err(format!(
            "{command} ended with {status:?} after {:?}: {}{}",
            ended.time, ended.out, ended.err
        )),
    }
}

fn is_a_sentence(text: &str) -> Result<(), String> {
    let is_one = !text.contains('\n') && !text.is_empty();
    let of_a_person = !["panicked", "unwrap", "RUST_BACKTRACE"]
        .iter()
        .any(|word| text.contains(word));
    match is_one && of_a_person && text.chars().count() <= MAX_CHARS {
        true => Ok(()),
        false => Err(format!("this is no sentence: {text:?}")),
    }
}
