use super::report::Licence;
use crate::hub::lock::{Lock, Source};
use crate::hub::{Catalogue, Manifest};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// A model card begins with what is looked for.
const MAX_BYTES: u64 = 64 << 10;

/// What the manifest of the model says, else its card, else the first line of its licence.
pub(super) fn of(dir: &Path, lock: Option<&Lock>) -> Option<Licence> {
    (lock.and_then(of_manifest))
        .or_else(|| of_card(&beginning(&dir.join("README.md"))?))
        .or_else(|| of_text(dir))
}

fn of_manifest(lock: &Lock) -> Option<Licence> {
    let catalogue = Catalogue::load(None).ok()?;
    let is_it = |manifest: &&Manifest| {
        let is_named = lock.origin.model.as_ref() == Some(&manifest.name);
        let is_pulled = match (&lock.origin.source, &manifest.hub) {
            (Source::Hub { repo, .. }, Some(hub)) => *repo == hub.repo,
            _ => false,
        };
        is_named || is_pulled
    };
    let manifest = catalogue.iter().find(is_it)?;
    Some(Licence {
        name: manifest.licence.clone(),
        from: format!("the manifest {}", manifest.name),
    })
}

/// The `license` of the card's front matter; `other` stands for the name that follows.
fn of_card(card: &str) -> Option<Licence> {
    let (front_matter, _) = card.strip_prefix("---\n")?.split_once("\n---")?;
    let value = |key: &str| {
        let line = front_matter
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        let value = line.trim().trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| value.to_owned())
    };
    let name = match value("license")? {
        other if other == "other" => value("license_name").unwrap_or(other),
        name => name,
    };
    Some(Licence {
        name,
        from: "README.md".to_owned(),
    })
}

fn of_text(dir: &Path) -> Option<Licence> {
    let files = ["LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING"];
    files.into_iter().find_map(|name| {
        let text = beginning(&dir.join(name))?;
        let first = text.lines().map(str::trim).find(|line| !line.is_empty())?;
        Some(Licence {
            name: first.chars().take(80).collect(),
            from: name.to_owned(),
        })
    })
}

fn beginning(path: &Path) -> Option<String> {
    if !path.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(files: &[(&str, &str)]) -> Option<(String, String)> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        of(dir.path(), None).map(|licence| (licence.name, licence.from))
    }

    #[test]
    fn a_card_says_the_licence_and_its_name_where_it_is_no_common_one() {
        let card = "---\r\nlanguage:\r\n- fr\r\nlicense: \"apache-2.0\"\r\n---\r\n# Model\r\n";
        let told = with(&[("README.md", card), ("LICENSE", "Another")]);
        assert_eq!(told, Some(("apache-2.0".into(), "README.md".into())));
        let card = "---\nlicense: other\nlicense_name: mrl\nlicense_link: x\n---\n";
        assert_eq!(with(&[("README.md", card)]).unwrap().0, "mrl");
    }

    #[test]
    fn without_a_card_the_licence_itself_is_named_by_its_first_line() {
        let told = with(&[
            ("README.md", "# A model\nlicense: none"),
            ("LICENSE", "\n  Apache License\n  Version 2.0"),
        ]);
        assert_eq!(told, Some(("Apache License".into(), "LICENSE".into())));
        assert_eq!(with(&[]), None);
    }
}
