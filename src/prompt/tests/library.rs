use super::{builtin, letter, one};
use crate::prompt::{BUILT_IN, LookupError, PromptError, PromptLibrary};
use serde_json::{Map, json};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::Path;

const SMALL: &str = "+++\nlanguages = [\"fr\"]\ntitle = { fr = \"Essai\" }\ndescription = { fr = \"Essai\" }\n+++\n# fr\n## user\nBonjour.\n";

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn load(files: &[(&str, &str)]) -> Result<PromptLibrary, PromptError> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        write(dir.path(), name, text);
    }
    PromptLibrary::load(BUILT_IN, &[dir.path().to_owned()])
}

fn refusal(files: &[(&str, &str)]) -> String {
    load(files).err().unwrap().to_string()
}

#[test]
fn an_agency_adds_prompts_and_versions() {
    let library = load(&[
        ("README.md", "Nos textes."),
        ("resume-courrier/1.1.md", SMALL),
        ("resume-courrier/.1.2.md.swp", "x"),
        ("resume-courrier/1.1.md~", "x"),
        ("mairie/2026.3.1.md", SMALL),
    ])
    .unwrap();
    let get = |id, version| library.get(id, version).unwrap().version().to_string();
    assert_eq!(get("resume-courrier", None), "1.1");
    assert_eq!(get("resume-courrier", Some("1")), "1");
    assert_eq!(get("resume-courrier", Some("1.0")), "1");
    assert_eq!(get("mairie", None), "2026.3.1");
}

#[test]
fn the_newest_version_is_the_one_with_the_highest_numbers() {
    let files = ["a/9.md", "a/10.md", "a/9.12.md"].map(|name| (name, SMALL));
    let library = PromptLibrary::load(&files, &[]).unwrap();
    assert_eq!(library.get("a", None).unwrap().version().as_str(), "10");
    let versions: Vec<_> = library
        .iter()
        .map(|prompt| prompt.version().to_string())
        .collect();
    assert_eq!(versions, ["9", "9.12", "10"]);
}

#[test]
fn no_version_is_replaced_in_silence() {
    let error = refusal(&[("falc/1.0.md", SMALL)]);
    assert!(error.ends_with("falc/1.0.md: version 1.0 of the prompt `falc` stands in prompts/falc/1.md already; give it another version"), "{error}");
}

#[test]
fn what_is_no_prompt_file_is_named() {
    for (name, expected) in [
        (
            "lettre.md",
            "a prompt is a file `ID/VERSION.md`, in a folder named after its id",
        ),
        (
            "Lettre/1.md",
            "the folder is the prompt's id: up to 64 letters from a to z",
        ),
        ("9lettre/1.md", "beginning with a letter"),
        (
            "lettre/v1.md",
            "a version is one to three numbers with points between them",
        ),
        ("lettre/1.txt", "the name is the version and `.md`"),
        ("lettre/1.2.3.4.md", "such as 1, 1.2 or 2026.3.1"),
    ] {
        let error = refusal(&[(name, SMALL)]);
        assert!(error.contains(name) && error.contains(expected), "{error}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("a")).unwrap();
    let file = dir.path().join("a/1.md");
    let error = || {
        PromptLibrary::load(&[], &[dir.path().to_owned()])
            .err()
            .unwrap()
            .to_string()
    };
    fs::write(
        &file,
        SMALL
            .replace("Bonjour", "Caf\u{1}")
            .replace('\u{1}', "é")
            .into_bytes(),
    )
    .unwrap();
    assert!(PromptLibrary::load(&[], &[dir.path().to_owned()]).is_ok());
    let latin: Vec<u8> = SMALL.bytes().chain(*b"caf\xe9").collect();
    fs::write(&file, latin).unwrap();
    assert!(
        error().ends_with("a/1.md: line 9 is not UTF-8; save the file in this encoding"),
        "{}",
        error()
    );
    fs::write(&file, "x".repeat(300_000)).unwrap();
    assert!(
        error().ends_with("a/1.md: the file has more than 262144 bytes"),
        "{}",
        error()
    );
    let missing = PromptLibrary::load(&[], &[dir.path().join("nowhere")])
        .err()
        .unwrap();
    assert!(missing.to_string().contains("nowhere: "), "{missing}");
}

#[test]
fn an_unknown_prompt_or_version_lists_the_known_ones() {
    let library = builtin();
    let error = library.get("resume", None).err().unwrap();
    assert!(
        error
            .to_string()
            .starts_with("there is no prompt `resume`; there are classement, "),
        "{error}"
    );
    for version in ["2", "latest", ""] {
        let error = library.get("falc", Some(version)).err().unwrap();
        assert_eq!(
            error,
            LookupError::Version {
                id: "falc".into(),
                version: version.into(),
                known: vec!["1".into()]
            }
        );
    }
}

#[test]
fn the_digest_is_that_of_the_files_bytes() {
    let hex: String = Sha256::digest(SMALL)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let library = one(SMALL);
    let prompt = library.get("test", None).unwrap();
    assert_eq!(prompt.digest(), hex);
    assert_eq!(prompt.render(&Map::new(), &[]).unwrap().digest, hex);
    let other = one(&SMALL.replace("Bonjour.", "Bonjour !"));
    assert_ne!(other.get("test", None).unwrap().digest(), hex);
}

#[test]
fn a_file_from_windows_reads_the_same() {
    let text = format!("\u{feff}{}", SMALL.replace('\n', "\r\n"));
    let (there, here) = (one(&text), one(SMALL));
    let messages = |library: &PromptLibrary| {
        library
            .get("test", None)
            .unwrap()
            .render(&Map::new(), &[])
            .unwrap()
            .messages
    };
    assert_eq!(messages(&there), messages(&here));
}

#[test]
fn a_prompt_without_documents_refuses_them() {
    let library = one(SMALL);
    let error = library
        .get("test", None)
        .unwrap()
        .render(&Map::new(), &[letter("x")])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the prompt takes at most 0 documents, and the request has 1"
    );
}

#[test]
fn the_example_of_the_documentation_is_a_prompt() {
    let page = include_str!("../../../docs/prompts.md");
    let start = page.find("+++\nlanguages").unwrap();
    let length = page[start..].find("```").unwrap();
    let library = one(&page[start..start + length]);
    assert_eq!(library.get("test", None).unwrap().languages(), ["fr", "de"]);
}

#[test]
fn descriptions_tell_clients_what_they_may_send() {
    let library = PromptLibrary::load(&[("a/1.md", SMALL), ("a/2.md", SMALL)], &[]).unwrap();
    let described = serde_json::to_value(library.describe()).unwrap();
    let digest = library.get("a", None).unwrap().digest();
    assert_eq!(
        described,
        json!([{
            "id": "a",
            "version": "2",
            "versions": [{"version": "2", "digest": digest}, {"version": "1", "digest": digest}],
            "title": {"fr": "Essai"},
            "description": {"fr": "Essai"},
            "languages": ["fr"],
            "variables": [{
                "name": "language",
                "description": {"fr": "La langue de la réponse."},
                "required": false,
                "default": "fr",
                "type": "text",
                "max_chars": 2,
                "choices": ["fr"],
            }],
            "documents": null,
            "long_documents": null,
            "schema": null,
            "sampling": {},
            "checks": {
                "kinds": ["number", "amount", "date", "deadline", "name", "email", "phone", "iban", "file_number", "legal_reference"],
                "missing": [],
            },
            "digest": digest,
        }])
    );
    let older = library.describe_one(library.get("a", Some("1")).unwrap());
    assert_eq!((older.version.as_str(), older.versions.len()), ("1", 2));
}
