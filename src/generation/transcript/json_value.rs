/// Follows JSON text to the end of one value, by its brackets and strings alone.
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
            ',' | ':' | ' ' | '\t' | '\r' | '\n' => {}
            'a'..='z' | 'A'..='Z' | '0'..='9' | '+' | '-' | '.' => {}
            _ => return Place::After,
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
        ] {
            assert_eq!(value(text), expected);
        }
    }
}
