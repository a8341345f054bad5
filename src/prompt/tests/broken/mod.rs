//! Files that are wrong in one place each, and what is said about them.

mod front_matter;
mod sections;
mod templates;
mod variables;

use crate::prompt::{PromptError, PromptLibrary};

const GOOD: &str = r##"+++
languages = ["fr", "de"]
title = { fr = "Essai", de = "Probe" }
description = { fr = "Essai", de = "Probe" }
documents = { min = 1, max = 2 }
long_documents = "refine"
schema = '''
{
  "type": "object",
  "properties": {"service": {"type": "string", "enum": "{{ services }}"}},
  "required": ["service"]
}
'''

[variables.services]
type = "list"
required = true
description = { fr = "Services", de = "Stellen" }

[variables.tone]
choices = ["formal", "friendly"]
default = "formal"
description = { fr = "Ton", de = "Ton" }

[variables.focus]
max_chars = 300
description = { fr = "Point", de = "Punkt" }

[variables.words]
type = "integer"
min = 1
max = 9
default = 5
description = { fr = "Mots", de = "Wörter" }

[sampling]
temperature = 0.2

[checks]
missing = ["date"]

[checks.plain_language]
max_sentence_words = 20
+++

# fr

## user
{{ documents | block }}
{{ services | join(", ") }}, {{ tone }}, {{ words }}
{% if focus %}
{{ focus }}
{% endif %}

# fr next

## user
{{ previous | block }} {{ documents | block }}

# de

## system
### Regeln

## user
{{ documents | block }}
{{ services | join(", ") }}, {{ tone }}, {{ words }}{% if focus %}, {{ focus }}{% endif %}

# de next

## user
{{ previous | block }} {{ documents | block }}
"##;

fn load(text: &str) -> Result<PromptLibrary, PromptError> {
    PromptLibrary::load(&[("prompts/test/1.md", text)], &[])
}

/// What is replaced, where it stands first, by what; and the line and the words of the error.
fn check(cases: &[(&str, &str, usize, &str)]) {
    for (from, to, line, expected) in cases {
        assert!(GOOD.contains(from), "{from:?} is not in the file");
        let error = load(&GOOD.replacen(from, to, 1)).err();
        let Some(PromptError::Line {
            line: found,
            message,
            ..
        }) = &error
        else {
            panic!("{from:?} -> {to:?}: {error:?}");
        };
        assert!(message.contains(expected), "{from:?} -> {to:?}: {message}");
        assert_eq!(found, line, "{from:?} -> {to:?}: {message}");
        let shown = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(
            shown.starts_with(&format!("prompts/test/1.md:{line}: ")),
            "{shown}"
        );
    }
}

#[test]
fn the_file_is_good_before_it_is_broken() {
    assert!(load(GOOD).is_ok(), "{}", load(GOOD).err().unwrap());
}

#[test]
fn the_first_mistake_names_its_file() {
    let broken = GOOD.replace("{{ tone }}", "{{ ton }}");
    let error = PromptLibrary::load(
        &[("prompts/a/1.md", GOOD), ("prompts/b/1.2.md", &broken)],
        &[],
    );
    assert!(
        error
            .err()
            .unwrap()
            .to_string()
            .starts_with("prompts/b/1.2.md:50: unknown variable `ton`")
    );
}
