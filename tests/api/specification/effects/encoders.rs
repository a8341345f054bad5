//! Embeddings, rerankings and tokens.

use super::{Effect, Shows, with};
use crate::scripted::MODEL;
use crate::specification::places::DOCUMENT;
use crate::specification::server::{EMBEDDER, OTHER, RANKER, WITH_BOS};
use serde_json::{Value, json};

/// Two values of a parameter of the endpoint, whose route is the title of its table.
fn of(
    route: &'static str,
    base: &Value,
    name: &'static str,
    values: [Value; 2],
    place: &'static str,
) -> Effect {
    Effect {
        table: route,
        name,
        route,
        says: "abc",
        bodies: values.map(|value| with(base, &json!({name: value}))),
        shows: Shows::Answer(place),
    }
}

pub fn effects() -> Vec<Effect> {
    let mut effects = Vec::new();
    let texts = || [json!("la mairie"), json!("le délai")];

    let route = "/v1/embeddings";
    let base = json!({"model": EMBEDDER, "input": "la mairie"});
    let vector = "/data/0/embedding";
    effects.extend([
        of(
            route,
            &base,
            "model",
            [EMBEDDER.into(), OTHER.into()],
            "/model",
        ),
        of(route, &base, "input", texts(), vector),
        of(
            route,
            &base,
            "encoding_format",
            ["float".into(), "base64".into()],
            vector,
        ),
        of(route, &base, "dimensions", [24.into(), 48.into()], vector),
        of(
            route,
            &base,
            "input_type",
            ["query".into(), "passage".into()],
            vector,
        ),
    ]);

    let route = "/v1/rerank";
    let long = "Votre demande d'allocation a été reçue. ".repeat(3);
    let base = json!({"model": RANKER, "query": "la mairie", "documents": ["un", long]});
    let documents = [json!(["un"]), json!(["deux"])];
    effects.extend([
        of(
            route,
            &base,
            "model",
            [RANKER.into(), "other-ranker".into()],
            "/model",
        ),
        of(route, &base, "query", texts(), "/results/0/relevance_score"),
        of(
            route,
            &base,
            "documents",
            documents.clone(),
            "/results/0/relevance_score",
        ),
        Effect {
            table: DOCUMENT,
            name: "text",
            ..of(
                route,
                &base,
                "documents",
                [json!([{"text": "un"}]), json!([{"text": "deux"}])],
                "/results/0/relevance_score",
            )
        },
        of(route, &base, "top_n", [1.into(), 2.into()], "/results"),
        of(
            route,
            &base,
            "return_documents",
            [false.into(), true.into()],
            "/results/0/document",
        ),
        of(
            route,
            &base,
            "max_tokens_per_doc",
            [4.into(), 8.into()],
            "/results",
        ),
    ]);

    let route = "/rerank";
    let base = json!({"model": RANKER, "query": "la mairie", "texts": ["un"]});
    let score = "/0/score";
    let too_long = "Votre demande d'allocation a été reçue. Où est-elle ? ".repeat(60);
    let cut = with(&base, &json!({"texts": [too_long], "truncate": true}));
    effects.extend([
        Effect {
            shows: Shows::Refusal("model"),
            ..of(
                route,
                &base,
                "model",
                [RANKER.into(), EMBEDDER.into()],
                score,
            )
        },
        of(route, &base, "query", texts(), score),
        of(route, &base, "texts", documents, score),
        of(
            route,
            &base,
            "raw_scores",
            [false.into(), true.into()],
            score,
        ),
        of(
            route,
            &base,
            "return_text",
            [false.into(), true.into()],
            "/0/text",
        ),
        Effect {
            shows: Shows::Refusal("texts"),
            ..of(route, &cut, "truncate", [true.into(), false.into()], score)
        },
        of(
            route,
            &cut,
            "truncation_direction",
            ["Right".into(), "Left".into()],
            score,
        ),
    ]);

    let route = "/tokenize";
    let base = json!({"model": MODEL, "prompt": "<think>"});
    let bos = with(&base, &json!({"model": WITH_BOS}));
    effects.extend([
        of(
            route,
            &base,
            "model",
            [MODEL.into(), OTHER.into()],
            "/tokens",
        ),
        of(route, &base, "prompt", texts(), "/tokens"),
        of(
            route,
            &bos,
            "add_special_tokens",
            [true.into(), false.into()],
            "/tokens",
        ),
        of(
            route,
            &base,
            "return_token_strs",
            [false.into(), true.into()],
            "/token_strs",
        ),
    ]);

    let route = "/detokenize";
    let base = json!({"model": MODEL, "tokens": [258]});
    effects.extend([
        Effect {
            shows: Shows::Refusal("tokens[0]"),
            ..of(
                route,
                &base,
                "model",
                [MODEL.into(), OTHER.into()],
                "/prompt",
            )
        },
        of(
            route,
            &base,
            "tokens",
            [json!([97]), json!([98])],
            "/prompt",
        ),
    ]);
    effects
}
