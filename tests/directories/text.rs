//! Tokenizers, chat templates and defaults that cannot be used.

use super::damage::{Damage, llama, sharded};
use super::edit::{config, json, write};
use serde_json::{Value, json};
use std::path::Path;

const TOKENIZER: &str = "tokenizer.json";
const GENERATION: &str = "generation_config.json";

pub fn damages() -> Vec<Damage> {
    let mut damages = tokenizers();
    damages.extend(templates());
    damages.extend(defaults());
    damages
}

fn tokenizers() -> Vec<Damage> {
    vec![
        llama(
            "tokenizer.json is no JSON",
            "tokenizer.json: is not valid JSON",
            |dir| write(dir, TOKENIZER, "{'model': }"),
        ),
        llama(
            "the tokenizer's model is unknown",
            "its model is Morse; known are BPE",
            |dir| {
                json(dir, TOKENIZER, |tokenizer| {
                    tokenizer["model"]["type"] = json!("Morse")
                })
            },
        ),
        llama("the tokenizer has no model", "it has no `model`", |dir| {
            json(dir, TOKENIZER, |tokenizer| {
                tokenizer.as_object_mut().unwrap().remove("model");
            })
        }),
        llama(
            "a merge is of unknown tokens",
            "tokenizer.json: is not a tokenizer",
            |dir| {
                json(dir, TOKENIZER, |tokenizer| {
                    tokenizer["model"]["merges"] = json!([["zz", "yy"]])
                })
            },
        ),
        llama(
            "the tokenizer's vocabulary is a text",
            "tokenizer.json: is not a tokenizer",
            |dir| {
                json(dir, TOKENIZER, |tokenizer| {
                    tokenizer["model"]["vocab"] = json!("abc")
                })
            },
        ),
        llama(
            "the tokenizer's vocabulary is empty",
            "tokenizer.json: ",
            |dir| {
                json(dir, TOKENIZER, |tokenizer| {
                    tokenizer["model"]["vocab"] = json!({});
                })
            },
        ),
        llama(
            "the tokenizer splits by no expression",
            "tokenizer.json: ",
            |dir| {
                json(dir, TOKENIZER, |tokenizer| {
                    tokenizer["pre_tokenizer"] = json!({"type": "Split", "pattern": {"Regex": "(?<"},
                    "behavior": "Isolated", "invert": false});
                })
            },
        ),
        llama(
            "the tokenizer has more tokens",
            "they belong to different models",
            |dir| {
                json(dir, TOKENIZER, |tokenizer| {
                    tokenizer["model"]["vocab"]["Bundesverwaltungsamt"] = json!(320);
                })
            },
        ),
        llama("an added token has no id", "added_tokens_decoder", |dir| {
            json(dir, "tokenizer_config.json", |config| {
                config["added_tokens_decoder"] = json!({"first": {"content": "x"}});
            })
        }),
        llama(
            "tokenizer_config.json is a list",
            "tokenizer_config.json: is JSON, but not",
            |dir| write(dir, "tokenizer_config.json", "[]"),
        ),
        llama(
            "special_tokens_map.json is cut off",
            "special_tokens_map.json: is not valid JSON",
            |dir| write(dir, "special_tokens_map.json", "{\"bos_token\": "),
        ),
    ]
}

fn templates() -> Vec<Damage> {
    vec![
        sharded(
            "the template cannot be parsed",
            "chat_template.jinja: the chat template is invalid",
            |dir| template(dir, "{% for message in messages %}{{ message.content }}"),
        ),
        sharded(
            "the template has an unknown tag",
            "the chat template is invalid",
            |dir| template(dir, "{% frobnicate %}{{ messages[0].content }}"),
        ),
        sharded("the template loops without end", "ran too long", |dir| {
            template(
                dir,
                "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            )
        }),
        sharded(
            "a macro calls itself",
            "the chat template cannot write",
            |dir| {
                template(
                    dir,
                    "{% macro more() %}{{ more() }}{{ more() }}{% endmacro %}{{ more() }}",
                )
            },
        ),
        sharded(
            "a recursive loop does not end",
            "the chat template cannot write",
            |dir| {
                template(
                    dir,
                    "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}",
                )
            },
        ),
        sharded(
            "the template includes itself",
            "the chat template cannot write",
            |dir| template(dir, "{% include 'chat template' %}"),
        ),
        sharded(
            "the template includes a file",
            "the chat template cannot write",
            |dir| template(dir, "{% include '/etc/passwd' %}{{ messages[0].content }}"),
        ),
        sharded(
            "the template imports itself",
            "the chat template cannot write",
            |dir| {
                template(
                    dir,
                    "{% import 'chat template' as t %}{{ messages[0].content }}",
                )
            },
        ),
        sharded(
            "the template extends itself",
            "the chat template cannot write",
            |dir| template(dir, "{% extends 'chat template' %}"),
        ),
        sharded(
            "the template refuses everything",
            "only on Sundays, please",
            |dir| template(dir, "{{ raise_exception('only on Sundays,\\nplease') }}"),
        ),
        sharded(
            "the template writes 100 MB",
            "far more than these messages hold",
            |dir| {
                template(
                    dir,
                    "{% for n in range(1000) %}{{ 'x' * 100000 }}{% endfor %}",
                )
            },
        ),
        sharded(
            "the template writes 4 MB of one word",
            "bytes of one word",
            |dir| {
                template(
                    dir,
                    "{{ messages[0].content }}{% for n in range(40) %}{{ 'x' * 100000 }}{% endfor %}",
                )
            },
        ),
        sharded(
            "the template multiplies a text without end",
            "the chat template cannot write",
            |dir| template(dir, "{{ 'x' * 99999999999999 }}"),
        ),
        sharded("the template uses an unknown filter", "frobnicate", |dir| {
            template(dir, "{{ messages[0].content | frobnicate }}")
        }),
        sharded(
            "the template leaves the user out",
            "leaves out what a user's message says",
            |dir| template(dir, "{{ '<|im_start|>assistant' }}"),
        ),
        sharded("the template is longer than any", "is longer than", |dir| {
            template(dir, &"{{ '' }}".repeat(100_000))
        }),
        sharded(
            "the template is not UTF-8",
            "chat_template.jinja: is not UTF-8",
            |dir| write(dir, "chat_template.jinja", b"{{ '\xff' }}"),
        ),
        llama(
            "the template is a number",
            "chat_template is neither a string nor",
            |dir| configured(dir, json!(7)),
        ),
        llama(
            "no template is the default",
            "names no template \"default\"",
            |dir| configured(dir, json!([{"name": "rag", "template": "{{ messages }}"}])),
        ),
        llama(
            "a named template has no text",
            "an entry without a name and a template",
            |dir| configured(dir, json!([{"name": "default"}])),
        ),
        llama("a template is nested without end", "chat template", |dir| {
            let deep = format!("{{{{ {}1{} }}}}", "(".repeat(30_000), ")".repeat(30_000));
            configured(dir, json!(deep))
        }),
    ]
}

fn defaults() -> Vec<Damage> {
    vec![
        llama(
            "no token ends an answer that there is",
            "eos_token_id must be below 320",
            |dir| config(dir, "eos_token_id", json!(100_000)),
        ),
        llama(
            "a token that ends answers is out of range",
            "generation_config.json: eos_token_id must be below 320",
            |dir| {
                json(dir, GENERATION, |config| {
                    config["eos_token_id"] = json!([2, 320])
                })
            },
        ),
        llama(
            "the token that ends answers is a text",
            "eos_token_id must be a token id",
            |dir| {
                json(dir, GENERATION, |config| {
                    config["eos_token_id"] = json!("</s>")
                })
            },
        ),
        llama(
            "the token that ends answers is negative",
            "eos_token_id must be a token id",
            |dir| config(dir, "eos_token_id", json!(-2)),
        ),
        llama(
            "generation_config.json is no JSON",
            "generation_config.json: is not valid JSON",
            |dir| write(dir, GENERATION, "temperature = 1"),
        ),
        llama(
            "the temperature is out of range",
            "temperature must be",
            |dir| json(dir, GENERATION, |config| config["temperature"] = json!(1e9)),
        ),
        llama("top_p is a text", "top_p must be", |dir| {
            json(dir, GENERATION, |config| config["top_p"] = json!("most"))
        }),
    ]
}

fn template(dir: &Path, text: &str) -> Option<()> {
    write(dir, "chat_template.jinja", text)
}

fn configured(dir: &Path, template: Value) -> Option<()> {
    json(dir, "tokenizer_config.json", |config| {
        config["chat_template"] = template
    })
}
