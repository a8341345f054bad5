//! What each family writes, taken apart whatever way it comes.

mod families;

use super::*;

/// What a client gets in the end.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    content: String,
    reasoning: String,
    calls: Vec<(String, String)>,
}

/// A family: its template, and its control tokens.
struct Family {
    template: &'static str,
    control: &'static [&'static str],
    prompt_end: &'static str,
}

const QWEN: Family = Family {
    template: "<tool_call> <tool_response> <think> </think>",
    control: &["<|im_start|>", "<|im_end|>"],
    prompt_end: "<|im_start|>assistant\n",
};

const LLAMA: Family = Family {
    template: "ipython <|python_tag|> parameters",
    control: &["<|python_tag|>", "<|eot_id|>", "<|eom_id|>"],
    prompt_end: "<|start_header_id|>assistant<|end_header_id|>\n\n",
};

const MISTRAL: Family = Family {
    template: "[AVAILABLE_TOOLS] [TOOL_CALLS] [THINK] [/THINK]",
    control: &["[TOOL_CALLS]", "[ARGS]", "[CALL_ID]", "[THINK]", "[/THINK]"],
    prompt_end: "[/INST]",
};

const APERTUS: Family = Family {
    template: "<|tools_prefix|> <|inner_prefix|> <|inner_suffix|>",
    control: &[
        "<|tools_prefix|>",
        "<|tools_suffix|>",
        "<|inner_prefix|>",
        "<|inner_suffix|>",
    ],
    prompt_end: "<|assistant_start|>",
};

const GPT_OSS: Family = Family {
    template: "<|channel|> <|message|>",
    control: &[
        "<|start|>",
        "<|end|>",
        "<|message|>",
        "<|channel|>",
        "<|constrain|>",
        "<|call|>",
        "<|return|>",
    ],
    prompt_end: "<|start|>assistant",
};

const GEMMA: Family = Family {
    template: "<start_function_call>",
    control: &["<start_function_call>", "<end_function_call>", "<escape>"],
    prompt_end: "<start_of_turn>model\n",
};

const NONE: Family = Family {
    template: "",
    control: &[],
    prompt_end: "assistant:",
};

impl Family {
    fn dialect(&self) -> Dialect {
        Dialect::of(self.template, |text| self.control.contains(&text))
    }

    fn transcript(&self, with_tools: bool) -> Transcript {
        let names = ["weather", "time", "délai"].map(str::to_owned);
        let tools = with_tools.then(|| Arc::new(BTreeSet::from(names)));
        Transcript::new(&self.dialect(), tools, self.prompt_end)
    }

    /// A text's control tokens and what lies between them.
    fn pieces<'a>(&self, text: &'a str) -> Vec<Piece<'a>> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((at, control)) = self
            .control
            .iter()
            .filter_map(|control| Some((rest.find(control)?, *control)))
            .min()
        {
            if at > 0 {
                pieces.push(Piece::Text(&rest[..at]));
            }
            pieces.push(Piece::Control(control));
            rest = &rest[at + control.len()..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest));
        }
        pieces
    }

    fn answer<'a>(&self, with_tools: bool, pieces: impl Iterator<Item = Piece<'a>>) -> Answer {
        let mut transcript = self.transcript(with_tools);
        let mut answer = Answer::default();
        let mut parts = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Control(control) if !transcript.reads(control) => {}
                piece => transcript.push(piece, &mut parts),
            }
            parts.drain(..).for_each(|part| answer.add(part));
        }
        transcript.finish(&mut parts);
        parts.drain(..).for_each(|part| answer.add(part));
        assert_eq!(transcript.num_calls(), answer.calls.len());
        answer
    }
}

impl Answer {
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

/// Where a text can be cut, at each of its characters.
fn chars(text: &str) -> impl Iterator<Item = &str> {
    let ends = text.char_indices().map(|(at, c)| (at, at + c.len_utf8()));
    ends.map(|(start, end)| &text[start..end])
}

type Calls<'a> = &'a [(&'a str, &'a str)];

#[track_caller]
fn check(family: &Family, text: &str, content: &str, reasoning: &str, calls: Calls<'_>) {
    let expected = Answer {
        content: content.to_owned(),
        reasoning: reasoning.to_owned(),
        calls: calls
            .iter()
            .map(|(n, a)| (n.to_string(), a.to_string()))
            .collect(),
    };
    let pieces = family.pieces(text);
    let whole = family.answer(true, pieces.iter().copied());
    assert_eq!(whole, expected, "{text}");
    // Each character by itself, then all in two at each place.
    let single = pieces.iter().flat_map(|piece| match piece {
        Piece::Text(text) => chars(text).map(Piece::Text).collect(),
        Piece::Control(_) => vec![*piece],
    });
    assert_eq!(family.answer(true, single), expected, "{text}, one by one");
    for (index, piece) in pieces.iter().enumerate() {
        let Piece::Text(piece) = piece else { continue };
        for (at, _) in piece.char_indices().skip(1) {
            let (before, after) = piece.split_at(at);
            let cut = [Piece::Text(before), Piece::Text(after)];
            let cut = pieces[..index]
                .iter()
                .chain(&cut)
                .chain(&pieces[index + 1..]);
            assert_eq!(
                family.answer(true, cut.copied()),
                expected,
                "{text}, cut at {before}"
            );
        }
    }
}

#[test]
fn a_closing_tag_that_is_cut_off_is_not_shown() {
    let call = r#"<tool_call>{"name": "time", "arguments": {}}"#;
    for end in ["", "\n", "\n</tool_c"] {
        check(&QWEN, &format!("{call}{end}"), "", "", &[("time", "{}")]);
    }
}

#[test]
fn nothing_is_lost_behind_a_call() {
    let calls = r#"[{"name": "time", "arguments": {}}, {"foo": 1}]"#;
    let text = format!("<tool_call>{calls}</tool_call>");
    check(
        &QWEN,
        &text,
        r#", {"foo": 1}]</tool_call>"#,
        "",
        &[("time", "{}")],
    );
    check(
        &QWEN,
        r#"<tool_call>[{"name": "time", "arguments": {}}, {"na"#,
        r#", {"na"#,
        "",
        &[("time", "{}")],
    );
}

#[test]
fn channels_call_nothing_where_there_are_no_functions() {
    let said = "<|channel|>commentary to=functions.time <|message|>{}<|call|>";
    let answer = GPT_OSS.answer(false, GPT_OSS.pieces(said).into_iter());
    assert_eq!((answer.content.as_str(), answer.calls.len()), ("{}", 0));
}

#[test]
fn without_tools_and_reasoning_everything_is_text() {
    for text in [
        "<tool_call>{\"name\": \"time\"}</tool_call>\n",
        "<think>x</think> y",
        "",
    ] {
        let answer = NONE.answer(false, NONE.pieces(text).into_iter());
        assert_eq!(answer.content, text);
    }
    let text = "<tool_call>{\"name\": \"time\", \"arguments\": {}}</tool_call>\n";
    assert_eq!(
        QWEN.answer(false, QWEN.pieces(text).into_iter()).content,
        text
    );
}

proptest::proptest! {
    /// Whatever a model writes, its pieces do not matter.
    #[test]
    fn the_cuts_change_nothing(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "<think>", "</think>", "<tool_call>", "</tool_call>", "{", "}", "[", "]", "\n", " ",
                "\"name\"", "\"arguments\"", ": ", ", ", "\"time\"", "\"weather\"", "x", "é", "\"", "\\", ";",
                "[TOOL_CALLS]", "[ARGS]", "{\"name\": \"time\", \"arguments\": {}}", "<|python_tag|>",
            ]),
            0..24,
        ),
        family in 0..4usize,
        cut in proptest::collection::vec(1..5usize, 1..8),
    ) {
        let family = [&QWEN, &LLAMA, &MISTRAL, &NONE][family];
        let text = words.concat();
        let pieces = family.pieces(&text);
        let whole = family.answer(true, pieces.iter().copied());
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
        proptest::prop_assert_eq!(family.answer(true, cuts.into_iter()), whole);
    }
}
