/// What may be shown, and whether a stop string ended the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    pub text: String,
    pub stopped: bool,
}

/// Finds stop strings across deltas; holds back what may still become one.
///
/// The stop string that is complete first ends the text, whatever the deltas' boundaries;
/// of those that are complete with the same character, the longest. So a generation ends as
/// soon as it can, and never waits for a longer stop string that may not come.
pub struct StopStrings {
    patterns: Vec<Pattern>,
    held: String,
    stopped: bool,
}

/// One stop string with its Knuth-Morris-Pratt table.
struct Pattern {
    bytes: Vec<u8>,
    /// For each prefix, the length of its longest proper suffix that is a prefix too.
    fallback: Vec<usize>,
    /// How much of the pattern the text ends with.
    matched: usize,
}

impl StopStrings {
    pub fn new(stop: Vec<String>) -> Self {
        // An empty string would end every text before its start.
        let patterns = stop
            .into_iter()
            .filter(|stop| !stop.is_empty())
            .map(Pattern::new)
            .collect();
        Self {
            patterns,
            held: String::new(),
            stopped: false,
        }
    }

    /// The stop string itself and what follows are never emitted.
    pub fn push(&mut self, delta: &str) -> Scan {
        if self.stopped {
            return Scan {
                text: String::new(),
                stopped: true,
            };
        }
        let start = self.held.len();
        self.held.push_str(delta);
        for (index, byte) in delta.bytes().enumerate() {
            if let Some(length) = self.step(byte) {
                self.stopped = true;
                let mut text = std::mem::take(&mut self.held);
                text.truncate(start + index + 1 - length);
                return Scan {
                    text,
                    stopped: true,
                };
            }
        }
        Scan {
            text: self.take_certain(),
            stopped: false,
        }
    }

    /// Text in which no stop string ends the generation. One that begins here and is complete
    /// later does.
    pub fn pass(&mut self, delta: &str) -> String {
        self.held.push_str(delta);
        for byte in delta.bytes() {
            self.step(byte);
        }
        self.take_certain()
    }

    /// What was held back, before something that no stop string goes across.
    pub fn cut(&mut self) -> String {
        self.patterns
            .iter_mut()
            .for_each(|pattern| pattern.matched = 0);
        self.finish()
    }

    /// What was held back, at the end.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Reads one byte; the length of the longest stop string that is complete with it.
    fn step(&mut self, byte: u8) -> Option<usize> {
        self.patterns
            .iter_mut()
            .filter_map(|pattern| pattern.step(byte))
            .max()
    }

    /// All but what may still become a stop string. That begins with a stop string's first
    /// byte, so the cut is between characters.
    fn take_certain(&mut self) -> String {
        let open = self.patterns.iter().map(|pattern| pattern.matched).max();
        let rest = self.held.split_off(self.held.len() - open.unwrap_or(0));
        std::mem::replace(&mut self.held, rest)
    }
}

impl Pattern {
    fn new(stop: String) -> Self {
        let bytes = stop.into_bytes();
        let mut fallback = vec![0; bytes.len()];
        let mut length = 0;
        for index in 1..bytes.len() {
            while length > 0 && bytes[index] != bytes[length] {
                length = fallback[length - 1];
            }
            length += usize::from(bytes[index] == bytes[length]);
            fallback[index] = length;
        }
        Self {
            bytes,
            fallback,
            matched: 0,
        }
    }

    /// Reads one byte; the pattern's length if it is complete.
    fn step(&mut self, byte: u8) -> Option<usize> {
        while self.matched > 0 && self.bytes[self.matched] != byte {
            self.matched = self.fallback[self.matched - 1];
        }
        self.matched += usize::from(self.bytes[self.matched] == byte);
        if self.matched < self.bytes.len() {
            return None;
        }
        // Where the text goes on, the next one may overlap this one.
        self.matched = self.fallback[self.matched - 1];
        Some(self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scan(stop: &[&str], deltas: &[&str]) -> (Vec<String>, bool, String) {
        let mut strings = StopStrings::new(stop.iter().map(|s| s.to_string()).collect());
        let scans: Vec<Scan> = deltas.iter().map(|delta| strings.push(delta)).collect();
        let stopped = scans.iter().any(|scan| scan.stopped);
        (
            scans.into_iter().map(|scan| scan.text).collect(),
            stopped,
            strings.finish(),
        )
    }

    /// The specification: the end position that comes first, then the longest there.
    fn naive(stop: &[String], text: &str) -> Option<usize> {
        stop.iter()
            .filter_map(|stop| text.find(stop.as_str()).map(|at| (at + stop.len(), at)))
            .min()
            .map(|(_, at)| at)
    }

    #[test]
    fn a_stop_string_across_deltas_is_found_and_not_shown() {
        let (texts, stopped, rest) = scan(&["\n\nUser:"], &["Bonjour\n", "\nUs", "er: x"]);
        assert_eq!(
            (texts.concat().as_str(), stopped, rest.as_str()),
            ("Bonjour", true, "")
        );
    }

    #[test]
    fn only_what_may_become_a_stop_string_is_held_back() {
        let (texts, stopped, rest) = scan(&["abc"], &["xab", "dab", "a"]);
        assert_eq!(texts, ["x", "abd", "ab"]);
        assert_eq!((stopped, rest.as_str()), (false, "a"));
    }

    #[test]
    fn the_first_complete_stop_string_wins_and_the_longest_of_those() {
        assert_eq!(scan(&["bcd", "c"], &["abcd"]).0, ["ab"]);
        assert_eq!(scan(&["c", "bc"], &["abcd"]).0, ["a"]);
    }

    #[test]
    fn nothing_is_shown_after_a_stop_string() {
        let (texts, stopped, rest) = scan(&["."], &["a.b", "c.d"]);
        assert_eq!(
            (texts.concat().as_str(), stopped, rest.as_str()),
            ("a", true, "")
        );
    }

    #[test]
    fn what_is_complete_in_passed_text_does_not_stop_and_what_is_complete_later_does() {
        let mut strings = StopStrings::new(vec!["aa".to_owned(), "end".to_owned()]);
        assert_eq!(strings.pass("xaaaa e"), "xaaaa ");
        let scan = strings.push("ndy");
        assert_eq!((scan.text.as_str(), scan.stopped), ("", true));

        let mut strings = StopStrings::new(vec!["aa".to_owned()]);
        assert_eq!(strings.pass("aa"), "a");
        let scan = strings.push("ab");
        assert_eq!(
            (scan.text.as_str(), scan.stopped),
            ("", true),
            "they overlap"
        );
    }

    #[test]
    fn a_very_long_stop_string_costs_linear_time() {
        let stop = "a".repeat(1 << 20) + "b";
        let text = "a".repeat(4 << 20);
        let (texts, stopped, rest) = scan(&[&stop], &[&text, "b"]);
        assert_eq!((texts[0].len(), stopped, rest.len()), (3 << 20, true, 0));
    }

    proptest! {
        #[test]
        fn the_text_before_a_stop_string_does_not_depend_on_the_deltas(
            stop in prop::collection::vec("[abé]{1,4}", 0..4),
            deltas in prop::collection::vec("[abcé]{0,5}", 0..12),
        ) {
            let whole = deltas.concat();
            let mut strings = StopStrings::new(stop.clone());
            let mut shown = String::new();
            let mut stopped = false;
            for delta in &deltas {
                let scan = strings.push(delta);
                shown.push_str(&scan.text);
                stopped = scan.stopped;
            }
            shown.push_str(&strings.finish());
            let expected = naive(&stop, &whole);
            prop_assert_eq!(stopped, expected.is_some());
            prop_assert_eq!(shown, &whole[..expected.unwrap_or(whole.len())]);
        }
    }
}
