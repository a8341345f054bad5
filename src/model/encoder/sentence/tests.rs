use super::*;

const MODULES: [(&str, &str); 4] = [
    ("", "models.Transformer"),
    ("1_Pooling", "models.Pooling"),
    ("2_Dense", "models.Dense"),
    ("3_Normalize", "models.Normalize"),
];
const MEAN: &str = r#"{"word_embedding_dimension":384,"pooling_mode_mean_tokens":true}"#;
const DENSE: &str = r#"{"in_features":384,"out_features":64,"bias":false,
    "activation_function":"torch.nn.modules.linear.Identity"}"#;

fn modules(modules: &[(&str, &str)]) -> String {
    let module = |(path, kind): &(&str, &str)| serde_json::json!({"path": path, "type": format!("sentence_transformers.{kind}")});
    Value::Array(modules.iter().map(module).collect()).to_string()
}

/// With `modules.json` and what it names; later files hide earlier ones.
fn dir(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let all = [
        ("modules.json", &*modules(&MODULES)),
        ("1_Pooling/config.json", MEAN),
        ("2_Dense/config.json", DENSE),
        (
            "1_LogitScore/config.json",
            r#"{"true_token_id":7,"false_token_id":5}"#,
        ),
    ];
    for (name, text) in all.iter().chain(files) {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

#[test]
fn pooling_projections_length_and_prompts_are_read() {
    let dir = dir(&[
        (
            "1_Pooling/config.json",
            r#"{"word_embedding_dimension":384,"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false}"#,
        ),
        (
            "sentence_bert_config.json",
            r#"{"max_seq_length":256,"do_lower_case":false}"#,
        ),
        (
            "config_sentence_transformers.json",
            r#"{"prompts":{"query":"query: "},"default_prompt_name":"query"}"#,
        ),
    ]);
    let config = SentenceConfig::from_dir(dir.path()).unwrap();
    assert_eq!(config.pooling, Some(Pooling::Cls));
    assert_eq!(
        config.projections,
        [ProjectionConfig {
            dir: dir.path().join("2_Dense"),
            num_inputs: 384,
            num_outputs: 64,
            has_bias: false,
            activation: Activation::None,
        }]
    );
    assert_eq!(config.answers, None);
    assert_eq!(config.max_seq_length, Some(256));
    assert_eq!(config.prompts["query"], "query: ");
    assert_eq!(config.default_prompt.as_deref(), Some("query"));
}

#[test]
fn the_last_token_is_meant_in_either_way_of_writing() {
    for text in [
        r#"{"pooling_mode":"lasttoken"}"#,
        r#"{"pooling_mode_lasttoken":true,"pooling_mode_mean_tokens":false}"#,
    ] {
        let dir = dir(&[("1_Pooling/config.json", text)]);
        let config = SentenceConfig::from_dir(dir.path()).unwrap();
        assert_eq!(config.pooling, Some(Pooling::LastToken));
    }
}

#[test]
fn a_model_that_answers_says_with_which_tokens() {
    let chain = [
        ("", "base.modules.transformer.Transformer"),
        (
            "1_LogitScore",
            "cross_encoder.modules.logit_score.LogitScore",
        ),
    ];
    let dir = dir(&[("modules.json", &modules(&chain))]);
    let config = SentenceConfig::from_dir(dir.path()).unwrap();
    assert_eq!(config.answers, Some(AnswerTokens { yes: 7, no: 5 }));
    assert_eq!(config.pooling, None);
}

#[test]
fn without_such_files_nothing_is_said() {
    let empty = tempfile::tempdir().unwrap();
    let config = SentenceConfig::from_dir(empty.path()).unwrap();
    assert_eq!(config, SentenceConfig::default());
}

#[test]
fn what_is_not_computed_is_refused_by_name() {
    let chain = |change: fn(&mut Vec<(&'static str, &'static str)>)| {
        let mut chain = MODULES.to_vec();
        change(&mut chain);
        modules(&chain)
    };
    let dense = |from: &str, to: &str| {
        assert!(DENSE.contains(from));
        DENSE.replace(from, to)
    };
    for (file, text, word) in [
        (
            "modules.json",
            chain(|all| all[2].1 = "models.LSTM"),
            "LSTM",
        ),
        ("modules.json", chain(|all| all[1].0 = "../x"), "../x"),
        ("modules.json", chain(|all| all[0].0 = "0_T"), "0_T"),
        (
            "modules.json",
            chain(|all| all.swap(1, 2)),
            "Dense follows Transformer",
        ),
        ("modules.json", chain(|all| all.swap(2, 3)), "Normalize"),
        (
            "modules.json",
            chain(|all| *all = all.split_off(1)),
            "comes first",
        ),
        (
            "modules.json",
            chain(|all| all.push(all[1])),
            "Pooling follows",
        ),
        (
            "modules.json",
            chain(|all| all[3] = ("1_LogitScore", "LogitScore")),
            "LogitScore follows",
        ),
        (
            "1_Pooling/config.json",
            r#"{"pooling_mode_max_tokens":true}"#.into(),
            "max_tokens",
        ),
        (
            "1_Pooling/config.json",
            r#"{"pooling_mode":"weightedmean"}"#.into(),
            "weightedmean",
        ),
        (
            "1_Pooling/config.json",
            r#"{"pooling_mode_mean_tokens":true,"pooling_mode_cls_token":true}"#.into(),
            "together",
        ),
        ("1_Pooling/config.json", "{}".into(), "pooling_mode"),
        (
            "1_Pooling/config.json",
            r#"{"pooling_mode_mean_tokens":true,"include_prompt":false}"#.into(),
            "include_prompt",
        ),
        ("2_Dense/config.json", dense("Identity", "SiLU"), "SiLU"),
        (
            "2_Dense/config.json",
            dense(
                "\"bias\"",
                "\"module_input_name\":\"token_embeddings\",\"bias\"",
            ),
            "token_embeddings",
        ),
        (
            "2_Dense/config.json",
            dense("out_features", "out"),
            "out_features",
        ),
    ] {
        let dir = dir(&[(file, &text)]);
        let error = SentenceConfig::from_dir(dir.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains(word) && error.contains(file), "{error}");
    }
}

#[test]
fn a_score_of_one_token_is_refused() {
    let chain = modules(&[("", "Transformer"), ("1_LogitScore", "LogitScore")]);
    let dir = dir(&[
        ("modules.json", &chain),
        (
            "1_LogitScore/config.json",
            r#"{"true_token_id":7,"false_token_id":null}"#,
        ),
    ]);
    let error = SentenceConfig::from_dir(dir.path())
        .unwrap_err()
        .to_string();
    assert!(error.contains("false_token_id"), "{error}");
}
