//! Wrong requests about sampling, log-probabilities, echo and tiers; a part of the table of
//! `bad_requests`.

use crate::bad_requests::{Case, chat, completion};
use serde_json::{Map, Value, json};

pub fn cases() -> Vec<Case> {
    [sampling(), logit_bias(), stopping(), logprobs()]
        .into_iter()
        .flatten()
        .collect()
}

fn sampling() -> Vec<Case> {
    let mut cases = Vec::new();
    for name in ["frequency_penalty", "presence_penalty"] {
        for value in [json!(-2.1), json!(2.1), json!("0"), json!([])] {
            cases.push(chat(json!({name: value}), name, "a number from -2 to 2"));
        }
    }
    for value in [json!(0), json!(-1), json!(2.5), json!(true)] {
        cases.push(completion(
            json!({"repetition_penalty": value}),
            "repetition_penalty",
            "a number from 0.01 to 2",
        ));
    }
    for value in [json!(-0.1), json!(1.1), json!("p")] {
        cases.push(chat(
            json!({"min_p": value}),
            "min_p",
            "a number from 0 to 1",
        ));
    }
    for value in [json!(-2), json!(1.5), json!("40"), json!(1u64 << 40)] {
        cases.push(chat(
            json!({"top_k": value}),
            "top_k",
            "an integer from -1 to",
        ));
    }
    for value in [json!("fastest"), json!("Flex")] {
        cases.push(chat(
            json!({"service_tier": value}),
            "service_tier",
            "`auto`, `default`, `flex`",
        ));
    }
    cases.push(completion(
        json!({"service_tier": 1}),
        "service_tier",
        "must be a string",
    ));
    cases
}

fn logit_bias() -> Vec<Case> {
    let many: Map<String, Value> = (0..301).map(|id| (id.to_string(), json!(1))).collect();
    vec![
        chat(
            json!({"logit_bias": [1]}),
            "logit_bias",
            "must be an object",
        ),
        chat(
            json!({"logit_bias": many}),
            "logit_bias",
            "at most 300 token ids, but holds 301",
        ),
        chat(
            json!({"logit_bias": {"258": 1}}),
            "logit_bias.258",
            "a token id below 258",
        ),
        chat(
            json!({"logit_bias": {"-1": 1}}),
            "logit_bias.-1",
            "a token id",
        ),
        chat(
            json!({"logit_bias": {"007": 1}}),
            "logit_bias.007",
            "a token id",
        ),
        chat(
            json!({"logit_bias": {"hello": 1}}),
            "logit_bias.hello",
            "a token id",
        ),
        completion(
            json!({"logit_bias": {"7": 101}}),
            "logit_bias.7",
            "from -100 to 100, but is 101",
        ),
        completion(
            json!({"logit_bias": {"7": -100.5}}),
            "logit_bias.7",
            "from -100 to 100",
        ),
        completion(
            json!({"logit_bias": {"7": null}}),
            "logit_bias.7",
            "but is null",
        ),
    ]
}

fn stopping() -> Vec<Case> {
    vec![
        chat(json!({"min_tokens": -1}), "min_tokens", "from 0 to"),
        chat(
            json!({"min_tokens": 5, "max_tokens": 4}),
            "min_tokens",
            "at most the maximum of 4 tokens, but is 5",
        ),
        // Completions have a maximum that is not said.
        completion(
            json!({"min_tokens": 17}),
            "min_tokens",
            "the maximum of 16 tokens",
        ),
        chat(json!({"min_tokens": 5000}), "messages", "5000 more"),
        chat(json!({"ignore_eos": 1}), "ignore_eos", "true or false"),
        chat(
            json!({"stop_token_ids": 2}),
            "stop_token_ids",
            "an array of token ids",
        ),
        chat(
            json!({"stop_token_ids": [2, 258]}),
            "stop_token_ids[1]",
            "from 0 to 257",
        ),
        chat(
            json!({"stop_token_ids": vec![1; 129]}),
            "stop_token_ids",
            "1 to 128 token ids",
        ),
    ]
}

fn logprobs() -> Vec<Case> {
    vec![
        chat(json!({"logprobs": 2}), "logprobs", "true or false"),
        chat(
            json!({"logprobs": true, "top_logprobs": 21}),
            "top_logprobs",
            "from 0 to 20",
        ),
        chat(
            json!({"logprobs": true, "top_logprobs": -1}),
            "top_logprobs",
            "from 0 to 20",
        ),
        chat(
            json!({"top_logprobs": 2}),
            "top_logprobs",
            "unless `logprobs` is true",
        ),
        chat(
            json!({"logprobs": false, "top_logprobs": 2}),
            "top_logprobs",
            "unless `logprobs` is true",
        ),
        chat(json!({"echo": true}), "echo", "not a known parameter"),
        completion(json!({"logprobs": 21}), "logprobs", "from 0 to 20"),
        completion(json!({"logprobs": true}), "logprobs", "from 0 to 20"),
        completion(
            json!({"top_logprobs": 1}),
            "top_logprobs",
            "not a known parameter",
        ),
        completion(json!({"echo": "yes"}), "echo", "true or false"),
        completion(json!({"max_tokens": 0}), "max_tokens", "from 1 to"),
        completion(
            json!({"max_tokens": 0, "echo": false}),
            "max_tokens",
            "from 1 to",
        ),
        completion(json!({"best_of": 2}), "best_of", "send 1"),
    ]
}
