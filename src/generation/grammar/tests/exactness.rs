//! Where the library takes a schema for another, schemas are written so that it does not.

use super::schemas::check;
use super::{accepts, grammars, id};
use crate::generation::{Format, FormatError};
use serde_json::json;
use std::future::ready;

/// The library writes what a class holds in JSON's way, escapes and all.
#[tokio::test]
async fn a_class_of_characters_holds_no_others() {
    check(&[
        (
            json!({"type": "string", "pattern": "^[^\"]$"}),
            &[r#""a""#, r#""\\""#, r#""\n""#, r#""ä""#],
            &[r#""\"""#, r#""""#],
        ),
        (
            json!({"type": "string", "pattern": r"^[^\\]$"}),
            &[r#""a""#, r#""\"""#, r#""\t""#],
            &[r#""\\""#],
        ),
        (
            json!({"type": "string", "pattern": r"^[\x00-\x1f]$"}),
            &[r#""\n""#, r#""\b""#],
            &[r#""\"""#, r#""\\""#, r#""a""#],
        ),
        (
            json!({"type": "string", "pattern": r#"^(?:[^"\n])$"#}),
            &[r#""a""#, r#""\t""#],
            &[r#""\"""#, r#""\n""#],
        ),
        (
            json!({"type": "object", "patternProperties": {r#"^[^"\\]+$"#: {"type": "null"}}, "additionalProperties": false}),
            &[r#"{"a b": null}"#],
            &[r#"{"a\"": null}"#, r#"{"\\": null}"#],
        ),
    ])
    .await;
}

/// Every pair of bounds, against numbers around them in all their spellings.
#[tokio::test]
async fn bounds_are_kept_to_or_refused() {
    let grammars = grammars(&[id("<|im_end|>")]);
    let bounds = [-1.5, -1.0, -0.25, 0.0, 0.25, 1.0, 1.5];
    let numbers: Vec<f64> = (-16..=16).map(|eighths| f64::from(eighths) / 8.0).collect();
    let spellings = |number: f64| {
        let digits = (0..5).map(move |digits| format!("{number:.digits$}"));
        let of_it = move |text: &String| text.parse() == Ok(number);
        digits.filter(of_it).chain(
            [format!("{number}e0"), format!("-{number}")]
                .into_iter()
                .filter(of_it),
        )
    };
    let mut num_refused = 0;
    for lower in bounds {
        for upper in bounds {
            for (least, most) in [
                ("minimum", "maximum"),
                ("minimum", "exclusiveMaximum"),
                ("exclusiveMinimum", "maximum"),
                ("exclusiveMinimum", "exclusiveMaximum"),
            ] {
                let schema = json!({"type": ["number", "null"], least: lower, most: upper});
                let compiled = grammars
                    .compile(Format::JsonSchema(schema.clone()), ready(()))
                    .await;
                let grammar = match compiled {
                    Ok(grammar) => grammar,
                    Err(FormatError::Schema { .. }) => {
                        num_refused += 1;
                        continue;
                    }
                    Err(error) => panic!("{schema}: {error}"),
                };
                for number in &numbers {
                    let is_above = *number > lower || *number == lower && least == "minimum";
                    let is_below = *number < upper || *number == upper && most == "maximum";
                    let taken = spellings(*number).find(|text| accepts(&grammar, text));
                    // One spelling is enough: others are refused for their zeros.
                    assert_eq!(
                        taken.is_some(),
                        is_above && is_below,
                        "{schema}: {number}, {taken:?}"
                    );
                }
            }
        }
    }
    assert_eq!(num_refused, 8);
}
