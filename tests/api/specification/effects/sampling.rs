//! What changes how a token is drawn, for the endpoints that generate.

use super::{Effect, Shows, chat, completions, responses, with};
use serde_json::{Value, json};

pub fn effects() -> Vec<Effect> {
    let everywhere: [(&'static str, [Value; 2]); 6] = [
        ("temperature", [json!(0.5), json!(1.5)]),
        ("top_p", [json!(0.5), json!(0.75)]),
        ("seed", [json!(2), json!(3)]),
        ("top_k", [json!(2), json!(3)]),
        ("min_p", [json!(0.25), json!(0.5)]),
        ("repetition_penalty", [json!(1.25), json!(1.5)]),
    ];
    let unless_responses: [(&'static str, [Value; 2]); 3] = [
        ("frequency_penalty", [json!(1), json!(2)]),
        ("presence_penalty", [json!(1), json!(2)]),
        ("logit_bias", [json!({"98": -100}), json!({"99": -100})]),
    ];
    let mut effects = Vec::new();
    for (route, base) in [
        (chat::ROUTE, chat::chat()),
        (completions::ROUTE, completions::completion()),
        (responses::ROUTE, responses::response()),
    ] {
        let few = everywhere.iter();
        let more = unless_responses
            .iter()
            .filter(|_| route != responses::ROUTE);
        for (name, values) in few.chain(more) {
            effects.push(Effect {
                table: route,
                name,
                route,
                says: "abc",
                bodies: values
                    .clone()
                    .map(|value| with(&base, &json!({*name: value}))),
                shows: Shows::Sampling,
            });
        }
    }
    effects
}
