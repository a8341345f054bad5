/// A character that takes two of JSON's escapes.
const LONGEST_ESCAPE: &str = r"\ud83d\ude00";

/// Follows JSON text to the end of one value, by its brackets and strings alone: what models
/// write there that is no JSON stays together.
#[derive(Debug, Default)]
pub struct ValueScan {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
    has_begun: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Inside,
    /// The value ends with this character.
    Last,
    /// The value ended before this character, or what stands here is no JSON.
    After,
}

impl ValueScan {
    pub fn push(&mut self, character: char) -> Place {
        if self.in_string {
            match character {
                _ if self.is_escaped => self.is_escaped = false,
                '\\' => self.is_escaped = true,
                '"' => {
                    self.in_string = false;
                    return self.ended();
                }
                _ => {}
            }
            return Place::Inside;
        }
        let is_outermost = self.depth == 0;
        match character {
            '{' | '[' if is_outermost && self.has_begun => return Place::After,
            '{' | '[' => self.depth += 1,
            '}' | ']' if is_outermost => return Place::After,
            '}' | ']' => {
                self.depth -= 1;
                return self.ended();
            }
            '"' if is_outermost && self.has_begun => return Place::After,
            '"' => self.in_string = true,
            ',' | ':' | ' ' | '\t' | '\r' | '\n' if is_outermost => return Place::After,
            'a'..='z' | 'A'..='Z' | '0'..='9' | '+' | '-' | '.' => {}
            // A tag may begin here, which no string holds.
            '<' => return Place::After,
            _ if is_outermost => return Place::After,
            _ => {}
        }
        self.has_begun = true;
        Place::Inside
    }

    fn ended(&self) -> Place {
        if self.depth == 0 {
            Place::Last
        } else {
            Place::Inside
        }
    }
}

/// A string that was cut off, as if it had ended there; an escape that was cut in two is left
/// out.
pub fn ended(string: &str) -> String {
    let cut = |len: usize| {
        Some(format!(
            "{}\"",
            string.get(..string.len().checked_sub(len)?)?
        ))
    };
    let is_string = |text: &String| serde_json::from_str::<String>(text).is_ok();
    let mut cuts = (0..LONGEST_ESCAPE.len()).filter_map(cut);
    cuts.find(is_string).unwrap_or_else(|| string.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What of a text is the value.
    fn value(text: &str) -> &str {
        let mut scan = ValueScan::default();
        for (at, character) in text.char_indices() {
            match scan.push(character) {
                Place::Inside => {}
                Place::Last => return &text[..at + character.len_utf8()],
                Place::After => return &text[..at],
            }
        }
        panic!("{text} does not end")
    }

    #[test]
    fn a_string_that_is_cut_off_ends_before_half_an_escape() {
        let whole = r#""é\"\ud83d\ude00.""#;
        let said: String = serde_json::from_str(whole).unwrap();
        for (at, _) in whole.char_indices().skip(1) {
            let text: String = serde_json::from_str(&ended(&whole[..at])).unwrap();
            assert!(said.starts_with(&text), "{text}");
        }
    }

    #[test]
    fn a_value_ends_where_its_brackets_close() {
        for (text, expected) in [
            (
                r#"{"a": "}\"", "b": [1, {}]} x"#,
                r#"{"a": "}\"", "b": [1, {}]}"#,
            ),
            ("[[], {}],", "[[], {}]"),
            (r#""a\\" "#, r#""a\\""#),
            ("-1.5e3}", "-1.5e3"),
            ("null,", "null"),
            (r#"{"a": 1 </tool_call>"#, r#"{"a": 1 "#),
            ("{'a': été, b: [«»]} x", "{'a': été, b: [«»]}"),
            ("5é", "5"),
        ] {
            assert_eq!(value(text), expected);
        }
    }
}
