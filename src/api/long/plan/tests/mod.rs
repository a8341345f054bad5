mod long;
mod plans;
mod runs;

use super::{Lengths, Overhead, Plan, PlanError, Room, Source};
use crate::document::parts::Pages;
use crate::prompt::LongDocuments;

fn room(context: usize) -> Room {
    Room {
        context,
        overhead: Overhead {
            whole: 300,
            part: 320,
            merge: 340,
            per_note: 20,
            next: 350,
        },
        lengths: Lengths {
            note: 200,
            answer: 400,
            join_percent: 150,
        },
    }
}

/// Parts of a document of as many pages.
fn sources(num_parts: usize, num_tokens: usize) -> Vec<Source> {
    let source = |index: usize| Source {
        document: 0,
        pages: Pages {
            first: index as u32 + 1,
            last: index as u32 + 1,
        },
        range: index * 1000..index * 1000 + 990,
        num_tokens,
    };
    (0..num_parts).map(source).collect()
}

fn plan(strategy: LongDocuments, num_parts: usize, context: usize) -> Result<Plan, PlanError> {
    // By `join` an answer to 240 tokens takes up to 392.
    let num_tokens = match strategy {
        LongDocuments::Join => 240,
        LongDocuments::MapReduce | LongDocuments::Refine => 800,
    };
    Plan::new(strategy, sources(num_parts, num_tokens), &room(context))
}
