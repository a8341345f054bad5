use serde_json::{Map, Value};
use std::rc::Rc;

/// From it on whole numbers are not told apart.
const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;

/// Whether a bound can be told apart from its neighbours.
pub fn is_exact(number: &Value) -> bool {
    number.as_f64().is_some_and(|n| n.abs() < EXACT_BELOW)
}

/// Whether every number in it can be.
pub fn holds_exact_numbers(value: &Value) -> bool {
    match value {
        Value::Number(_) => is_exact(value),
        Value::Array(items) => items.iter().all(holds_exact_numbers),
        Value::Object(members) => members.values().all(holds_exact_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// A value of `multipleOf`, as the compiler counts in it: so many of the smallest decimal place,
/// and how many places there are. `None` if that has more than eight digits.
pub fn divisor(number: &Value) -> Option<(u32, u32)> {
    let mut value = number.as_f64().filter(|value| *value > 0.0)?;
    let mut num_places = 0;
    while value.fract() != 0.0 && num_places < 8 {
        value *= 10.0;
        num_places += 1;
    }
    (value.fract() == 0.0 && value < 1e8).then_some((value as u32, num_places))
}

/// Bounds of a whole schema.
#[derive(Debug, Default)]
pub struct Bounds {
    lower: Vec<f64>,
    upper: Vec<f64>,
    /// Whole ones that a number which need not be whole must not reach, on its side towards
    /// zero.
    open: Vec<Open>,
    divisors: Vec<(u32, u32)>,
}

#[derive(Debug)]
struct Open {
    /// Of the schema where it stands, which may have many.
    pointer: Rc<str>,
    value: f64,
    is_lower: bool,
}

impl Bounds {
    pub fn add(&mut self, pointer: &str, keywords: &Map<String, Value>) {
        let of = |name: &str| keywords.get(name).and_then(Value::as_f64);
        let divisor = keywords.get("multipleOf").and_then(divisor);
        self.divisors
            .extend(divisor.filter(|divisor| !self.divisors.contains(divisor)));
        self.lower
            .extend(of("minimum").into_iter().chain(of("exclusiveMinimum")));
        self.upper
            .extend(of("maximum").into_iter().chain(of("exclusiveMaximum")));
        if keywords.get("type").and_then(Value::as_str) == Some("integer") {
            return;
        }
        for (name, is_lower) in [("exclusiveMinimum", true), ("exclusiveMaximum", false)] {
            let is_near_zero_of = |value: &f64| {
                if is_lower {
                    *value >= 0.0
                } else {
                    *value <= 0.0
                }
            };
            let whole = of(name).filter(|value| value.fract() == 0.0);
            if let Some(value) = whole.filter(is_near_zero_of) {
                let last = self.open.last().map(|open| &open.pointer);
                let known = last.filter(|last| ***last == *pointer).cloned();
                self.open.push(Open {
                    pointer: known.unwrap_or_else(|| pointer.into()),
                    value,
                    is_lower,
                });
            }
        }
    }

    /// A bound that is not enforced: the compiler lets a number reach a whole one where the
    /// other bound is less than one away. Which bounds meet is not known before it has joined
    /// all parts of the schema, so any two count.
    pub fn unenforced(&self) -> Option<String> {
        let sorted = |bounds: &[f64]| {
            let mut bounds = bounds.to_vec();
            bounds.sort_by(f64::total_cmp);
            bounds
        };
        let (lower, upper) = (sorted(&self.lower), sorted(&self.upper));
        let open = self.open.iter().find(|open| {
            // Bounds that meet leave nothing between them.
            let nearest = if open.is_lower {
                upper.get(upper.partition_point(|other| *other <= open.value))
            } else {
                let num_below = lower.partition_point(|other| *other < open.value);
                lower[..num_below].last()
            };
            nearest.is_some_and(|nearest| (nearest - open.value).abs() < 1.0)
        })?;
        let name = if open.is_lower {
            "exclusiveMinimum"
        } else {
            "exclusiveMaximum"
        };
        Some(format!("{}/{name}", open.pointer))
    }

    /// Whether the compiler can join any two values of `multipleOf` without running over.
    pub fn divisors_combine(&self) -> bool {
        let num_places = self.divisors.iter().map(|(_, places)| *places).max();
        let scaled = |(count, places): &(u32, u32)| {
            10u64.pow(num_places.unwrap_or(0) - places) * u64::from(*count)
        };
        self.divisors.len() < 2
            || self
                .divisors
                .iter()
                .all(|divisor| scaled(divisor) <= u64::from(u16::MAX))
    }
}
