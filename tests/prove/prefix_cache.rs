//! A letter that is asked about again is not computed again, and nobody else finds it.

use crate::client::Answer;
use crate::prompts::{Prompts, TokenCounter, streamed};
use crate::report::{OutOfBounds, Report, ms};
use crate::server::{Caller, Server};
use crate::settings::Settings;
use crate::statistics::median;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(300);
const LETTER_TOKENS: usize = 1500;
/// Letters whose first question is timed; the last of them is asked the other questions too.
const NUM_LETTERS: usize = 5;
const MAX_TOKENS: usize = 8;
/// Tokens in a KV block: a prefix is found in whole ones.
const BLOCK_SIZE: usize = 32;
/// The first token of a cached letter comes in this share of a cold one's time.
const MAX_SHARE: f64 = 1.0 / 8.0;

const QUESTIONS: [&str; 20] = [
    "Who wrote this letter?",
    "What is the deadline?",
    "Welche Unterlagen fehlen?",
    "Quel est le montant ?",
    "In which town is the office?",
    "Name one document.",
    "Is a fee due?",
    "Wie lautet das Aktenzeichen?",
    "À qui faut-il répondre ?",
    "When is the office open?",
    "Summarise it in a sentence.",
    "Which month is named first?",
    "Can one object to it?",
    "Wer ist zuständig?",
    "Faut-il une copie du bail ?",
    "Has anybody moved?",
    "How many documents are missing?",
    "Was passiert nach der Frist?",
    "Y a-t-il un numéro de téléphone ?",
    "Translate the first line.",
];

/// One caller's view: what it asked so far, and what of a prompt it should find again.
struct Asked<'a> {
    counter: &'a TokenCounter,
    prompts: Vec<Vec<u32>>,
}

impl Asked<'_> {
    /// Tokens of the whole blocks that the prompt begins with and an earlier one did too.
    fn expect(&mut self, content: &str) -> Expected {
        let prompt = self.counter.tokens_of_chat(content);
        let shared = self.prompts.iter().map(|earlier| {
            let pairs = earlier.iter().zip(&prompt);
            pairs.take_while(|(a, b)| a == b).count()
        });
        let shared = shared.max().unwrap_or(0);
        let num_tokens = prompt.len();
        self.prompts.push(prompt);
        Expected {
            num_tokens,
            shared,
            cached: shared / BLOCK_SIZE * BLOCK_SIZE,
        }
    }
}

#[derive(Clone, Copy)]
struct Expected {
    num_tokens: usize,
    shared: usize,
    cached: usize,
}

impl Expected {
    fn is_met_by(&self, answer: &Answer) -> bool {
        answer.usage.prompt_tokens == self.num_tokens
            && answer.usage.cached_tokens() == Some(self.cached)
    }
}

#[test]
#[ignore = "a proof: make prove"]
fn prefix_cache() -> Result<(), OutOfBounds> {
    crate::prove(DEADLINE, async {
        let mut report =
            Report::new("prefix_cache: a letter is computed once, for one caller alone");
        let server = Server::start(&Settings::default()).await;
        let [a, b] = [Caller::A, Caller::B].map(|caller| server.client(caller));
        let mut prompts = Prompts::new(1);
        let counter = prompts.counter();
        let mut asked = Asked {
            counter: &counter,
            prompts: Vec::new(),
        };
        let letters: Vec<_> = (0..NUM_LETTERS)
            .map(|_| prompts.text(LETTER_TOKENS))
            .collect();

        let (mut cold, mut cold_as_expected) = (Vec::new(), 0);
        for letter in &letters {
            let content = format!("{letter}\n\n{}", QUESTIONS[0]);
            let expected = asked.expect(&content);
            let answer = a.chat(&streamed(&content, MAX_TOKENS)).await.answer();
            cold_as_expected += usize::from(expected.is_met_by(&answer));
            cold.push(answer.first_token);
        }
        let letter = &letters[NUM_LETTERS - 1];
        let (mut warm, mut found, mut wanted) = (Vec::new(), Vec::new(), Vec::new());
        for question in &QUESTIONS[1..] {
            let content = format!("{letter}\n\n{question}");
            let expected = asked.expect(&content);
            let answer = a.chat(&streamed(&content, MAX_TOKENS)).await.answer();
            warm.push(answer.first_token);
            found.push((answer.usage.prompt_tokens, answer.usage.cached_tokens()));
            wanted.push(expected);
        }
        let content = format!("{letter}\n\n{}", QUESTIONS[1]);
        let other = b.chat(&streamed(&content, MAX_TOKENS)).await.answer();

        let lengths = || wanted.iter().map(|expected| expected.num_tokens);
        report.figure(
            "tokens of the letter and a question",
            format!(
                "{} to {}",
                lengths().min().unwrap(),
                lengths().max().unwrap()
            ),
        );
        let shared = || wanted.iter().map(|expected| expected.shared);
        report.figure(
            "tokens shared with an earlier question",
            format!("{} to {}", shared().min().unwrap(), shared().max().unwrap()),
        );
        report.bound(
            "cold letters, cached tokens as computed here",
            cold_as_expected,
            NUM_LETTERS,
            cold_as_expected == NUM_LETTERS,
        );
        let strange = found.iter().zip(&wanted).filter_map(|(found, wanted)| {
            let wanted = (wanted.num_tokens, Some(wanted.cached));
            (*found != wanted).then(|| format!("{} for {}", shown(*found), shown(wanted)))
        });
        let strange: Vec<_> = strange.collect();
        let cached = || wanted.iter().map(|expected| expected.cached);
        report.figure(
            "tokens of them in whole blocks",
            format!("{} to {}", cached().min().unwrap(), cached().max().unwrap()),
        );
        report.bound(
            "questions 2 to 20 with other counts",
            match strange.first() {
                None => "none".to_owned(),
                Some(first) => format!("{}, such as {first}", strange.len()),
            },
            "none",
            strange.is_empty(),
        );
        let found = other.usage.cached_tokens();
        report.bound(
            "the same question of another caller, cached",
            shown_count(found),
            0,
            found == Some(0),
        );
        let (cold, warm) = (median(&cold), median(&warm));
        report.figure("first token, cold letter, median of 5", ms(cold));
        report.bound(
            "first token, questions 2 to 20, median",
            ms(warm),
            format!("at most {}", ms(cold * MAX_SHARE)),
            warm <= cold * MAX_SHARE,
        );
        report.figure(
            "that is less time by the factor",
            format!("{:.1}", cold / warm),
        );
        report.figure("first token, another caller", ms(other.first_token));
        report.finish(server).await
    })
}

fn shown((prompt, cached): (usize, Option<usize>)) -> String {
    format!("{prompt} ({} cached)", shown_count(cached))
}

fn shown_count(count: Option<usize>) -> String {
    count.map_or_else(|| "not told".to_owned(), |count| count.to_string())
}
