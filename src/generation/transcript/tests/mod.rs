//! What each family writes, taken apart whatever way it comes.

#[path = "../../../../tests/fixtures/transcripts/mod.rs"]
mod fixtures;

use super::*;
use fixtures::{FUNCTIONS, Format, Message, Token, formats};
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

static FORMATS: LazyLock<Vec<Format>> = LazyLock::new(formats);

impl Format {
    fn dialect(&self) -> Dialect {
        Dialect::of(&self.template, |text| {
            self.control.iter().any(|control| control == text)
        })
    }

    fn transcript(&self, with_tools: bool) -> Transcript {
        let functions = FUNCTIONS.map(|name| (name.to_owned(), Value::Null));
        let tools = with_tools.then(|| Arc::new(Signatures::from(functions)));
        Transcript::new(&self.dialect(), tools, &self.prompt_end)
    }

    fn pieces<'a>(&'a self, text: &'a str) -> Vec<Piece<'a>> {
        let tokens = self.tokens(text).into_iter();
        tokens
            .map(|token| match token {
                Token::Text(text) | Token::Visible(text) => Piece::Text(text),
                Token::Control(control) => Piece::Control(control),
            })
            .collect()
    }
}

impl fixtures::Transcript {
    /// What comes of it in these pieces.
    fn answer<'a>(&self, format: &Format, pieces: impl Iterator<Item = Piece<'a>>) -> Message {
        let mut transcript = format.transcript(!self.without_tools);
        let mut parts = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Control(control) if !transcript.reads(control) => {}
                piece => transcript.push(piece, &mut parts),
            }
        }
        let is_broken = transcript.is_in_call();
        transcript.finish(&mut parts);
        let mut answer = Message::default();
        let mut is_over = false;
        for part in parts {
            is_over |= self.one_call && matches!(part, Part::Call { index, .. } if index > 0);
            if !is_over {
                answer.add(part);
            }
        }
        let called = !answer.calls.is_empty() && (is_over || !is_broken);
        answer.reason = match called {
            _ if self.is_cut_off() && !is_over => "length",
            true => "tool_calls",
            false => "stop",
        }
        .to_owned();
        answer
    }
}

impl Message {
    fn add(&mut self, part: Part) {
        match part {
            Part::Content(text) => self.content.push_str(&text),
            Part::Reasoning(text) => self.reasoning.push_str(&text),
            Part::Call { index, name } => {
                assert_eq!(index, self.calls.len());
                self.calls.push((name, String::new()));
            }
            Part::Arguments { index, text } => self.calls[index].1.push_str(&text),
        }
    }
}

/// Each character by itself.
fn single<'a>(pieces: &[Piece<'a>]) -> Vec<Piece<'a>> {
    let mut single = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => single.extend(
                text.char_indices()
                    .map(|(at, c)| Piece::Text(&text[at..at + c.len_utf8()])),
            ),
            Piece::Control(_) => single.push(*piece),
        }
    }
    single
}

/// What anybody can see of pieces.
fn visible(pieces: &[Piece<'_>]) -> String {
    let texts = pieces.iter().filter_map(|piece| match piece {
        Piece::Text(text) => Some(*text),
        Piece::Control(_) => None,
    });
    texts.collect()
}

/// Runs a test on each transcript, which says how often it cut it, and names all that fail.
fn for_each(test: impl Fn(&Format, &fixtures::Transcript) -> usize) {
    let mut failed = Vec::new();
    for format in FORMATS.iter() {
        let mut num_cuts = 0;
        for transcript in &format.transcripts {
            match catch_unwind(AssertUnwindSafe(|| test(format, transcript))) {
                Ok(num) => num_cuts += num,
                Err(_) => failed.push(format!("{}: {}", format.name, transcript.name)),
            }
        }
        let num = format.transcripts.len();
        println!("{}: {num} transcripts, {num_cuts} cuts", format.name);
        assert!(num >= 20, "{} has few", format.name);
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn transcripts_come_apart_whatever_their_pieces() {
    for_each(|format, transcript| {
        let pieces = format.pieces(&transcript.says);
        let expected = transcript.expected();
        let whole = transcript.answer(format, pieces.iter().copied());
        assert_eq!(whole, expected);
        let single = single(&pieces);
        let one_by_one = transcript.answer(format, single.iter().copied());
        assert_eq!(one_by_one, expected, "one by one");
        let mut num_cuts = 0;
        for (index, piece) in pieces.iter().enumerate() {
            let Piece::Text(piece) = piece else { continue };
            for (at, _) in piece.char_indices().skip(1) {
                let (before, after) = piece.split_at(at);
                let cut = [Piece::Text(before), Piece::Text(after)];
                let cut = pieces[..index]
                    .iter()
                    .chain(&cut)
                    .chain(&pieces[index + 1..]);
                let answer = transcript.answer(format, cut.copied());
                assert_eq!(answer, expected, "cut at {before}");
                num_cuts += 1;
            }
        }
        num_cuts
    });
}

#[test]
fn transcripts_that_are_cut_off_begin_as_the_whole_does() {
    for_each(|format, transcript| {
        let whole = transcript.expected();
        let pieces = single(&format.pieces(&transcript.says));
        for len in 0..pieces.len() {
            let answer = transcript.answer(format, pieces[..len].iter().copied());
            answer.check_beginning(&whole, &visible(&pieces[..len]));
        }
        pieces.len()
    });
}

proptest::proptest! {
    /// Whatever a model writes, its pieces do not matter.
    #[test]
    fn the_cuts_change_nothing(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "<think>", "</think>", "<tool_call>", "</tool_call>", "{", "}", "[", "]", "\n", " ",
                "\"name\"", "\"arguments\"", ": ", ", ", "\"clock\"", "\"weather\"", "x", "é", "\"", "\\", ";",
                "[TOOL_CALLS]", "[ARGS]", "{\"name\": \"clock\", \"arguments\": {}}", "<|python_tag|>",
                "[THINK]", "[/THINK]", "<|tools_prefix|>", "<|tools_suffix|>", "<|channel|>", "<|message|>",
                "commentary to=functions.clock", "<start_function_call>", "call:clock{", "<escape>",
                "<function=clock>", "<parameter=city>", "</parameter>", "</function>",
            ]),
            0..24,
        ),
        format in 0..FORMATS.len(),
        cut in proptest::collection::vec(1..5usize, 1..8),
    ) {
        let format = &FORMATS[format];
        let transcript = &format.transcripts[0];
        let text = words.concat();
        let pieces = format.pieces(&text);
        let whole = transcript.answer(format, pieces.iter().copied());
        let mut lengths = cut.iter().cycle();
        let mut cuts = Vec::new();
        for piece in pieces {
            let Piece::Text(mut rest) = piece else {
                cuts.push(piece);
                continue;
            };
            while !rest.is_empty() {
                let length = *lengths.next().unwrap_or(&1);
                let end = rest.char_indices().nth(length).map_or(rest.len(), |(at, _)| at);
                cuts.push(Piece::Text(&rest[..end]));
                rest = &rest[end..];
            }
        }
        proptest::prop_assert_eq!(transcript.answer(format, cuts.into_iter()), whole);
    }
}
