//! Quotations are the documents' own words at the places that are told, whatever the model would
//! rather write: here one of random weights, at a high temperature.

use crate::report::{OutOfBounds, Report};
use crate::settings::model_dir;
use crate::statistics::{median, percentile};
use guichet::app::load_served_model;
use guichet::config::{Config, RandomWeights};
use guichet::document::checks::survey;
use guichet::generation::{
    ChatInput, Citations, FinishReason, GenerationEvent, GenerationParams, Part, Quotation,
    Scanner, ServedModel, TopK,
};
use guichet::text::quotation::Source;
use guichet::text::{ChatMessage, ChatPrompt};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

const DEADLINE: Duration = Duration::from_secs(1800);
const NUM_QUOTATIONS: usize = 1000;
/// Choices that are generated side by side.
const BATCH: usize = 16;
const TEMPERATURE: f32 = 1.5;
const MIN_CHARS: usize = 40;
const MAX_TOKENS: usize = 400;
const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// The costs of one round each, one after the other.
const COST_ROUNDS: usize = 5;
const COST_TOKENS: usize = 48;
const MAX_COST: f64 = 1.15;

#[test]
#[ignore = "a proof: make prove"]
fn quotations() -> Result<(), OutOfBounds> {
    let mut report = Report::new("quotations: the documents' words, and where they stand");
    let mut config = Config::default();
    config.model.weights = Some(RandomWeights(1));
    config.engine.kv_cache_mib = Some(512);
    let model = load_served_model(&model_dir(), &config).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let proof = async {
        exactness(&mut report, &model).await;
        cost(&mut report, &model).await;
    };
    let end = runtime.block_on(async { tokio::time::timeout(DEADLINE, proof).await });
    end.unwrap_or_else(|_| panic!("the proof was not done after {} s", DEADLINE.as_secs()));
    report.end()
}

/// Numbers that follow from a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % below as u64) as usize
    }
}

/// Administrative prose of about so many bytes, with amounts, dates and references in it, and
/// accents that are characters of their own.
fn document(language: &str, num_bytes: usize, random: &mut Random) -> String {
    let path = format!(
        "{}/tests/fixtures/prose/{language}.txt",
        env!("CARGO_MANIFEST_DIR")
    );
    let prose = std::fs::read_to_string(path).unwrap().replace('\n', " ");
    let sentences: Vec<&str> = prose.split_inclusive(". ").collect();
    let mut text = String::new();
    while text.len() < num_bytes {
        let mut sentence = sentences[random.below(sentences.len())].to_owned();
        match random.below(6) {
            0 => sentence.push_str(&format!(
                "Total : {} {:03},{:02} €. ",
                1 + random.below(99),
                random.below(1000),
                random.below(100)
            )),
            1 => sentence.push_str(&format!(
                "Az. {}/{:04}-{}, {}.{:02}.2026. ",
                random.below(900),
                random.below(9999),
                random.below(9),
                1 + random.below(28),
                1 + random.below(12)
            )),
            2 => {
                sentence = sentence
                    .replace('é', "e\u{301}")
                    .replace('ü', "u\u{308}")
                    .replace('a', "a\u{323}")
            }
            3 => sentence.push_str("\n\n"),
            _ => {}
        }
        text.push_str(&sentence);
    }
    text.trim_end().to_owned()
}

/// A chat whose answer begins with a quotation of the one document, and ends with it.
async fn quoted(model: &ServedModel, citations: &Arc<Citations>, seed: u64) -> Vec<Answer> {
    let params = GenerationParams {
        stop: vec![CLOSING.to_owned()],
        citations: Some(Arc::clone(citations)),
        max_tokens: Some(MAX_TOKENS),
        ..params(seed)
    };
    answers(model, &params).await
}

/// What a choice said, and whether it came to its stop string.
#[derive(Clone, Default)]
struct Answer {
    text: String,
    has_ended: bool,
}

/// A stop string is no part of an answer.
const CLOSING: &str = "</quote>";

fn params(seed: u64) -> GenerationParams {
    GenerationParams {
        temperature: Some(TEMPERATURE),
        top_p: Some(1.0),
        top_k: Some(TopK::Off),
        seed: Some(seed),
        n: BATCH,
        ..GenerationParams::default()
    }
}

async fn answers(model: &ServedModel, params: &GenerationParams) -> Vec<Answer> {
    let message = ChatMessage {
        role: "user".to_owned(),
        content: "Quote.".into(),
        ..ChatMessage::default()
    };
    let prompt = ChatPrompt {
        messages: vec![message],
        ..ChatPrompt::default()
    };
    let input = ChatInput {
        prompt,
        tools: None,
    };
    let mut generation = model.chat(&input, params, SystemTime::now()).unwrap();
    let mut answers = vec![Answer::default(); params.n];
    while let Some(event) = generation.next().await {
        match event {
            GenerationEvent::Delta {
                choice,
                part: Part::Content(text),
                ..
            } => answers[choice].text.push_str(&text),
            GenerationEvent::Finished { choice, reason, .. } => {
                answers[choice].has_ended = reason == FinishReason::Stop;
            }
            GenerationEvent::Failed(error) => panic!("{error}"),
            _ => {}
        }
    }
    answers
}

async fn exactness(report: &mut Report, model: &ServedModel) {
    let mut random = Random(4);
    let mut lengths = Vec::new();
    let (mut num_cut, mut num_wrong, mut num_empty, mut num_within) = (0, 0, 0, 0);
    let mut slowest = (Duration::ZERO, 0, 0);
    let mut seed = 0;
    while lengths.len() < NUM_QUOTATIONS {
        let size = SIZES[seed as usize % SIZES.len()];
        let language = ["fr", "de", "en"][seed as usize / SIZES.len() % 3];
        let text = document(language, size, &mut random);
        let began = Instant::now();
        let whole = survey(&text).values;
        let source = Source::new(text.as_str().into(), &whole);
        if began.elapsed() > slowest.0 {
            slowest = (began.elapsed(), text.len(), source.num_bytes());
        }
        let citations = Arc::new(Citations::new(vec![source], MIN_CHARS).with_first(true));
        for answer in quoted(model, &citations, seed).await {
            let end = if answer.has_ended { CLOSING } else { "" };
            let found = Scanner::default().push(&(answer.text + end));
            let [Quotation { words, .. }] = found.as_slice() else {
                num_cut += 1;
                continue;
            };
            let places = citations.sources()[0].occurrences(words);
            num_empty += usize::from(words.is_empty());
            num_wrong += usize::from(
                places.is_empty() || places.iter().any(|place| &text[place.clone()] != words),
            );
            num_within += usize::from(places.iter().any(|place| cuts(&text, place, &whole)));
            lengths.push(words.chars().count() as f64);
        }
        seed += 1;
    }
    let num = lengths.len();
    report.bound(
        "quotations",
        num,
        format!("at least {NUM_QUOTATIONS}"),
        num >= NUM_QUOTATIONS,
    );
    report.figure(
        "of weights, temperature, documents",
        format!("random, {TEMPERATURE}, 1 kB to 1 MB in three languages"),
    );
    report.bound("not exact at their places", num_wrong, "0", num_wrong == 0);
    report.bound("empty", num_empty, "0", num_empty == 0);
    report.bound(
        "that begin or end within a word or a number",
        num_within,
        "0",
        num_within == 0,
    );
    report.figure(&format!("cut by {MAX_TOKENS} tokens, not counted"), num_cut);
    let middle = median(&lengths);
    report.bound(
        "characters, median",
        middle,
        format!("at least {MIN_CHARS}"),
        middle >= MIN_CHARS as f64,
    );
    report.figure("characters, 90th of 100", percentile(&lengths, 90.0));
    let (took, text_bytes, index_bytes) = slowest;
    report.figure(
        "index, slowest",
        format!(
            "{} ms, {index_bytes} bytes for a text of {text_bytes}",
            took.as_millis()
        ),
    );
}

/// Whether a range parts a word, a number, or one of `whole`. Told without the rules by which
/// quotations are cut.
fn cuts(text: &str, range: &Range<usize>, whole: &[Range<usize>]) -> bool {
    let parts = |at: usize| {
        let (before, after) = (text[..at].chars().next_back(), text[at..].chars().next());
        let is_word = |character: Option<char>| {
            character.is_some_and(|c| c.is_alphanumeric() || ('\u{300}'..'\u{370}').contains(&c))
        };
        let is_number = |character: Option<char>| character.is_some_and(|c| c.is_ascii_digit());
        let joins = |character: Option<char>| matches!(character, Some('.' | ',' | '/' | '-'));
        let two_before = text[..at].chars().rev().nth(1);
        let two_after = text[at..].chars().nth(1);
        is_word(before) && is_word(after)
            || is_number(before) && joins(after) && is_number(two_after)
            || joins(before) && is_number(two_before) && is_number(after)
            || whole.iter().any(|whole| whole.start < at && at < whole.end)
    };
    parts(range.start) || parts(range.end)
}

/// Time for a token within a quotation and without any, in turns.
async fn cost(report: &mut Report, model: &ServedModel) {
    let mut random = Random(9);
    // One paragraph, that no answer comes to the end of.
    let text = document("fr", 100_000, &mut random).replace("\n\n", " ");
    let source = Source::new(text.as_str().into(), &survey(&text).values);
    let citations = Arc::new(Citations::new(vec![source], 100_000).with_first(true));
    let (mut free, mut within) = (Vec::new(), Vec::new());
    for round in 0..COST_ROUNDS as u64 {
        let endless = GenerationParams {
            max_tokens: Some(COST_TOKENS),
            ignore_eos: true,
            ..params(round)
        };
        let quoting = GenerationParams {
            citations: Some(Arc::clone(&citations)),
            ..endless.clone()
        };
        for (params, times) in [(&endless, &mut free), (&quoting, &mut within)] {
            let began = Instant::now();
            answers(model, params).await;
            times.push(began.elapsed().as_secs_f64() / COST_TOKENS as f64);
        }
    }
    let (free, within) = (median(&free), median(&within));
    report.figure("step of 16 answers, free", crate::report::ms(free));
    report.figure(
        "step of 16 answers, within a quotation",
        crate::report::ms(within),
    );
    let cost = within / free;
    report.bound(
        "cost of a token",
        format!("{cost:.3}"),
        format!("at most {MAX_COST}"),
        cost <= MAX_COST,
    );
}
