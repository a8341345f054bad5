//! Encoders whose weights, tokenizer or files of sentence-transformers cannot be used.

use super::damage::{Damage, bert, reranker};
use super::edit::{config, header, json, remove, write};
use serde_json::json;

const FILE: &str = "model.safetensors";

pub fn damages() -> Vec<Damage> {
    let mut damages = models();
    damages.extend(sentences());
    damages
}

fn models() -> Vec<Damage> {
    vec![
        bert(
            "an encoder's tensor is transposed",
            "intermediate.dense.weight has shape [48, 80]",
            |dir| {
                header(dir, FILE, |header| {
                    header["encoder.layer.1.intermediate.dense.weight"]["shape"] = json!([48, 80]);
                })
            },
        ),
        bert(
            "an encoder lacks a layer",
            "the tensor encoder.layer.3.",
            |dir| config(dir, "num_hidden_layers", json!(4)),
        ),
        bert(
            "an encoder has a layer too many",
            "no place in the model that config.json describes",
            |dir| config(dir, "num_hidden_layers", json!(2)),
        ),
        bert(
            "an encoder has fewer positions",
            "position_embeddings.weight has shape [512, 48]",
            |dir| config(dir, "max_position_embeddings", json!(128)),
        ),
        bert(
            "an encoder's activation is unknown",
            "`hidden_act` is swoosh",
            |dir| config(dir, "hidden_act", json!("swoosh")),
        ),
        bert("an encoder's heads do not divide", "multiple", |dir| {
            config(dir, "num_attention_heads", json!(5))
        }),
        bert(
            "an encoder knows no type of text",
            "`type_vocab_size` is 0",
            |dir| config(dir, "type_vocab_size", json!(0)),
        ),
        bert(
            "an encoder's positions are relative",
            "relative_key",
            |dir| config(dir, "position_embedding_type", json!("relative_key")),
        ),
        bert(
            "an encoder's tokenizer has more tokens",
            "they belong to different models",
            |dir| {
                json(dir, "tokenizer.json", |tokenizer| {
                    tokenizer["model"]["vocab"]["Behörde"] = json!(279);
                })
            },
        ),
        bert(
            "an encoder lacks its word embeddings",
            "word_embeddings",
            |dir| {
                header(dir, FILE, |header| {
                    let entry = header.remove("embeddings.word_embeddings.weight").unwrap();
                    header.insert("embeddings.words.weight".to_owned(), entry);
                })
            },
        ),
        reranker(
            "a reranker has another number of labels",
            "the tensor classifier.out_proj.",
            |dir| config(dir, "id2label", json!({"0": "no", "1": "yes"})),
        ),
        reranker("a reranker has absurdly many labels", "num_labels", |dir| {
            config(dir, "num_labels", json!(1_000_000_000))
        }),
        reranker(
            "a reranker's tokenizer is missing",
            "tokenizer.json: is missing",
            |dir| remove(dir, "tokenizer.json"),
        ),
    ]
}

fn sentences() -> Vec<Damage> {
    vec![
        bert(
            "a module is unknown",
            "the module LSTM is not supported",
            |dir| {
                json(dir, "modules.json", |modules| {
                    modules[2]["type"] = json!("sentence_transformers.models.LSTM");
                })
            },
        ),
        bert(
            "modules.json is an object",
            "modules.json: is JSON, but not a JSON array",
            |dir| write(dir, "modules.json", "{}"),
        ),
        bert(
            "a module has no type",
            "modules.json: missing field `type`",
            |dir| {
                json(dir, "modules.json", |modules| {
                    modules[1].as_object_mut().unwrap().remove("type");
                })
            },
        ),
        bert(
            "a module lies elsewhere",
            "`../1_Pooling` is not a plain folder name",
            |dir| {
                json(dir, "modules.json", |modules| {
                    modules[1]["path"] = json!("../1_Pooling")
                })
            },
        ),
        bert(
            "the pooling is missing",
            "1_Pooling/config.json: is missing",
            |dir| remove(dir, "1_Pooling/config.json"),
        ),
        bert("the pooling is no JSON", "1_Pooling/config.json: ", |dir| {
            write(dir, "1_Pooling/config.json", "mean")
        }),
        bert(
            "two poolings are on",
            "several pooling modes together",
            |dir| {
                json(dir, "1_Pooling/config.json", |pooling| {
                    pooling["pooling_mode_cls_token"] = json!(true);
                })
            },
        ),
        bert("the pooling is unknown", "max_tokens", |dir| {
            write(
                dir,
                "1_Pooling/config.json",
                "{\"pooling_mode_max_tokens\": true}",
            )
        }),
        bert(
            "the default prompt is unknown",
            "`default_prompt_name` is passage",
            |dir| {
                json(dir, "config_sentence_transformers.json", |config| {
                    config["default_prompt_name"] = json!("passage");
                })
            },
        ),
        bert(
            "a prompt is a number",
            "config_sentence_transformers.json: ",
            |dir| {
                json(dir, "config_sentence_transformers.json", |config| {
                    config["prompts"]["query"] = json!(7);
                })
            },
        ),
        bert(
            "the longest text is negative",
            "sentence_bert_config.json: ",
            |dir| {
                json(dir, "sentence_bert_config.json", |config| {
                    config["max_seq_length"] = json!(-1)
                })
            },
        ),
    ]
}
