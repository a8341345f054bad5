use super::Citations;
use super::markup::{ATTRIBUTE, CLOSE, OPEN, OPENED};
use crate::text::quotation::Words;

/// Where in its answer a model is, as far as quotations go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// So many bytes of what opens a quotation are written.
    Outside {
        opened: usize,
    },
    /// So many bytes of it are written, and nothing but the rest may follow.
    Opening {
        written: usize,
    },
    /// Of what stands before the document's number.
    Attribute {
        written: usize,
    },
    Number {
        number: usize,
    },
    /// Of what stands behind it.
    Opened {
        number: usize,
        written: usize,
    },
    /// None of the words: what is written of the closing tag stands nowhere in the document.
    Inside {
        source: usize,
        words: Option<Words>,
        closed: usize,
    },
}

impl Default for State {
    fn default() -> Self {
        Self::Outside { opened: 0 }
    }
}

impl State {
    pub fn is_outside(&self) -> bool {
        matches!(self, Self::Outside { .. })
    }
}

/// How many bytes of what opens a quotation are written after one more.
pub(super) fn opened_after(opened: usize, byte: u8) -> usize {
    if OPEN.get(opened) == Some(&byte) {
        opened + 1
    } else {
        // Its first byte stands in it once.
        usize::from(OPEN[0] == byte)
    }
}

impl Citations {
    /// What follows when a byte is written, or nothing where it may not be.
    pub(super) fn after(&self, state: &State, byte: u8) -> Option<State> {
        match state {
            State::Outside { opened } => match opened_after(*opened, byte) {
                opened if opened == OPEN.len() => self
                    .is_quotable()
                    .then_some(State::Attribute { written: 0 }),
                opened => Some(State::Outside { opened }),
            },
            State::Opening { written } => (OPEN[*written] == byte).then(|| match written + 1 {
                written if written == OPEN.len() => State::Attribute { written: 0 },
                written => State::Opening { written },
            }),
            State::Attribute { written } => {
                (ATTRIBUTE[*written] == byte).then(|| match written + 1 {
                    written if written == ATTRIBUTE.len() => State::Number { number: 0 },
                    written => State::Attribute { written },
                })
            }
            State::Number { number } => self.after_digit(*number, byte),
            State::Opened { number, written } => {
                (OPENED[*written] == byte).then(|| match written + 1 {
                    written if written == OPENED.len() => State::Inside {
                        source: number - 1,
                        words: Some(self.sources[number - 1].nothing()),
                        closed: 0,
                    },
                    written => State::Opened {
                        number: *number,
                        written,
                    },
                })
            }
            State::Inside {
                source,
                words,
                closed,
            } => self.within(*source, words.as_ref(), *closed, byte),
        }
    }

    pub(super) fn after_all(&self, state: &State, bytes: &[u8]) -> Option<State> {
        bytes
            .iter()
            .try_fold(state.clone(), |state, byte| self.after(&state, *byte))
    }

    fn after_digit(&self, number: usize, byte: u8) -> Option<State> {
        if byte == OPENED[0] {
            let source = self.sources.get(number.checked_sub(1)?)?;
            return source
                .is_quotable()
                .then_some(State::Opened { number, written: 1 });
        }
        if !byte.is_ascii_digit() {
            return None;
        }
        let number = number * 10 + usize::from(byte - b'0');
        self.begins_number(number)
            .then_some(State::Number { number })
    }

    /// A quotation goes on with words of its document, or it ends. Its first closing tag ends it,
    /// so the words hold none.
    fn within(
        &self,
        index: usize,
        words: Option<&Words>,
        closed: usize,
        byte: u8,
    ) -> Option<State> {
        let source = self.sources.get(index)?;
        let closed = if closed > 0 && CLOSE[closed] == byte {
            closed + 1
        } else if CLOSE[0] == byte
            && words.is_some_and(|words| source.may_end(words, self.min_chars))
        {
            1
        } else {
            0
        };
        if closed == CLOSE.len() {
            return Some(State::default());
        }
        let more = words.and_then(|words| source.followed_by(words, byte));
        let more = more.filter(|words| !source.ends_with(words, CLOSE));
        (closed > 0 || more.is_some()).then_some(State::Inside {
            source: index,
            words: more,
            closed,
        })
    }
}
