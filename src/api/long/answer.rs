use super::plan::{Cost, Plan, Provenance};
use crate::api::answer::Usage;
use crate::api::inputs::ReadFile;
use crate::prompt::LongDocuments;
use serde::Serialize;
use utoipa::ToSchema;

/// In which steps the documents of a request were read, and which pages each part was.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LongTold {
    #[schema(value_type = String)]
    strategy: LongDocuments,
    num_steps: usize,
    /// Before anything was computed: the most tokens of all prompts, and of all answers.
    max_prompt_tokens: u64,
    max_completion_tokens: u64,
    /// What the steps before the last took; `usage` has the last one's.
    prompt_tokens: usize,
    completion_tokens: usize,
    /// Notes that were longer than what reads them could hold, and lost their end.
    num_shortened: usize,
    /// Notes that came to their most tokens.
    num_cut: usize,
    parts: Vec<PartTold>,
}

/// A part of a document that was read in one step.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct PartTold {
    /// The number of the document in its request, from 1.
    document: usize,
    first_page: u32,
    last_page: u32,
    /// Of the document's text.
    start_byte: usize,
    end_byte: usize,
    num_tokens: usize,
}

/// What a plan comes to before it runs.
pub struct Planned {
    strategy: LongDocuments,
    num_steps: usize,
    cost: Cost,
}

impl Planned {
    pub fn new(plan: &Plan) -> Self {
        Self {
            strategy: plan.strategy,
            num_steps: plan.steps.len(),
            cost: plan.cost(),
        }
    }

    /// `num_cut` notes came to their most tokens.
    pub fn told(
        self,
        usage: Usage,
        num_cut: usize,
        provenance: &Provenance,
        files: &[ReadFile],
    ) -> LongTold {
        let shortened = provenance.steps.iter().filter(|step| step.was_shortened);
        let parts = provenance.sources.iter().map(|source| {
            // Offsets are the document's own, whatever the model was shown.
            let range = match files.get(source.document) {
                Some(file) => file.original_range(source.range.clone()),
                None => source.range.clone(),
            };
            PartTold {
                document: source.document + 1,
                first_page: source.pages.first,
                last_page: source.pages.last,
                start_byte: range.start,
                end_byte: range.end,
                num_tokens: source.num_tokens,
            }
        });
        LongTold {
            strategy: self.strategy,
            num_steps: self.num_steps,
            max_prompt_tokens: self.cost.prompt_tokens,
            max_completion_tokens: self.cost.output_tokens,
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            num_shortened: shortened.count(),
            num_cut,
            parts: parts.collect(),
        }
    }
}
