use super::choice::{AnswerText, Choice, Echo};
use super::logprobs::{TokenLogprob, WaitingTokens};
use super::transcript::{Part, Transcript};
use super::{FinishReason, GenerationEvent};
use crate::engine::{self, PromptReport, SequenceEvent, TokenOutput, TopToken};
use crate::text::fixtures::{byte_level_json, sentencepiece_json, tokenizer};
use crate::text::{StopStrings, Tokenizer};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};
use tokio::sync::mpsc;

static BYTE_LEVEL: LazyLock<Arc<Tokenizer>> = LazyLock::new(|| tokenizer(&byte_level_json()));
static FALLBACK: LazyLock<Arc<Tokenizer>> = LazyLock::new(|| tokenizer(&sentencepiece_json()));

#[derive(Default)]
struct Setting<'a> {
    stop: &'a [&'a str],
    min_tokens: usize,
    echo: Option<&'a str>,
}

fn choice(tokenizer: &Arc<Tokenizer>, setting: &Setting<'_>) -> Choice {
    let text = AnswerText {
        tokenizer: Arc::clone(tokenizer),
        detokenizer: tokenizer.detokenizer().continuing(),
        stop: StopStrings::new(setting.stop.iter().map(|s| (*s).to_owned()).collect()),
        min_tokens: setting.min_tokens,
        transcript: Transcript::Plain,
        one_call: false,
    };
    let echo = setting.echo.map(|text| Echo {
        tokenizer: Arc::clone(tokenizer),
        prompt: tokenizer.encode_prompt(text).unwrap().into(),
        text: text.into(),
        with_logprobs: true,
    });
    let echoed = setting.echo.map_or(0, |text| text.chars().count());
    let waiting = WaitingTokens::new(Arc::clone(tokenizer), echoed);
    Choice::new(0, mpsc::unbounded_channel().1, text, echo, Some(waiting))
}

fn output(id: u32) -> TokenOutput {
    TokenOutput {
        id,
        logprob: -(id as f32),
        top: vec![TopToken {
            id: 0,
            logprob: -0.1,
        }],
    }
}

/// The events of an answer that the model ends after `ids`, unless a stop string does.
fn answer(tokenizer: &Arc<Tokenizer>, setting: &Setting<'_>, ids: &[u32]) -> Vec<GenerationEvent> {
    let mut choice = choice(tokenizer, setting);
    let mut out = VecDeque::new();
    let tokens = ids.iter().map(|id| SequenceEvent::Token(output(*id)));
    let end = SequenceEvent::Finished(engine::FinishReason::Length);
    for event in tokens.chain([end]) {
        if choice.accept(Some(event), &mut out).is_break() {
            break;
        }
    }
    out.into()
}

/// The chunks of text, each with the text of the tokens that came with it.
fn chunks(events: &[GenerationEvent]) -> Vec<(String, Vec<String>)> {
    events
        .iter()
        .filter_map(|event| match event {
            GenerationEvent::Delta {
                part: Part::Content(text),
                logprobs,
                ..
            } => Some((text.clone(), logprobs.iter().map(text_of).collect())),
            _ => None,
        })
        .collect()
}

fn text_of(token: &TokenLogprob) -> String {
    String::from_utf8_lossy(&token.bytes).into_owned()
}

fn chunk(text: &str, tokens: &[&str]) -> (String, Vec<String>) {
    let tokens = tokens.iter().map(|token| (*token).to_owned()).collect();
    (text.to_owned(), tokens)
}

fn ids(tokenizer: &Tokenizer, tokens: &[&str]) -> Vec<u32> {
    tokens
        .iter()
        .map(|token| tokenizer.token_to_id(token).unwrap())
        .collect()
}

fn reason(events: &[GenerationEvent]) -> FinishReason {
    match events.last() {
        Some(GenerationEvent::Finished { reason, .. }) => *reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_tokens_of_a_character_come_with_the_character() {
    let ids = BYTE_LEVEL.encode_prompt("aéb").unwrap();
    let events = answer(&BYTE_LEVEL, &Setting::default(), &ids);
    assert_eq!(
        chunks(&events),
        [
            chunk("a", &["a"]),
            chunk("é", &["\u{FFFD}", "\u{FFFD}"]),
            chunk("b", &["b"])
        ]
    );
}

#[test]
fn a_token_s_place_is_counted_in_characters() {
    let ids = BYTE_LEVEL.encode_prompt("é😀b").unwrap();
    let events = answer(&BYTE_LEVEL, &Setting::default(), &ids);
    let offsets: Vec<usize> = events
        .iter()
        .flat_map(|event| match event {
            GenerationEvent::Delta { logprobs, .. } => logprobs.as_slice(),
            _ => &[],
        })
        .map(|token| token.text_offset)
        .collect();
    assert_eq!(offsets, [0, 0, 1, 1, 1, 1, 2]);
}

#[test]
fn tokens_wait_as_long_as_their_text_and_those_of_a_stop_string_are_not_told() {
    let stop = Setting {
        stop: &["ab"],
        ..Setting::default()
    };
    let events = answer(
        &BYTE_LEVEL,
        &stop,
        &ids(&BYTE_LEVEL, &["x", "a", "c", "a", "b", "d"]),
    );
    assert_eq!(
        chunks(&events),
        [chunk("x", &["x"]), chunk("ac", &["a", "c"])]
    );
    assert_eq!(reason(&events), FinishReason::Stop);
}

#[test]
fn a_control_token_before_a_stop_string_is_told_and_one_within_is_not() {
    let stop = Setting {
        stop: &["ab"],
        ..Setting::default()
    };
    let tokens = ["x", "<|im_start|>", "a", "<|im_end|>", "b"];
    let events = answer(&BYTE_LEVEL, &stop, &ids(&BYTE_LEVEL, &tokens));
    assert_eq!(
        chunks(&events),
        [chunk("x", &["x"]), chunk("", &["<|im_start|>"])]
    );
}

#[test]
fn a_token_that_a_stop_string_cuts_in_two_is_told() {
    let stop = Setting {
        stop: &["lo"],
        ..Setting::default()
    };
    let events = answer(&BYTE_LEVEL, &stop, &ids(&BYTE_LEVEL, &["hell", "o"]));
    assert_eq!(chunks(&events), [chunk("hel", &["hell"])]);
}

#[test]
fn tokens_whose_text_is_held_to_the_end_come_at_the_end() {
    let stop = Setting {
        stop: &["abc"],
        ..Setting::default()
    };
    let tokens = ids(&BYTE_LEVEL, &["a", "b", "<|im_start|>"]);
    let events = answer(&BYTE_LEVEL, &stop, &tokens);
    assert_eq!(chunks(&events), [chunk("ab", &["a", "b", "<|im_start|>"])]);
    assert_eq!(reason(&events), FinishReason::Length);
}

#[test]
fn bytes_that_wait_for_their_run_to_end_do_not_bring_the_next_token_too_early() {
    let stop = Setting {
        stop: &["b"],
        ..Setting::default()
    };
    let tokens = ids(&FALLBACK, &["<0xC3>", "<0xA9>", "b"]);
    let events = answer(&FALLBACK, &stop, &tokens);
    assert_eq!(chunks(&events), [chunk("é", &["\u{FFFD}", "\u{FFFD}"])]);
}

#[test]
fn a_stop_string_counts_once_the_minimum_of_tokens_is_there() {
    let tokens = ids(&BYTE_LEVEL, &["a", "b", "c", "a", "b", "d"]);
    for (min_tokens, expected) in [(0, ""), (2, ""), (3, "abc"), (5, "abc"), (6, "abcabd")] {
        let setting = Setting {
            stop: &["ab"],
            min_tokens,
            ..Setting::default()
        };
        let events = answer(&BYTE_LEVEL, &setting, &tokens);
        let text: String = chunks(&events).into_iter().map(|(text, _)| text).collect();
        assert_eq!(text, expected, "{min_tokens}");
    }
}

#[test]
fn an_echo_comes_first_with_all_tokens_of_the_prompt() {
    let setting = Setting {
        echo: Some("hell é"),
        ..Setting::default()
    };
    let mut choice = choice(&BYTE_LEVEL, &setting);
    let prompt = BYTE_LEVEL.encode_prompt("hell é").unwrap();
    let report = PromptReport {
        num_cached_tokens: 2,
        logprobs: prompt[1..].iter().map(|id| output(*id)).collect(),
    };
    let mut out = VecDeque::new();
    for event in [
        SequenceEvent::Prompt(report),
        SequenceEvent::Token(output(ids(&BYTE_LEVEL, &["x"])[0])),
    ] {
        assert!(choice.accept(Some(event), &mut out).is_continue());
    }
    let [prompt_event, echo, delta] = out.make_contiguous() else {
        panic!("{out:?}")
    };
    assert_eq!(
        *prompt_event,
        GenerationEvent::Prompt {
            choice: 0,
            num_cached_tokens: 2
        }
    );
    let GenerationEvent::Echo { text, logprobs, .. } = echo else {
        panic!("{echo:?}")
    };
    assert_eq!(text, "hell é");
    assert_eq!(logprobs.len(), prompt.len());
    assert_eq!((logprobs[0].logprob, logprobs[0].top.len()), (None, 0));
    assert_eq!(logprobs[1].logprob, Some(-(prompt[1] as f32)));
    let GenerationEvent::Delta { logprobs, .. } = delta else {
        panic!("{delta:?}")
    };
    assert_eq!(logprobs[0].text_offset, 6);
}

proptest! {
    #[test]
    fn every_token_is_told_once_in_order_and_no_text_is_shown_before_its_tokens(
        ids in prop::collection::vec(0u32..270, 0..24),
        fallback in any::<bool>(),
    ) {
        let tokenizer = if fallback { &FALLBACK } else { &BYTE_LEVEL };
        let setting = Setting { stop: &["€€"], ..Setting::default() };
        let events = answer(tokenizer, &setting, &ids);
        prop_assume!(reason(&events) == FinishReason::Length);
        let mut told = Vec::new();
        let (mut shown, mut begun) = (0, 0);
        for event in &events {
            if let GenerationEvent::Delta { part: Part::Content(text), logprobs, .. } = event {
                shown += text.len();
                told.extend(logprobs.iter().map(|token| token.logprob));
                begun += logprobs.iter().map(|token| token.bytes.len()).sum::<usize>();
            }
            // U+FFFD is longer than the byte that it stands for.
            prop_assert!(shown <= 3 * begun);
        }
        let expected: Vec<_> = ids.iter().map(|id| Some(-(*id as f32))).collect();
        prop_assert_eq!(told, expected);
    }
}
