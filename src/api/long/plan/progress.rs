use crate::document::parts::Pages;
use serde::Serialize;

/// How far a run is, as an event of a stream tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Steps that have ended.
    pub done: usize,
    /// All steps of the plan.
    pub total: usize,
    /// Of the step that ended last: 0 while documents are read, then the round of merging.
    pub level: usize,
    /// That this step's text is drawn from: the first source's first page, and the last one's
    /// last. Of several documents, those of the first one that it is drawn from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pages: Option<Pages>,
    /// That these pages are of, from 1; 0 before any was read.
    pub document: usize,
}
