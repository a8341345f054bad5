use super::*;
use crate::kernels::KvType;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const EXAMPLE: &str = include_str!("../../config.example.toml");

fn parse(text: &str) -> Config {
    Figment::from(Toml::string(text)).extract().unwrap()
}

/// The example with every key that is commented out switched on.
fn example_with_all_keys() -> String {
    let is_key = |line: &str| {
        line.starts_with("[[")
            || line
                .split_once(" = ")
                .is_some_and(|(key, _)| key.bytes().all(|c| c.is_ascii_lowercase() || c == b'_'))
    };
    EXAMPLE
        .lines()
        .map(|line| {
            line.strip_prefix("# ")
                .filter(|rest| is_key(rest))
                .unwrap_or(line)
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// `section.key` of every key in a configuration, those without a value too.
fn keys(value: &Value) -> BTreeSet<String> {
    let Value::Object(sections) = value else {
        panic!("not an object")
    };
    sections
        .iter()
        .flat_map(|(section, value)| match value {
            Value::Object(keys) => keys.keys().map(|key| format!("{section}.{key}")).collect(),
            _ => vec![section.clone()],
        })
        .collect()
}

fn load_file(text: &str) -> Result<Config, String> {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Config::load(Some(file.path()), json!({})).map_err(|e| {
        e.to_string()
            .replace(&file.path().display().to_string(), "FILE")
    })
}

#[track_caller]
fn check_refused(text: &str, parts: &[&str]) {
    let error = load_file(text).unwrap_err();
    for part in parts {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn the_example_equals_the_defaults() {
    assert_eq!(parse(EXAMPLE), Config::default());
}

#[test]
fn the_example_lists_every_key() {
    let all: toml::Table = example_with_all_keys().parse().unwrap();
    let listed = keys(&serde_json::to_value(all).unwrap());
    assert_eq!(
        listed,
        keys(&serde_json::to_value(Config::default()).unwrap())
    );
    parse(&example_with_all_keys()).check().unwrap();
}

#[test]
fn an_unknown_key_is_refused_with_the_file_and_the_key() {
    check_refused(
        "[server]\nlistenn = \"127.0.0.1:1\"",
        &["listenn", "FILE", "listen"],
    );
    check_refused("[sever]\n", &["sever", "FILE"]);
    check_refused(
        "[[keys]]\nname = \"a\"\nhash = \"x\"\nrole = \"admin\"",
        &["role"],
    );
}

#[test]
fn a_value_of_the_wrong_type_is_refused_with_the_file_and_the_key() {
    check_refused(
        "[engine]\nmax_num_seqs = \"many\"",
        &["engine.max_num_seqs", "FILE"],
    );
    check_refused("[model]\ndtype = \"int3\"", &["int3", "FILE"]);
    check_refused(
        "[server]\nlisten = \"everywhere\"",
        &["server.listen", "FILE"],
    );
}

#[test]
fn values_that_cannot_work_are_refused() {
    check_refused(
        "[engine]\nmax_num_seqs = 0",
        &["engine.max_num_seqs", "at least 1"],
    );
    check_refused(
        "[server]\nrequest_timeout_ms = 0",
        &["server.request_timeout_ms", "at least 1"],
    );
    check_refused(
        "[server]\nmax_body_mib = 99999999",
        &["server.max_body_mib"],
    );
    check_refused("[log]\nlevel = \"=loud\"", &["log.level"]);
    for number in [0, 65] {
        check_refused(
            &format!("[model]\ntensor_parallel = {number}"),
            &["model.tensor_parallel", "from 1 to 64"],
        );
    }
    check_refused(
        "[[keys]]\nname = \"a\"\nhash = \"secret\"",
        &["`a`", "keys hash"],
    );
}

#[test]
fn a_key_has_a_weight_of_1_unless_it_says_otherwise() {
    let key = "[[keys]]\nname = \"a\"\nhash = \"sha256:".to_owned() + &"0".repeat(64) + "\"\n";
    assert_eq!(load_file(&key).unwrap().keys[0].weight, 1);
    let weight = |weight: u32| format!("{key}weight = {weight}\n");
    assert_eq!(load_file(&weight(7)).unwrap().keys[0].weight, 7);
    check_refused(&weight(0), &["`a`", "from 1 to 1000"]);
}

#[test]
fn beyond_loopback_a_key_is_needed() {
    let key = "[[keys]]\nname = \"a\"\nhash = \"sha256:".to_owned() + &"0".repeat(64) + "\"\n";
    for listen in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:80"] {
        let server = format!("[server]\nlisten = \"{listen}\"\n");
        check_refused(&server, &["API key", "guichet keys hash"]);
        load_file(&(server + &key)).unwrap();
    }
    for listen in [
        "127.0.0.1:0",
        "127.8.8.8:1",
        "[::1]:8080",
        "[::ffff:127.0.0.1]:1",
    ] {
        load_file(&format!("[server]\nlisten = \"{listen}\"")).unwrap();
    }
}

#[test]
fn the_command_line_wins_over_the_file() {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(
        file.path(),
        "[server]\nlisten = \"127.0.0.1:1\"\nmax_body_mib = 3",
    )
    .unwrap();
    let flags = json!({"server": {"listen": "127.0.0.1:2"}, "model": {}});
    let config = Config::load(Some(file.path()), flags).unwrap();
    assert_eq!(config.server.listen.port(), 2);
    assert_eq!(config.server.max_body_mib, 3);
    assert_eq!(config.engine, EngineSection::default());
}

#[test]
fn what_the_engine_is_asked_for_is_what_the_file_says() {
    let options = |text| {
        let config = parse(text);
        config.model_options(&config.model)
    };
    assert_eq!(options("").kv_type, None);
    let file = "[model]\nkv_cache_dtype = \"int8\"\n[engine]\npin_threads = true";
    let options = options(file);
    assert_eq!(options.kv_type, Some(KvType::Int8));
    assert!(options.placement.pin_threads && !options.placement.interleave_memory);
}

#[test]
fn the_documented_limit_on_bodies_is_the_default() {
    let limit = crate::api::limits::MAX_BODY_BYTES;
    assert_eq!(ServerConfig::default().max_body_bytes(), limit);
}
