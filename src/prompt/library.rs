use super::definition::Prompt;
use super::description::PromptDescription;
use super::error::{LookupError, PromptError};
use super::limits::{MAX_FILE_BYTES, MAX_FILES, MAX_NAME_CHARS};
use super::version::{FORM, Version};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// All prompts of a server, by id and version.
#[derive(Default)]
pub struct PromptLibrary {
    /// No id is without a version.
    prompts: BTreeMap<String, BTreeMap<Version, Prompt>>,
}

impl PromptLibrary {
    /// The prompts of the program, [`super::BUILT_IN`], and those of an agency's directories,
    /// which add ids and versions and replace none. The first mistake ends it: a server does not
    /// start with half of its prompts.
    pub fn load(builtin: &[(&str, &str)], dirs: &[PathBuf]) -> Result<Self, PromptError> {
        let mut library = Self::default();
        for (file, text) in builtin {
            library.add(Path::new(file), text)?;
        }
        for dir in dirs {
            for path in prompt_files(dir)? {
                library.add(&path, &read(&path)?)?;
            }
        }
        Ok(library)
    }

    /// Without a version: the newest.
    pub fn get(&self, id: &str, version: Option<&str>) -> Result<&Prompt, LookupError> {
        let versions = self.prompts.get(id).ok_or_else(|| LookupError::Id {
            id: id.to_owned(),
            known: self.prompts.keys().cloned().collect(),
        })?;
        let found = match version {
            None => versions.values().next_back(),
            Some(version) => Version::parse(version).and_then(|version| versions.get(&version)),
        };
        found.ok_or_else(|| LookupError::Version {
            id: id.to_owned(),
            version: version.unwrap_or_default().to_owned(),
            known: versions.keys().map(Version::to_string).collect(),
        })
    }

    /// By id, then version.
    pub fn iter(&self) -> impl Iterator<Item = &Prompt> {
        self.prompts.values().flat_map(BTreeMap::values)
    }

    /// The newest version of each prompt, by id.
    pub fn describe(&self) -> Vec<PromptDescription<'_>> {
        let newest = |versions: &'_ BTreeMap<Version, Prompt>| versions.len().checked_sub(1);
        let described = self.prompts.values().filter_map(|versions| {
            let newest = versions.values().nth(newest(versions)?)?;
            Some(PromptDescription::new(newest, versions.values().rev()))
        });
        described.collect()
    }

    /// One prompt of this library, with the versions beside it.
    pub fn describe_one<'a>(&'a self, prompt: &'a Prompt) -> PromptDescription<'a> {
        let versions = self.prompts.get(&prompt.id).into_iter();
        PromptDescription::new(
            prompt,
            versions.flat_map(|versions| versions.values().rev()),
        )
    }

    /// A file `…/ID/VERSION.md`.
    fn add(&mut self, path: &Path, text: &str) -> Result<(), PromptError> {
        let file = path.display().to_string();
        let wrong = |message: String| PromptError::File {
            file: file.clone(),
            message,
        };
        let name = |path: Option<&Path>| {
            let name = path.and_then(Path::file_name)?.to_str()?;
            Some(name.to_owned())
        };
        let id = name(path.parent()).filter(|id| is_id(id)).ok_or_else(|| {
            wrong(format!(
                "the folder is the prompt's id: up to {MAX_NAME_CHARS} letters from a to z, digits and hyphens, beginning with a letter"
            ))
        })?;
        let version = name(Some(path))
            .and_then(|name| Version::parse(name.strip_suffix(".md")?))
            .ok_or_else(|| wrong(format!("the name is the version and `.md`; {FORM}")))?;
        if let Some(first) = self
            .prompts
            .get(&id)
            .and_then(|versions| versions.get(&version))
        {
            return Err(PromptError::Duplicate {
                id,
                version: version.to_string(),
                first: first.file.clone(),
                second: file,
            });
        }
        let prompt = Prompt::parse(&id, version.clone(), &file, text)
            .map_err(|mistake| mistake.in_file(&file))?;
        self.prompts.entry(id).or_default().insert(version, prompt);
        Ok(())
    }
}

/// In order, so that the same mistake is reported each time.
fn prompt_files(dir: &Path) -> Result<Vec<PathBuf>, PromptError> {
    let mut files = Vec::new();
    for folder in entries(dir)? {
        if folder.is_dir() {
            files.extend(entries(&folder)?);
        } else if folder.file_name().is_none_or(|name| name != "README.md") {
            return Err(PromptError::File {
                file: folder.display().to_string(),
                message: "a prompt is a file `ID/VERSION.md`, in a folder named after its id"
                    .to_owned(),
            });
        }
        if files.len() > MAX_FILES {
            return Err(PromptError::File {
                file: dir.display().to_string(),
                message: format!("there are more than {MAX_FILES} files"),
            });
        }
    }
    Ok(files)
}

/// Without what editors and volumes leave behind: `.name` and `name~`.
fn entries(dir: &Path) -> Result<Vec<PathBuf>, PromptError> {
    let io = |source| PromptError::Io {
        path: dir.to_owned(),
        source,
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with('.') && !name.ends_with('~') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<String, PromptError> {
    let io = |source| PromptError::Io {
        path: path.to_owned(),
        source,
    };
    let wrong = |message: String| PromptError::File {
        file: path.display().to_string(),
        message,
    };
    let mut bytes = Vec::new();
    let most = MAX_FILE_BYTES as u64 + 1;
    let file = fs::File::open(path).map_err(io)?;
    file.take(most).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(wrong(format!(
            "the file has more than {MAX_FILE_BYTES} bytes"
        )));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
        wrong(format!(
            "line {line} is not UTF-8; save the file in this encoding"
        ))
    })
}

fn is_id(id: &str) -> bool {
    id.starts_with(|first: char| first.is_ascii_lowercase())
        && id.len() <= MAX_NAME_CHARS
        && id
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
