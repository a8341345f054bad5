//! What was compared, as one table.

use super::conversation::{Conversation, Expected, Part, Said};
use super::{AddedToken, Case};
use serde_json::{Value, json};

/// Added tokens that are put into one conversation.
const BATCH: usize = 64;

#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
}

#[derive(Default)]
pub struct Row {
    name: String,
    class: String,
    num_cases: usize,
    num_texts: usize,
    num_same_texts: usize,
    num_same_ids: usize,
    /// Ids that are those of tokenizer.json alone, where `transformers` builds something else.
    num_file_ids: usize,
    num_refusals: usize,
    num_same_refusals: usize,
    /// Conversations that the template fails on in `transformers`.
    num_failures: usize,
    /// Tokens in a place where a caller writes, and how often one was taken for itself.
    num_planted: usize,
    num_misread: usize,
    wrong: Vec<String>,
}

impl Report {
    pub fn row(&mut self, name: &str, class: &str) -> &mut Row {
        self.rows.push(Row {
            name: name.to_owned(),
            class: class.to_owned(),
            ..Row::default()
        });
        let last = self.rows.len() - 1;
        &mut self.rows[last]
    }

    /// Prints the table; panics if anything is other than it should be.
    pub fn finish(self) {
        println!(
            "| tokenizer | class | conversations | texts | ids | ids of the file | refusals | fails there | tokens planted | misread |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|");
        for row in &self.rows {
            println!(
                "| {} | {} | {} | {}/{} | {}/{} | {} | {}/{} | {} | {} | {} |",
                row.name,
                row.class,
                row.num_cases,
                row.num_same_texts,
                row.num_texts,
                row.num_same_ids,
                row.num_texts,
                row.num_file_ids,
                row.num_same_refusals,
                row.num_refusals,
                row.num_failures,
                row.num_planted,
                row.num_misread,
            );
        }
        let wrong = self.rows.iter().flat_map(|row| &row.wrong);
        let wrong: Vec<_> = wrong.map(String::as_str).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    }
}

impl Row {
    pub fn compare(&mut self, case: &Case, text: Result<String, String>, ids: Option<&[u32]>) {
        let compared = case.expected.compare(text);
        self.num_cases += 1;
        match &case.expected {
            Expected::Text(_) => {
                self.num_texts += 1;
                self.num_same_texts += usize::from(compared.is_ok());
                self.compare_ids(case, compared.is_ok(), ids.unwrap_or_default());
            }
            Expected::Refuses(_) => {
                self.num_refusals += 1;
                self.num_same_refusals += usize::from(compared.is_ok());
            }
            Expected::Fails(_) => self.num_failures += 1,
        }
        if let Err(difference) = compared {
            let name = &case.conversation.name;
            self.wrong
                .push(format!("{}, {name}: {difference}", self.name));
        }
    }

    fn compare_ids(&mut self, case: &Case, has_same_text: bool, ids: &[u32]) {
        if ids == case.ids {
            self.num_same_ids += 1;
        } else if ids == case.file_ids {
            self.num_file_ids += 1;
        } else if has_same_text {
            let name = &case.conversation.name;
            let same = ids
                .iter()
                .zip(&case.ids)
                .take_while(|(a, b)| a == b)
                .count();
            self.wrong.push(format!(
                "{}, {name}: ids differ from the {same}th on: {:?} expected, {:?} are",
                self.name,
                &case.ids[same.min(case.ids.len())..case.ids.len().min(same + 8)],
                &ids[same.min(ids.len())..ids.len().min(same + 8)],
            ));
        }
    }

    /// Puts added tokens wherever a caller writes. `count` says how often each token stands in
    /// the prompt of a conversation, which must not change.
    pub fn guard(
        &mut self,
        case: &Case,
        tokens: &[AddedToken],
        count: impl Fn(&Conversation) -> Option<Vec<usize>>,
    ) {
        if !matches!(case.expected, Expected::Text(_)) {
            return;
        }
        // What stands there instead: a text that makes none of the tokens.
        let Some(before) = count(&planted(&case.conversation, "x")) else {
            return;
        };
        for batch in tokens.chunks(BATCH) {
            let contents = batch.iter().map(|token| token.content.as_str());
            let contents: Vec<_> = contents.collect();
            let text = format!("{} {}", contents.concat(), contents.join(" "));
            let Some(after) = count(&planted(&case.conversation, &text)) else {
                continue;
            };
            for (token, (before, after)) in tokens.iter().zip(before.iter().zip(after)) {
                if !token.is_plain && after > *before {
                    self.num_misread += 1;
                    let name = &case.conversation.name;
                    self.wrong.push(format!(
                        "{}, {name}: {:?} of a caller is read",
                        self.name, token.content
                    ));
                }
            }
            self.num_planted += batch.len();
        }
    }
}

/// The conversation with `text` in everything that a caller writes.
fn planted(conversation: &Conversation, text: &str) -> Conversation {
    let mut planted = conversation.clone();
    for message in &mut planted.messages {
        match &mut message.content {
            Some(Said::Text(content)) => content.push_str(text),
            Some(Said::Parts(parts)) => parts.push(Part {
                text: text.to_owned(),
            }),
            None => {}
        }
        let written = [&mut message.name, &mut message.reasoning_content];
        for written in written.into_iter().flatten() {
            written.push_str(text);
        }
        for call in &mut message.tool_calls {
            call.function.name.push_str(text);
            call.function.arguments = json!({text: [text]});
        }
    }
    for tool in &mut planted.tools {
        for name in ["name", "description"] {
            let name = &mut tool["function"][name];
            *name = Value::from(format!("{}{text}", name.as_str().unwrap_or_default()));
        }
        tool["function"]["parameters"]["properties"][text] =
            json!({"type": "string", "description": text});
    }
    planted
}
