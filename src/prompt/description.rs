use super::checks::Checks;
use super::definition::{DocumentCount, LongDocuments, Prompt};
use super::sampling::Sampling;
use super::variable::Variable;
use super::version::Version;
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// What clients are told about a prompt: one version, and which others there are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PromptDescription<'a> {
    pub id: &'a str,
    /// That the rest is about.
    pub version: &'a Version,
    /// The newest first.
    pub versions: Vec<PromptVersion<'a>>,
    /// By language, as is the description.
    pub title: &'a BTreeMap<String, String>,
    pub description: &'a BTreeMap<String, String>,
    /// The first is used where a request names none.
    pub languages: &'a [String],
    /// `language` first.
    pub variables: &'a [Variable],
    /// Null: it takes none.
    pub documents: Option<DocumentCount>,
    /// Null: documents must fit the context.
    pub long_documents: Option<LongDocuments>,
    /// Null: the answer is text. An `enum` may name a variable.
    pub schema: Option<&'a Json>,
    pub sampling: Sampling,
    pub checks: &'a Checks,
    pub digest: &'a str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PromptVersion<'a> {
    pub version: &'a Version,
    pub digest: &'a str,
}

impl<'a> PromptDescription<'a> {
    /// `versions` are all of the prompt's, the newest first.
    pub(super) fn new(prompt: &'a Prompt, versions: impl Iterator<Item = &'a Prompt>) -> Self {
        let versions = versions.map(|prompt| PromptVersion {
            version: &prompt.version,
            digest: &prompt.digest,
        });
        Self {
            id: &prompt.id,
            version: &prompt.version,
            versions: versions.collect(),
            title: &prompt.title,
            description: &prompt.description,
            languages: &prompt.languages,
            variables: &prompt.variables,
            documents: prompt.documents,
            long_documents: prompt.long_documents,
            schema: prompt.schema(),
            sampling: prompt.sampling,
            checks: &prompt.checks,
            digest: &prompt.digest,
        }
    }
}
