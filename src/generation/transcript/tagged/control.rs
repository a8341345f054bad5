//! Control tokens in an answer, which end whatever text was held for a tag.

use super::{Body, Calls, Marker, Mode, Part, Read, Sink, Tagged};

impl Tagged {
    /// True: it is to be looked at again, in another mode.
    pub(super) fn control(&mut self, control: &str, out: &mut Vec<Part>) -> bool {
        let is = |marker: &Marker| marker.is_control(control);
        let opens_call = |calls: &Calls| calls.open.as_ref().is_some_and(is);
        match &mut self.mode {
            Mode::Call(body) => {
                let mut sink = Sink::new(&mut self.num_calls, out);
                match body.reader.control(control, &mut sink) {
                    Some(Read::More) => {
                        if body.reader.is_certain() {
                            body.raw.clear();
                        }
                        return false;
                    }
                    Some(Read::Refused) => return self.refuse(out),
                    Some(Read::Last | Read::After) | None => {}
                }
                // It ends the call, whatever it is.
                let has_begun = body.reader.has_begun();
                let refused = body.finish(&mut sink);
                self.held.text.insert_str(0, &refused);
                self.mode = Mode::Content;
                self.held.trims |= has_begun;
                self.settle(out);
                true
            }
            Mode::Reasoning => {
                if self.reasoning.as_ref().is_some_and(|(_, close)| is(close)) {
                    self.show_reasoning(self.held.text.trim_end().len(), out);
                    self.held.text.clear();
                    self.end_reasoning();
                    return false;
                }
                // No text can be taken for this token: thoughts end before a call, closed or not.
                let opens_call = self.calls.as_ref().is_some_and(opens_call);
                if opens_call {
                    self.show_reasoning(self.held.text.trim_end().len(), out);
                    self.held.text.clear();
                    self.end_reasoning();
                }
                opens_call
            }
            Mode::Start | Mode::Content | Mode::Closing => {
                let opens = self.reasoning.as_ref().is_some_and(|(open, _)| is(open));
                if opens && matches!(self.mode, Mode::Start) && self.held.text.trim().is_empty() {
                    self.held.text.clear();
                    self.held.trims = true;
                    self.mode = Mode::Reasoning;
                } else if let Some(calls) = self.calls.as_ref().filter(|calls| opens_call(calls)) {
                    let text = self.held.text.trim_end().len();
                    let body = Body::new(calls, self.held.text[text..].to_owned(), true);
                    self.show_content(text, out);
                    self.held.text.clear();
                    self.begin_call(body);
                } else {
                    self.settle(out);
                }
                false
            }
        }
    }

    /// A control token stands here, so nothing before it can become a tag.
    fn settle(&mut self, out: &mut Vec<Part>) {
        if matches!(self.mode, Mode::Closing | Mode::Content) {
            self.show_content(self.held.text.trim_end().len(), out);
        }
        if matches!(self.mode, Mode::Closing) {
            self.held.text.clear();
            self.mode = Mode::Content;
        }
    }
}
