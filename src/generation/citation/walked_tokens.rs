use super::Citations;
use super::markup::OPEN;
use super::state::{State, opened_after};

/// Of an id that is no text.
const NOWHERE: u32 = u32::MAX;

/// The bytes of a model's tokens, in the order in which they are walked through.
#[derive(Debug)]
pub struct WalkedTokens {
    tokens: Vec<Token>,
    bytes: Vec<u8>,
    /// By id, where in `tokens` it stands.
    places: Vec<u32>,
    /// Which of them open a quotation, where so many bytes of what opens it are written.
    opening: Vec<Vec<u32>>,
}

#[derive(Debug)]
struct Token {
    id: u32,
    start: u32,
    end: u32,
    /// Bytes that it begins with as the token before it does.
    num_shared: u32,
}

impl WalkedTokens {
    /// Of tokens and their bytes. Those without bytes, and those that are no text, are left out.
    pub fn new(tokens: impl Iterator<Item = (u32, Vec<u8>)>) -> Self {
        let mut all: Vec<(u32, Vec<u8>)> = tokens.filter(|(_, bytes)| !bytes.is_empty()).collect();
        all.sort_by(|(_, one), (_, other)| one.cmp(other));
        let mut walked = Self {
            tokens: Vec::with_capacity(all.len()),
            bytes: Vec::new(),
            places: vec![
                NOWHERE;
                all.iter()
                    .map(|(id, _)| *id as usize + 1)
                    .max()
                    .unwrap_or(0)
            ],
            opening: vec![Vec::new(); OPEN.len()],
        };
        let mut last: &[u8] = &[];
        for (id, bytes) in &all {
            let num_shared = bytes
                .iter()
                .zip(last)
                .take_while(|(one, other)| one == other)
                .count();
            let start = walked.bytes.len() as u32;
            walked.bytes.extend_from_slice(bytes);
            walked.tokens.push(Token {
                id: *id,
                start,
                end: walked.bytes.len() as u32,
                num_shared: num_shared as u32,
            });
            last = bytes;
            walked.places[*id as usize] = walked.tokens.len() as u32 - 1;
            for (written, opening) in walked.opening.iter_mut().enumerate() {
                if opens(written, bytes) {
                    opening.push(walked.tokens.len() as u32 - 1);
                }
            }
        }
        walked
    }

    /// The tokens that may follow within a quotation or one of its tags.
    pub(super) fn allowed(
        &self,
        citations: &Citations,
        state: &State,
        allow: &mut impl FnMut(u32),
    ) {
        // After each byte of the token that is looked at.
        let mut states = vec![state.clone()];
        let mut index = 0;
        while let Some(token) = self.tokens.get(index) {
            let bytes = self.bytes(token);
            states.truncate(token.num_shared as usize + 1);
            let is_dead = bytes[states.len() - 1..].iter().any(|byte| {
                let after = states
                    .last()
                    .and_then(|state| citations.after(state, *byte));
                let is_dead = after.is_none();
                states.extend(after);
                is_dead
            });
            index += 1;
            if !is_dead {
                allow(token.id);
                continue;
            }
            // Nothing that begins with the same bytes can follow either.
            let num_alive = states.len() - 1;
            let same = self.tokens[index..]
                .iter()
                .take_while(|next| next.num_shared as usize > num_alive);
            index += same.count();
        }
    }

    /// Those that may not follow outside of quotations.
    pub(super) fn forbidden(
        &self,
        citations: &Citations,
        opened: usize,
        forbid: &mut impl FnMut(u32),
    ) {
        let state = State::Outside { opened };
        for index in self.opening.get(opened).into_iter().flatten() {
            let token = &self.tokens[*index as usize];
            if citations.after_all(&state, self.bytes(token)).is_none() {
                forbid(token.id);
            }
        }
    }

    /// Those of an id, or none where it is no text.
    pub(super) fn bytes_of(&self, id: u32) -> &[u8] {
        let place = self.places.get(id as usize).copied().unwrap_or(NOWHERE);
        self.tokens
            .get(place as usize)
            .map_or(&[], |token| self.bytes(token))
    }

    fn bytes(&self, token: &Token) -> &[u8] {
        &self.bytes[token.start as usize..token.end as usize]
    }
}

/// Whether a token's bytes complete what opens a quotation, behind so many bytes of it.
fn opens(written: usize, bytes: &[u8]) -> bool {
    let mut opened = written;
    bytes.iter().any(|byte| {
        opened = opened_after(opened, *byte);
        opened == OPEN.len()
    })
}
