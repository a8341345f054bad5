use super::{builtin, letter, object};
use crate::prompt::{BUILT_IN, LANGUAGE, LongDocuments, Prompt, Role, Step, VariableType};
use serde_json::{Map, Value as Json, json};
use std::path::Path;

const LETTERS: [(&str, &str); 3] = [
    (
        "fr",
        "Madame, Monsieur,\n\nJe conteste l'avis du 3 mars 2025 (dossier n° 2025-0417), d'un montant de 1 234,56 €.\n\nFrançoise Lefèvre",
    ),
    (
        "de",
        "Sehr geehrte Damen und Herren,\n\ngegen den Bescheid vom 3. März 2025 (Az. 12-3/25) über 1.234,56 EUR lege ich Widerspruch ein.\n\nJürgen Groß",
    ),
    (
        "en",
        "Dear Sir or Madam,\n\nI appeal against the notice of 3 March 2025 (ref. AB/2025/17) for €1,234.56.\n\nSiân O'Neill",
    ),
];

#[test]
fn every_file_of_the_folder_is_part_of_the_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut on_disk = Vec::new();
    for folder in std::fs::read_dir(root.join("prompts")).unwrap() {
        let folder = folder.unwrap().path();
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            on_disk.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
    on_disk.sort();
    let embedded = BUILT_IN
        .iter()
        .map(|(name, text)| (name.to_string(), text.to_string()));
    assert_eq!(on_disk, embedded.collect::<Vec<_>>());
}

#[test]
fn ten_tasks_are_there_in_three_languages() {
    let library = builtin();
    let ids = [
        "classement",
        "compte-rendu",
        "delais",
        "extraction-formulaire",
        "falc",
        "langage-clair",
        "note-de-synthese",
        "reponse-courrier",
        "resume-courrier",
        "traduction",
    ];
    assert_eq!(library.iter().map(Prompt::id).collect::<Vec<_>>(), ids);
    for prompt in library.iter() {
        assert_eq!(prompt.languages(), ["fr", "de", "en"], "{}", prompt.id());
    }
}

/// With only what it needs, and with everything that may be set.
fn requests(prompt: &Prompt, language: &str) -> [Map<String, Json>; 2] {
    let sample = |kind: &VariableType| match kind {
        VariableType::Text { choices, .. } if !choices.is_empty() => json!(choices[0]),
        VariableType::Text { .. } => json!("Éléments à préciser"),
        VariableType::Integer { max, .. } => json!(max),
        VariableType::Boolean => json!(true),
        VariableType::List { .. } => json!(["Urbanisme", "Bürgeramt"]),
    };
    [false, true].map(|all| {
        let wanted = prompt.variables().iter().filter(|one| all || one.required);
        let mut variables: Map<_, _> = wanted
            .map(|one| (one.name.clone(), sample(&one.kind)))
            .collect();
        variables.insert(LANGUAGE.to_owned(), language.into());
        variables
    })
}

#[test]
fn every_prompt_renders_sample_letters_in_every_language() {
    let notes = ["1. Note".to_owned(), "2. Note".to_owned()];
    let (number, count) = (2, 3);
    for prompt in builtin().iter() {
        for (language, text) in LETTERS {
            for variables in requests(prompt, language) {
                let whole = prompt.render(&variables, &[letter(text)]).unwrap();
                let steps: &[Step<'_>] = match prompt.long_documents() {
                    None | Some(LongDocuments::Join) => &[],
                    Some(LongDocuments::MapReduce) => {
                        &[Step::Part { number, count }, Step::Merge { notes: &notes }]
                    }
                    Some(LongDocuments::Refine) => &[Step::Next {
                        number,
                        count,
                        previous: "1. Note",
                    }],
                };
                let mut rendered = vec![(whole, true)];
                for step in steps {
                    let reads = !matches!(step, Step::Merge { .. });
                    let documents: Vec<_> = reads.then(|| letter(text)).into_iter().collect();
                    rendered.push((
                        prompt.render_step(*step, &variables, &documents).unwrap(),
                        reads,
                    ));
                }
                for (rendered, reads) in rendered {
                    let [(Role::System, system), (Role::User, user)] = &rendered.messages[..]
                    else {
                        panic!("{}: a system and a user message", prompt.id());
                    };
                    assert_eq!(user.contains(text), reads, "{}", prompt.id());
                    assert_eq!(rendered.language, language);
                    let all = format!("{system}{user}");
                    assert!(!all.contains("{{") && !all.contains("{%"), "{all}");
                    assert!(!all.contains("\n\n\n\n") && !all.contains("  "), "{all}");
                }
            }
        }
    }
}

#[test]
fn each_language_is_written_as_its_own() {
    // Words that only one of the three languages has.
    let words = [
        ("fr", [" les ", " vous ", " ou "]),
        ("de", [" und ", " Sie ", " die "]),
        ("en", [" the ", " and ", " is "]),
    ];
    for prompt in builtin().iter() {
        for (language, own) in words {
            let [_, variables] = requests(prompt, language);
            let rendered = prompt.render(&variables, &[letter("…")]).unwrap();
            let text: String = rendered
                .messages
                .iter()
                .map(|(_, text)| text.as_str())
                .collect();
            let count = |words: &[&str]| -> usize {
                words.iter().map(|word| text.matches(word).count()).sum()
            };
            for (other, foreign) in words.iter().filter(|(code, _)| *code != language) {
                assert!(
                    count(&own) > 2 * count(foreign),
                    "{} {language} reads like {other}: {text}",
                    prompt.id()
                );
            }
        }
    }
}

#[test]
fn instructions_leave_room_for_the_document_on_a_small_model() {
    for prompt in builtin().iter() {
        for language in prompt.languages() {
            let [variables, _] = requests(prompt, language);
            let rendered = prompt.render(&variables, &[letter("x")]).unwrap();
            let chars: usize = rendered
                .messages
                .iter()
                .map(|(_, text)| text.chars().count())
                .sum();
            // Some 500 tokens of the 2,048 that the smallest contexts have.
            assert!(
                chars < 2000,
                "{} in {language}: {chars} characters",
                prompt.id()
            );
        }
    }
}

#[test]
fn a_letter_is_routed_to_a_service_of_the_list_or_to_none() {
    let library = builtin();
    let prompt = library.get("classement", None).unwrap();
    let variables =
        object(json!({"services": "Urbanisme\nÉtat civil\n\nUrbanisme", "language": "fr"}));
    let rendered = prompt.render(&variables, &[letter("Bonjour")]).unwrap();
    let service = rendered.schema.unwrap()["properties"]["service"].clone();
    assert_eq!(
        service,
        json!({"anyOf": [{"type": "string", "enum": ["Urbanisme", "État civil"]}, {"type": "null"}]})
    );
    let user = &rendered.messages[1].1;
    assert!(user.contains("\n- Urbanisme\n- État civil\n"), "{user}");
}

#[test]
fn a_prompt_that_rewrites_lets_nothing_go_missing_unseen() {
    let library = builtin();
    for id in ["langage-clair", "traduction"] {
        let checks = library.get(id, None).unwrap().checks();
        assert_eq!(checks.missing.len(), checks.kinds.len(), "{id}");
    }
    for id in ["langage-clair", "falc"] {
        assert!(
            library
                .get(id, None)
                .unwrap()
                .checks()
                .plain_language
                .is_some(),
            "{id}"
        );
    }
}
