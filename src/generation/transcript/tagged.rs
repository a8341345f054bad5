mod control;

use super::answer_tags::AnswerTags;
use super::body::{Body, Calls};
use super::calls::Read;
use super::dialect::{Dialect, ToolFormat};
use super::held::Held;
use super::marker::{Marker, Search};
use super::{Part, Piece, Signatures, Sink};
use std::mem::{replace, take};
use std::ops::Range;
use std::sync::Arc;

/// Takes an answer apart in which tags, or control tokens, stand around reasoning and calls.
pub struct Tagged {
    /// What opens and closes it.
    reasoning: Option<(Marker, Marker)>,
    /// What stands around what is for the reader.
    answer: AnswerTags,
    calls: Option<Calls>,
    mode: Mode,
    held: Held,
    num_calls: usize,
}

enum Mode {
    /// No text has come: reasoning may open, or a call that has no tag.
    Start,
    Content,
    Reasoning,
    Call(Body),
    /// Behind a call: its closing tag, or another call.
    Closing,
}

impl Tagged {
    /// `None` if everything is text.
    pub fn new(
        dialect: &Dialect,
        tools: Option<Arc<Signatures>>,
        prompt_end: &str,
    ) -> Option<Self> {
        let reasoning = dialect.reasoning_tags();
        let calls = tools.map(|signatures| Calls {
            open: dialect.open().cloned(),
            close: dialect.close().cloned(),
            format: dialect.tools(),
            signatures,
        });
        if reasoning.is_none() && calls.is_none() {
            return None;
        }
        let opened = reasoning
            .as_ref()
            .is_some_and(|(open, _)| prompt_end.trim_end().ends_with(open.text()));
        Some(Self {
            reasoning,
            answer: AnswerTags::new(dialect.answer_tags()),
            calls,
            mode: if opened { Mode::Reasoning } else { Mode::Start },
            held: Held::new(opened),
            num_calls: 0,
        })
    }

    pub fn num_calls(&self) -> usize {
        self.num_calls
    }

    /// A call was begun and is not complete.
    pub fn is_in_call(&self) -> bool {
        matches!(&self.mode, Mode::Call(body) if body.reader.is_certain())
    }

    pub fn is_reasoning(&self) -> bool {
        matches!(self.mode, Mode::Reasoning)
    }

    pub fn reads(&self, control: &str) -> bool {
        let is = |marker: &Marker| marker.is_control(control);
        let reasoning = self.reasoning.as_ref();
        let calls = self.calls.as_ref();
        reasoning.is_some_and(|(open, close)| is(open) || is(close))
            || calls.is_some_and(|calls| {
                calls.open.iter().chain(&calls.close).any(is) || calls.format.reads_inside(control)
            })
    }

    pub fn push(&mut self, piece: Piece<'_>, out: &mut Vec<Part>) {
        match piece {
            Piece::Text(text) => {
                self.held.text.push_str(text);
                while self.step(out) {}
            }
            Piece::Control(control) => {
                while self.control(control, out) {
                    while self.step(out) {}
                }
            }
        }
    }

    /// The answer ends: what is held becomes no tag any more.
    pub fn finish(&mut self, out: &mut Vec<Part>) {
        if let Mode::Call(body) = &mut self.mode {
            let mut sink = Sink::new(&mut self.num_calls, out);
            let refused = body.finish(&mut sink);
            self.held.text.insert_str(0, &refused);
            self.mode = Mode::Content;
        }
        let close = self.calls.as_ref().and_then(|calls| calls.close.as_ref());
        let is_tag = |close: &Marker| close.starts(self.held.text.trim_start()).is_none();
        if matches!(self.mode, Mode::Closing) && close.is_some_and(is_tag) {
            // The tag was cut off, which is nothing to show.
            self.held.text.clear();
        }
        let len = self.held.text.len();
        match self.mode {
            Mode::Reasoning => self.show_reasoning(len, out),
            _ => self.show_content(len, out),
        }
    }

    /// Goes on with what is held; false: more must come first.
    fn step(&mut self, out: &mut Vec<Part>) -> bool {
        match &self.mode {
            Mode::Start => self.start(),
            Mode::Content => self.content(out),
            Mode::Reasoning => self.reasoning(out),
            Mode::Call(_) => self.call(out),
            Mode::Closing => self.closing(),
        }
    }

    fn start(&mut self) -> bool {
        let text = self.held.text.trim_start();
        if text.is_empty() {
            return false;
        }
        if let Some((open, _)) = &self.reasoning {
            match open.starts(text) {
                None => return false,
                Some(true) => {
                    self.held.text = text[open.text().len()..].to_owned();
                    self.held.trims = true;
                    self.mode = Mode::Reasoning;
                    return true;
                }
                Some(false) => {}
            }
        }
        match self.answer.opens(text) {
            None => return false,
            Some(true) => {
                self.held.text = self.answer.open(text).to_owned();
                self.held.trims = true;
                return true;
            }
            Some(false) => {}
        }
        let is_bare = self
            .calls
            .as_ref()
            .is_some_and(|calls| calls.format.is_bare());
        self.mode = match &self.calls {
            Some(calls) if is_bare && text.starts_with(['{', '[']) => {
                Mode::Call(Body::new(calls, String::new(), false))
            }
            _ => Mode::Content,
        };
        true
    }

    fn content(&mut self, out: &mut Vec<Part>) -> bool {
        let open = self.calls.as_ref().and_then(|calls| calls.open.as_ref());
        let call = match open {
            Some(open) => open.search(&self.held.text),
            None => Search::Clear(self.held.text.len()),
        };
        match (call, self.answer.end_in(&self.held.text)) {
            (Search::Found(call), Search::Found(end)) if call.start < end.start => {
                self.content_before_call(call, out)
            }
            (_, Search::Found(end)) => {
                let text = self.held.text[..end.start].trim_end().len();
                self.show_content(text, out);
                self.held.text.drain(..end.end - text);
                self.held.trims = true;
                self.answer.close();
                true
            }
            (Search::Found(call), Search::Clear(_)) => self.content_before_call(call, out),
            (Search::Clear(call), Search::Clear(end)) => {
                let clear = &self.held.text[..call.min(end)];
                let len = match self.calls.is_some() || self.answer.is_open() {
                    true => clear.trim_end().len(),
                    false => clear.len(),
                };
                self.show_content(len, out);
                false
            }
        }
    }

    /// Calls open at `tag`.
    fn content_before_call(&mut self, tag: Range<usize>, out: &mut Vec<Part>) -> bool {
        let text = self.held.text[..tag.start].trim_end().len();
        let lead = self.held.text[text..tag.end].to_owned();
        if let Some(calls) = &self.calls {
            let body = Body::new(calls, lead, true);
            self.show_content(text, out);
            self.held.text.drain(..tag.end - text);
            self.begin_call(body);
        }
        true
    }

    fn reasoning(&mut self, out: &mut Vec<Part>) -> bool {
        let search = match &self.reasoning {
            Some((_, close)) => close.search(&self.held.text),
            None => Search::Clear(self.held.text.len()),
        };
        match search {
            Search::Found(range) => {
                let text = self.held.text[..range.start].trim_end().len();
                self.show_reasoning(text, out);
                self.held.text.drain(..range.end - text);
                self.end_reasoning();
                true
            }
            Search::Clear(len) => {
                self.show_reasoning(self.held.text[..len].trim_end().len(), out);
                false
            }
        }
    }

    /// A call begins, as far as is known.
    fn begin_call(&mut self, body: Body) {
        self.held.leads(&body.lead);
        self.mode = Mode::Call(body);
    }

    fn end_reasoning(&mut self) {
        self.held.trims = true;
        self.mode = Mode::Start;
    }

    fn call(&mut self, out: &mut Vec<Part>) -> bool {
        let Mode::Call(body) = &mut self.mode else {
            return true;
        };
        let mut sink = Sink::new(&mut self.num_calls, out);
        for (at, character) in self.held.text.char_indices() {
            let was_certain = body.reader.is_certain();
            let (end, given_back) = match body.reader.push(character, &mut sink) {
                Read::More if was_certain || body.reader.is_certain() => {
                    body.raw.clear();
                    continue;
                }
                Read::More => {
                    body.raw.push(character);
                    continue;
                }
                Read::Last => (at + character.len_utf8(), String::new()),
                Read::After => (at, take(&mut body.raw)),
                Read::Refused => {
                    self.held.text.drain(..at);
                    return self.refuse(out);
                }
            };
            self.held.text.replace_range(..end, &given_back);
            self.mode = Mode::Closing;
            self.held.trims = true;
            return true;
        }
        self.held.text.clear();
        false
    }

    /// It was no call: its tag is text, and what follows is looked at again.
    fn refuse(&mut self, out: &mut Vec<Part>) -> bool {
        if let Mode::Call(body) = replace(&mut self.mode, Mode::Content) {
            let rest = body.raw + &take(&mut self.held.text);
            self.held.text = body.lead;
            if !self.held.text.trim().is_empty() {
                self.show_content(self.held.text.len(), out);
            }
            self.held.text.push_str(&rest);
        }
        true
    }

    fn closing(&mut self) -> bool {
        let text = self.held.text.trim_start();
        let Some(calls) = &self.calls else {
            self.mode = Mode::Content;
            return true;
        };
        if let Some(close) = &calls.close {
            match close.starts(text) {
                None => return false,
                Some(true) => {
                    self.held.text = text[close.text().len()..].to_owned();
                    self.mode = Mode::Content;
                    return true;
                }
                Some(false) => {}
            }
        }
        if calls.format == ToolFormat::Llama
            && let Some(rest) = text.strip_prefix(';').or(text.is_empty().then_some(text))
        {
            let rest = rest.trim_start();
            if rest.is_empty() {
                return false;
            }
            if rest.starts_with('{') {
                let lead = self.held.text[..self.held.text.len() - rest.len()].to_owned();
                self.held.text = rest.to_owned();
                self.mode = Mode::Call(Body::new(calls, lead, false));
                return true;
            }
        }
        self.mode = Mode::Content;
        !text.is_empty()
    }

    fn show_content(&mut self, len: usize, out: &mut Vec<Part>) {
        let text = self.held.content(len);
        Sink::new(&mut self.num_calls, out).content(&text);
    }

    fn show_reasoning(&mut self, len: usize, out: &mut Vec<Part>) {
        let text = self.held.reasoning(len);
        Sink::new(&mut self.num_calls, out).reasoning(&text);
    }
}
