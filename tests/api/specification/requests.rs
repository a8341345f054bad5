//! OpenAI's requests, as `scripts/openai-requests` has read them, and the least one that holds a
//! value at a place.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const FIXTURE: &str = include_str!("../../fixtures/openai-requests.json");

/// Of several objects that may stand at a place, those that we take.
const PREFERRED: [&str; 6] = [
    "<user>",
    "<text>",
    "<function>",
    "<EasyInputMessage>",
    "<input_text>",
    "<output_text>",
];

/// What is known of one place.
#[derive(Debug, Deserialize)]
pub struct Facts {
    pub path: String,
    pub types: Vec<String>,
    #[serde(default)]
    pub required: bool,
    #[serde(default, rename = "enum")]
    pub words: Vec<Value>,
    pub minimum: Option<i64>,
}

/// The properties of a request, with all that stands in them.
pub struct Request {
    places: BTreeMap<String, Facts>,
}

/// One step from a place to what stands in it.
#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Property(&'a str),
    Item,
    /// Of an object with names of the client's own.
    Entry,
    /// One of several objects.
    Kind(&'a str),
}

impl Request {
    pub fn read(name: &str) -> Self {
        let mut all: Map<String, Value> = serde_json::from_str(FIXTURE).unwrap();
        let facts: Vec<Facts> = serde_json::from_value(all.remove(name).unwrap()).unwrap();
        let num_facts = facts.len();
        let places: BTreeMap<_, _> = facts.into_iter().map(|f| (f.path.clone(), f)).collect();
        assert_eq!(places.len(), num_facts, "{name} names a place twice");
        Self { places }
    }

    pub fn facts(&self) -> impl Iterator<Item = &Facts> {
        self.places.values()
    }

    /// A value of each type, and each that is listed.
    pub fn values(&self, facts: &Facts) -> Vec<Value> {
        let of_type = |kind: &String| match &**kind {
            "string" if !facts.words.is_empty() => facts.words.clone(),
            "boolean" if !facts.words.is_empty() => Vec::new(),
            "boolean" => vec![json!(true), json!(false)],
            "integer" | "number" => {
                let least = facts.minimum.unwrap_or(1);
                vec![json!(least), json!(least + 1)]
            }
            "array" => vec![self.least_array(&facts.path)],
            "object" => vec![self.least_object(&facts.path)],
            _ => vec![json!("a")],
        };
        facts.types.iter().flat_map(of_type).collect()
    }

    /// The least request that holds `value` at `path`.
    pub fn holding(&self, path: &str, value: Value) -> Value {
        self.build("", &steps(path), value)
    }

    fn build(&self, at: &str, steps: &[Step<'_>], value: Value) -> Value {
        let Some((step, rest)) = steps.split_first() else {
            return value;
        };
        let inner = inside(at, *step);
        match *step {
            Step::Item => json!([self.build(&inner, rest, value)]),
            Step::Entry => json!({entry(at): self.build(&inner, rest, value)}),
            Step::Kind(_) => self.build(&inner, rest, value),
            Step::Property(name) => {
                let mut object = self.required(at);
                object.insert(name.to_owned(), self.build(&inner, rest, value));
                object.into()
            }
        }
    }

    fn least(&self, path: &str) -> Value {
        let facts = &self.places[path];
        let has = |kind: &str| facts.types.iter().any(|one| one == kind);
        match facts.words.first() {
            Some(word) => word.clone(),
            None if has("string") => json!("a"),
            None if has("array") => self.least_array(path),
            None if has("object") => self.least_object(path),
            None => self.values(facts).remove(0),
        }
    }

    fn least_array(&self, path: &str) -> Value {
        let item = inside(path, Step::Item);
        match self.places.contains_key(&item) {
            true => json!([self.least(&item)]),
            false => json!([]),
        }
    }

    fn least_object(&self, path: &str) -> Value {
        let start = format!("{path}<");
        let inner = self.places.keys().filter_map(|key| key.strip_prefix(path));
        let kinds = || {
            let marked = inner.clone().filter(|rest| rest.starts_with('<'));
            marked.map(|rest| &rest[..=rest.find('>').unwrap()])
        };
        let preferred = PREFERRED
            .iter()
            .find(|kind| kinds().any(|one| one == **kind));
        match preferred.copied().or_else(|| kinds().next()) {
            Some(kind) => self.required(&format!("{path}{kind}")),
            None => {
                assert!(!self.places.keys().any(|key| key.starts_with(&start)));
                self.required(path)
            }
        }
        .into()
    }

    /// What an object must hold.
    fn required(&self, at: &str) -> Map<String, Value> {
        let members = self.places.values().filter(|facts| facts.required);
        let mut object = Map::new();
        for facts in members {
            let (parent, name) = parent(&facts.path);
            if parent == at {
                object.insert(name.to_owned(), self.least(&facts.path));
            }
        }
        object
    }
}

/// `a[]<b>.c` as `a[0].c`: how an error calls it in a request of ours.
pub fn concrete(path: &str) -> String {
    let mut at = String::new();
    for step in steps(path) {
        match step {
            Step::Property(name) if at.is_empty() => at.push_str(name),
            Step::Property(name) => at = format!("{at}.{name}"),
            Step::Item => at.push_str("[0]"),
            Step::Entry => at = format!("{at}.{}", entry(&at)),
            Step::Kind(_) => {}
        }
    }
    at
}

/// The name of an entry of an object that has entries of any name: a token id, which is a name,
/// too, or what a prompt of ours calls one.
fn entry(at: &str) -> &'static str {
    match at {
        "prompt.variables" => "focus",
        _ => "1",
    }
}

/// `a[]<b>.c` as `a[].c`: how a list of what is ignored calls it.
pub fn generic(path: &str) -> String {
    concrete(path).replace("[0]", "[]")
}

/// The object that a property stands in, and its name.
pub fn parent(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

/// The property of which `path` is an item, an entry or a kind.
pub fn property(path: &str) -> &str {
    let name = parent(path).1;
    let end = name.find(['[', '{', '<']).unwrap_or(name.len());
    &path[..path.len() - name.len() + end]
}

fn inside(at: &str, step: Step<'_>) -> String {
    match step {
        Step::Property(name) if at.is_empty() => name.to_owned(),
        Step::Property(name) => format!("{at}.{name}"),
        Step::Item => format!("{at}[]"),
        Step::Entry => format!("{at}{{}}"),
        Step::Kind(kind) => format!("{at}{kind}"),
    }
}

fn steps(path: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let (step, len) = match rest.as_bytes()[0] {
            b'[' => (Step::Item, 2),
            b'{' => (Step::Entry, 2),
            b'<' => {
                let end = rest.find('>').unwrap() + 1;
                (Step::Kind(&rest[..end]), end)
            }
            dot => {
                let start = usize::from(dot == b'.');
                let name = &rest[start..];
                let end = name.find(['.', '[', '{', '<']).unwrap_or(name.len());
                (Step::Property(&name[..end]), start + end)
            }
        };
        steps.push(step);
        rest = &rest[len..];
    }
    steps
}

#[test]
fn the_least_request_holds_what_it_must_and_what_is_asked_for() {
    let chat = Request::read("CreateChatCompletionRequest");
    let path = "messages[]<user>.content[]<image_url>.image_url.detail";
    let part = json!({"type": "image_url", "image_url": {"url": "a", "detail": "low"}});
    assert_eq!(
        chat.holding(path, json!("low")),
        json!({"model": "a", "messages": [{"role": "user", "content": [part]}]})
    );
    assert_eq!(concrete(path), "messages[0].content[0].image_url.detail");
    assert_eq!(generic(path), "messages[].content[].image_url.detail");
    assert_eq!(
        property("messages[]<user>.content[]"),
        "messages[]<user>.content"
    );
    assert_eq!(chat.values(&chat.places["service_tier"]).len(), 6);
}
