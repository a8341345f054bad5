/// Text whose part is not certain yet, and the white space around tags.
#[derive(Default)]
pub struct Held {
    /// White space waits here for what it stands before.
    pub text: String,
    /// White space that comes now stands behind a tag: it is part of a text only where it parts
    /// it from what was taken of it before.
    pub trims: bool,
    has_content: bool,
    has_reasoning: bool,
    /// White space between content and the calls behind it, which parts it from content that
    /// follows them at once.
    gap: String,
}

impl Held {
    pub fn new(trims: bool) -> Self {
        Self {
            trims,
            ..Self::default()
        }
    }

    /// Takes the first bytes, which are content.
    pub fn content(&mut self, len: usize) -> String {
        let mut text: String = self.text.drain(..len).collect();
        if self.trims {
            if text.trim().is_empty() {
                return String::new();
            }
            if !self.has_content {
                text = text.trim_start().to_owned();
            } else if !text.starts_with(char::is_whitespace) {
                text.insert_str(0, &self.gap);
            }
        }
        if !text.is_empty() {
            self.trims = false;
            self.has_content = true;
            self.gap.clear();
        }
        text
    }

    /// Takes the first bytes, which are reasoning.
    pub fn reasoning(&mut self, len: usize) -> String {
        let mut text: String = self.text.drain(..len).collect();
        if self.trims && text.trim().is_empty() {
            return String::new();
        }
        if self.trims && !self.has_reasoning {
            text = text.trim_start().to_owned();
        }
        if !text.is_empty() {
            self.trims = false;
            self.has_reasoning = true;
        }
        text
    }

    /// A call begins, as far as is known; its tag may stand behind white space.
    pub fn leads(&mut self, lead: &str) {
        if self.gap.is_empty() && self.has_content {
            let len = lead.len() - lead.trim_start().len();
            self.gap.push_str(lead.get(..len).unwrap_or_default());
        }
    }
}
