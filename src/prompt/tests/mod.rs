mod broken;
mod builtin;
mod library;
mod rendering;

use super::{BUILT_IN, PromptDocument, PromptLibrary};
use serde_json::{Map, Value as Json};

fn builtin() -> PromptLibrary {
    PromptLibrary::load(BUILT_IN, &[]).unwrap()
}

fn one(text: &str) -> PromptLibrary {
    PromptLibrary::load(&[("prompts/test/1.md", text)], &[]).unwrap()
}

fn letter(text: &str) -> PromptDocument {
    PromptDocument {
        number: 1,
        name: "lettre.pdf".to_owned(),
        pages: Some(2),
        text: text.to_owned(),
    }
}

fn object(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(members) => members,
        other => panic!("{other} is no object"),
    }
}
