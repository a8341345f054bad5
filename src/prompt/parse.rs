//! A prompt's file becomes a prompt: everything that can be known of it before it is used is
//! checked here, or in what is called from here.

use super::definition::{LongDocuments, Prompt};
use super::error::Mistake;
use super::file::{PromptFile, Section, is_language};
use super::front_matter::{FrontMatter, Lines, VariableTable};
use super::limits::{MAX_LANGUAGES, MAX_VARIABLES};
use super::schema::OutputSchema;
use super::step::StepName;
use super::template::Templates;
use super::variable::Variable;
use super::version::Version;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use toml::Spanned;

/// Of the line `[variables.NAME]`.
type VariableLines = BTreeMap<String, usize>;

/// Variables by the language whose messages use them.
type Used = BTreeMap<String, BTreeSet<String>>;

impl Prompt {
    /// `file` says where `text` was read.
    pub(super) fn parse(
        id: &str,
        version: Version,
        file: &str,
        text: &str,
    ) -> Result<Self, Mistake> {
        let parts = PromptFile::parse(text)?;
        let lines = Lines::new(&parts.front_matter, parts.front_matter_line);
        let front = FrontMatter::parse(&parts.front_matter, &lines)?;
        check_front_matter(&front, &lines)?;
        let (variables, variable_lines) = variables(front.variables, &front.languages, &lines)?;
        let schema = front
            .schema
            .as_ref()
            .map(|schema| OutputSchema::parse(schema.get_ref(), lines.inside(schema), &variables));
        let languages = front.languages.into_inner();
        let mut prompt = Self {
            id: id.to_owned(),
            version,
            file: file.to_owned(),
            digest: digest(text),
            title: front.title.into_inner(),
            description: front.description.into_inner(),
            variables,
            documents: front.documents.map(Spanned::into_inner),
            long_documents: front.long_documents.map(Spanned::into_inner),
            schema: schema.transpose()?,
            sampling: front.sampling.map(Spanned::into_inner).unwrap_or_default(),
            checks: front.checks.map(Spanned::into_inner).unwrap_or_default(),
            templates: Templates::new().map_err(|error| Mistake::new(1, error.to_string()))?,
            messages: BTreeMap::new(),
            languages,
        };
        prompt.check_sections(&parts.sections)?;
        let mut used = Used::new();
        for section in &parts.sections {
            let language = used.entry(section.language.clone()).or_default();
            language.extend(prompt.add(section)?);
        }
        prompt.check_used(&used, &variable_lines)?;
        prompt.rehearse(&parts.sections)?;
        Ok(prompt)
    }

    /// Each language has its messages, for each step, and nothing else has any.
    fn check_sections(&self, sections: &[Section]) -> Result<(), Mistake> {
        let steps = self.long_documents.map_or(&[][..], LongDocuments::steps);
        for section in sections {
            if !self.languages.contains(&section.language) {
                let message = format!(
                    "`# {}`: the language is not in `languages`, which has {}",
                    section.language,
                    self.languages.join(", ")
                );
                return Err(Mistake::new(section.line, message));
            }
            if section.step != StepName::Whole && !steps.contains(&section.step) {
                let (language, step) = (&section.language, section.step.as_str());
                let message = match self.long_documents {
                    None => {
                        format!("`# {language} {step}` needs `long_documents` in the front matter")
                    }
                    Some(way) => format!(
                        "`# {language} {step}` has no place with long_documents = \"{}\"",
                        way.as_str()
                    ),
                };
                return Err(Mistake::new(section.line, message));
            }
        }
        for language in &self.languages {
            for step in [StepName::Whole].iter().chain(steps) {
                let there = sections
                    .iter()
                    .any(|section| section.language == *language && section.step == *step);
                if !there {
                    let mark = match step {
                        StepName::Whole => format!("# {language}"),
                        step => format!("# {language} {}", step.as_str()),
                    };
                    let last = sections.last().map_or(1, |section| section.line);
                    return Err(Mistake::new(last, format!("there is no section `{mark}`")));
                }
            }
        }
        Ok(())
    }

    /// Compiles the messages of a section, and checks that they use what they find. Returns what
    /// they use.
    fn add(&mut self, section: &Section) -> Result<BTreeSet<String>, Mistake> {
        let mut used = BTreeSet::new();
        let mut messages = Vec::new();
        let names = section
            .step
            .names()
            .iter()
            .filter(|name| **name != "documents");
        let mut known: Vec<&str> = self.variables.iter().map(|one| one.name.as_str()).collect();
        known.extend(names);
        if self.documents.is_some() && section.step != StepName::Merge {
            known.push("documents");
        }
        for message in &section.messages {
            let (number, variables) = self.templates.add(message)?;
            if let Some((name, line)) = variables
                .iter()
                .find(|(name, _)| !known.contains(&name.as_str()))
            {
                let message = match name.as_str() {
                    "documents" if section.step != StepName::Merge => {
                        "`documents` needs `documents = { min = …, max = … }` in the front matter"
                            .to_owned()
                    }
                    _ => format!("unknown variable `{name}`; there are {}", known.join(", ")),
                };
                return Err(Mistake::new(*line, message));
            }
            used.extend(variables.into_keys());
            messages.push((message.role, number));
        }
        // A prompt may do without `part`, which only counts.
        let needed = known.iter().filter(|name| {
            ["documents", "notes", "previous"].contains(name) && !used.contains(**name)
        });
        if let Some(name) = needed.into_iter().next() {
            let message = format!("no message of this section uses `{name}`");
            return Err(Mistake::new(section.line, message));
        }
        let key = (section.language.clone(), section.step);
        self.messages.insert(key, messages);
        Ok(used)
    }

    /// A variable that a language does not use would be set in vain.
    fn check_used(&self, used: &Used, lines: &VariableLines) -> Result<(), Mistake> {
        for language in &self.languages {
            let used = used.get(language);
            let idle = lines
                .iter()
                .find(|(name, _)| used.is_none_or(|used| !used.contains(*name)));
            if let Some((name, line)) = idle {
                let message =
                    format!("the variable `{name}` stands in no message for `{language}`");
                return Err(Mistake::new(*line, message));
            }
        }
        Ok(())
    }
}

fn check_front_matter(front: &FrontMatter, lines: &Lines<'_>) -> Result<(), Mistake> {
    let languages = front.languages.get_ref();
    let at = |line, mistake: Option<String>| {
        mistake.map_or(Ok(()), |text| Err(Mistake::new(line, text)))
    };
    let line = lines.of(&front.languages);
    if !(1..=MAX_LANGUAGES).contains(&languages.len()) {
        let message = format!("`languages` must have 1 to {MAX_LANGUAGES}");
        return Err(Mistake::new(line, message));
    }
    for (index, language) in languages.iter().enumerate() {
        if !is_language(language) {
            let message = format!(
                "`languages` has {language:?}, which is no code such as \"fr\" or \"de-at\""
            );
            return Err(Mistake::new(line, message));
        }
        if languages[..index].contains(language) {
            return Err(Mistake::new(
                line,
                format!("`languages` has {language:?} twice"),
            ));
        }
    }
    for (key, texts) in [("title", &front.title), ("description", &front.description)] {
        at(
            lines.of(texts),
            untranslated(key, texts.get_ref(), languages),
        )?;
    }
    if let Some(documents) = &front.documents {
        at(lines.of(documents), documents.get_ref().mistake())?;
    }
    if let Some(sampling) = &front.sampling {
        at(lines.of(sampling), sampling.get_ref().mistake())?;
    }
    if let Some(checks) = &front.checks {
        at(lines.of(checks), checks.get_ref().mistake())?;
    }
    match &front.long_documents {
        Some(long) if front.documents.is_none() => {
            let message = "`long_documents` needs `documents`, since there is nothing to read";
            Err(Mistake::new(lines.of(long), message))
        }
        _ => Ok(()),
    }
}

/// What is written for people must be there in each language of the prompt.
fn untranslated(
    key: &str,
    texts: &BTreeMap<String, String>,
    languages: &[String],
) -> Option<String> {
    let empty = |language: &&String| {
        texts
            .get(*language)
            .is_none_or(|text| text.trim().is_empty())
    };
    if let Some(language) = languages.iter().find(empty) {
        return Some(format!("`{key}` has no text for \"{language}\""));
    }
    let stray = texts.keys().find(|language| !languages.contains(language));
    stray.map(|language| {
        format!(
            "`{key}` has a text for \"{language}\", which is not in `languages`: {}",
            languages.join(", ")
        )
    })
}

fn variables(
    tables: BTreeMap<Spanned<String>, VariableTable>,
    languages: &Spanned<Vec<String>>,
    lines: &Lines<'_>,
) -> Result<(Vec<Variable>, VariableLines), Mistake> {
    if tables.len() > MAX_VARIABLES {
        let line = tables.keys().next().map_or(1, |name| lines.of(name));
        let message = format!(
            "there are {} variables; {MAX_VARIABLES} are allowed",
            tables.len()
        );
        return Err(Mistake::new(line, message));
    }
    let mut tables: Vec<_> = tables.into_iter().collect();
    tables.sort_by_key(|(name, _)| name.span().start);
    let mut variables = vec![Variable::language(languages.get_ref())];
    let mut variable_lines = BTreeMap::new();
    for (name, table) in tables {
        let (line, name) = (lines.of(&name), name.into_inner());
        let wrong = |message| Mistake::new(line, format!("variable `{name}`: {message}"));
        let missing = untranslated("description", &table.description, languages.get_ref());
        missing.map_or(Ok(()), |message| Err(wrong(message)))?;
        variables.push(Variable::new(&name, table).map_err(wrong)?);
        variable_lines.insert(name, line);
    }
    Ok((variables, variable_lines))
}

fn digest(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
