//! Schemas as people write them, and schemas that are as hard to compile as their limits allow.

use serde_json::{Map, Value, json};

/// What a schema may have at most is a little more, in compact JSON.
const MAX_BYTES: usize = 250_000;

/// A schema of about so many bytes, as an application might have it.
pub fn ordinary(number: usize, bytes: usize) -> Value {
    let mut definitions = Map::new();
    let mut properties = Map::new();
    for entity in 0.. {
        let name = format!("entity_{number}_{entity}");
        let schema = json!({
            "type": "object", "additionalProperties": false,
            "description": format!("Part {entity} of an application for a permit."),
            "properties": {
                "kind": {"enum": ["person", "company", format!("office {entity}")]},
                "name": {"type": "string", "minLength": 1, "maxLength": 80},
                "reference": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4,8}$"},
                "received": {"type": "string", "format": "date"},
                "amount": {"type": "number", "minimum": 0, "maximum": 100_000},
                "pages": {"type": "array", "maxItems": 20, "items": {"type": "integer", "minimum": 1}},
                "contact": {"anyOf": [
                    {"type": "null"},
                    {"type": "object", "additionalProperties": false, "required": ["street"],
                     "properties": {"street": {"type": "string"}, "town": {"type": "string"}}}
                ]}
            },
            "required": ["kind", "name", "received"]
        });
        definitions.insert(name.clone(), schema);
        properties.insert(name.clone(), json!({"$ref": format!("#/$defs/{name}")}));
        let schema = json!({
            "type": "object", "properties": properties, "additionalProperties": false, "$defs": definitions
        });
        if schema.to_string().len() >= bytes {
            return schema;
        }
    }
    unreachable!("there are entities enough")
}

/// Each of another kind than the ones before and after it, and none like another.
pub fn hard(number: usize) -> Value {
    const KINDS: [fn(usize) -> Value; 22] = [
        nested,
        listed,
        multiplied,
        repeated,
        optional,
        long,
        recursive,
        multiples,
        unlisted,
        overlapping,
        unevaluated,
        unique,
        conditions,
        named,
        intersected,
        ordinary_of_most,
        contained,
        evaluated_within,
        long_refused,
        apart,
        numbers_refused,
        followed,
    ];
    let schema = KINDS[number % KINDS.len()](number / KINDS.len() + 1);
    // None is found compiled.
    json!({"title": format!("hard {number}"), "allOf": [schema]})
}

fn words(count: usize, of: usize) -> Vec<String> {
    (0..count)
        .map(|n| format!("{:06x} {of}", n.wrapping_mul(0x9e37_79b1) & 0x00ff_ffff))
        .collect()
}

fn nested(n: usize) -> Value {
    let innermost = json!({"type": "string", "maxLength": n});
    // As deep as a request may be.
    (0..33).fold(innermost, |inner, depth| match depth % 3 {
        0 => json!({"type": "object", "properties": {"a": inner, "b": {"minimum": n}}}),
        1 => json!({"type": "array", "items": inner}),
        _ => json!({"anyOf": [inner, {"type": "null"}]}),
    })
}

fn listed(n: usize) -> Value {
    json!({ "enum": words(MAX_BYTES / 16, n) })
}

fn multiplied(n: usize) -> Value {
    let any = |part: usize| -> Value {
        let members =
            (0..4).map(|m| json!({"properties": {format!("{part} {m} {n}"): {"const": m}}}));
        json!({"anyOf": members.collect::<Vec<_>>()})
    };
    json!({"allOf": (0..4 + n).map(any).collect::<Vec<_>>()})
}

fn repeated(n: usize) -> Value {
    let pattern = format!("^(?:(?:a|b)*a(?:a|b){{{}}})+(?:\\w+\\s?)*$", 10 + n);
    json!({"type": "string", "pattern": pattern, "maxLength": 5000})
}

fn optional(n: usize) -> Value {
    let properties: Map<String, Value> = words(1000, n)
        .into_iter()
        .map(|name| (name, json!({"type": ["string", "integer", "null"]})))
        .collect();
    json!({"type": "object", "properties": properties, "additionalProperties": {"type": "boolean"}})
}

fn long(n: usize) -> Value {
    let texts = (0..20)
        .map(|m| json!({"type": "string", "minLength": 30_000 + n, "maxLength": 65_536 - m}));
    json!({"type": "array", "prefixItems": texts.collect::<Vec<_>>(), "minItems": 65_000, "maxItems": 65_536})
}

fn recursive(n: usize) -> Value {
    let node = |m: usize| {
        let next = format!("#/allOf/0/$defs/{}", (m * 7 + n) % 300);
        json!({"type": "object", "properties": {"a": {"$ref": next}, "b": {"items": {"$ref": "#/allOf/0/$defs/0"}}}})
    };
    let definitions: Map<String, Value> = (0..300).map(|m| (m.to_string(), node(m))).collect();
    json!({"$ref": "#/allOf/0/$defs/1", "$defs": definitions})
}

fn multiples(n: usize) -> Value {
    let all = [255, 254, 253, 251].map(|divisor| json!({ "multipleOf": divisor - n % 3 }));
    json!({"type": "integer", "minimum": -1_000_000, "maximum": 1_000_000, "allOf": all})
}

fn unlisted(n: usize) -> Value {
    json!({"type": "string", "not": {"enum": words(4000, n)}})
}

fn overlapping(n: usize) -> Value {
    let member = |m: usize| {
        json!({"type": "object", "required": [format!("a{m}")], "properties": {
            format!("a{m}"): {"type": "string", "maxLength": n + m}, "b": {"minimum": m}, "c": {"maxItems": m}
        }})
    };
    json!({"oneOf": (0..8).map(member).collect::<Vec<_>>()})
}

fn unevaluated(n: usize) -> Value {
    let any = (0..6).map(
        |m| json!({"properties": {format!("{m} {n}"): {"type": "string"}, "x": {"minLength": m}}}),
    );
    json!({"type": "object", "anyOf": any.collect::<Vec<_>>(), "unevaluatedProperties": {"type": "null"}})
}

fn unique(n: usize) -> Value {
    let items =
        json!({"type": "array", "uniqueItems": true, "items": {"enum": [1, 2, 3, 4, n + 4]}});
    json!({"type": "array", "items": {"anyOf": vec![items; 12]}, "minItems": 3})
}

fn conditions(n: usize) -> Value {
    (0..40).fold(json!({"const": n}), |inner, m| {
        json!({
            "if": {"properties": {"kind": {"const": m}}, "required": ["kind"]},
            "then": {"properties": {"a": {"maxLength": m}}}, "else": inner
        })
    })
}

fn named(n: usize) -> Value {
    let patterns: Map<String, Value> = (0..16)
        .map(|m| {
            (
                format!("^{m:02}(?:x|y)*x(?:x|y){{{n}}}$"),
                json!({ "maxLength": m }),
            )
        })
        .collect();
    json!({"type": "object", "patternProperties": patterns, "propertyNames": {"maxLength": 500}})
}

fn intersected(n: usize) -> Value {
    let part = |m: usize| {
        let properties: Map<String, Value> = (0..100)
            .map(|p| {
                (
                    format!("p{p}"),
                    json!({"anyOf": [{"maxLength": m}, {"minimum": n}]}),
                )
            })
            .collect();
        json!({ "properties": properties })
    };
    json!({"allOf": (0..30).map(part).collect::<Vec<_>>()})
}

/// Every other one within the bounds, as of those below.
fn contained(n: usize) -> Value {
    let (levels, min, max) = if n.is_multiple_of(2) {
        (2, 2, 8)
    } else {
        (12, 5, 10)
    };
    (0..levels).fold(
        json!({ "const": n }),
        |inner, _| json!({"contains": inner, "minContains": min, "maxItems": max}),
    )
}

fn evaluated_within(n: usize) -> Value {
    let levels = if n.is_multiple_of(2) { 2 } else { 10 };
    (0..levels).fold(json!({ "minimum": n }), |inner, _| {
        let mut all = vec![json!({"anyOf": [{"properties": {"x": inner}}]})];
        all.extend((1..6).map(|m| json!({"anyOf": [{"properties": {format!("b{m}"): true}}]})));
        json!({"allOf": all, "unevaluatedProperties": false})
    })
}

fn long_refused(n: usize) -> Value {
    let len = if n.is_multiple_of(2) {
        190
    } else {
        MAX_BYTES - 5000
    };
    json!({"type": "string", "not": {"const": "a".repeat(len + n % 10)}})
}

fn apart(n: usize) -> Value {
    let num_members = if n.is_multiple_of(2) { 2 } else { 256 };
    let members: Vec<Value> = (0..num_members)
        .map(|m| json!({"$ref": format!("#/allOf/0/$defs/{}", m % 2)}))
        .collect();
    let listed = |from: usize| json!({"enum": (from..from + 15_000).collect::<Vec<_>>()});
    json!({"oneOf": members, "$defs": {"0": listed(n), "1": listed(n + 15_000)}})
}

fn numbers_refused(n: usize) -> Value {
    let count = if n.is_multiple_of(2) { 1000 } else { 35_000 };
    json!({"not": {"enum": (n..n + count).collect::<Vec<_>>()}})
}

/// References that lead back, where what was evaluated is asked for.
fn followed(n: usize) -> Value {
    let mut any = vec![json!({"maxLength": n})];
    if !n.is_multiple_of(2) {
        any.push(
            json!({"$ref": "#/allOf/0", "properties": {"b": true}, "unevaluatedProperties": false}),
        );
    }
    json!({"anyOf": any, "properties": {"a": {"$ref": "#/allOf/0"}}, "unevaluatedProperties": false})
}

fn ordinary_of_most(n: usize) -> Value {
    let mut schema = ordinary(n, MAX_BYTES - 2000);
    // References lead to where it stands.
    let text = schema.to_string().replace("#/$defs/", "#/allOf/0/$defs/");
    if let Ok(moved) = serde_json::from_str(&text) {
        schema = moved;
    }
    schema
}
