//! A prompt's file taken apart: the front matter, and the messages of each language. Knows where
//! everything stands, and nothing of what it means.

use super::Role;
use super::error::Mistake;
use super::step::StepName;

const FENCE: &str = "+++";
const SECTIONS: &str = "a line that begins with `# ` names a language and, for long documents, a step: `# fr`, \
     `# fr part`, `# fr merge` or `# fr next` (a heading inside a message begins with `###`)";
const MESSAGES: &str = "a line that begins with `## ` is `## system`, `## user` or `## assistant` \
     (a heading inside a message begins with `###`)";

/// A file in its parts; lines count from 1.
#[derive(Debug)]
pub(super) struct PromptFile {
    pub front_matter: String,
    /// Of the first line of the front matter.
    pub front_matter_line: usize,
    pub sections: Vec<Section>,
}

/// The messages in one language for one step.
#[derive(Debug)]
pub(super) struct Section {
    pub line: usize,
    pub language: String,
    pub step: StepName,
    pub messages: Vec<MessageText>,
}

/// A message before it is rendered.
#[derive(Debug)]
pub(super) struct MessageText {
    pub role: Role,
    /// Of its mark.
    pub line: usize,
    /// Of the first line of its text.
    pub text_line: usize,
    pub text: String,
}

impl PromptFile {
    /// Editors on Windows leave a byte order mark and carriage returns, which change nothing.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = (1..).zip(text.lines());
        if lines
            .next()
            .is_none_or(|(_, line)| line.trim_end() != FENCE)
        {
            let message = "the file must begin with a line `+++`, and the front matter after it";
            return Err(Mistake::new(1, message));
        }
        let mut front_matter = String::new();
        let closed = lines.by_ref().any(|(_, line)| {
            let closes = line.trim_end() == FENCE;
            if !closes {
                front_matter.push_str(line);
                front_matter.push('\n');
            }
            closes
        });
        if !closed {
            return Err(Mistake::new(
                1,
                "the front matter must end with a line `+++`",
            ));
        }
        Ok(Self {
            front_matter,
            front_matter_line: 2,
            sections: sections(lines)?,
        })
    }
}

fn sections<'a>(lines: impl Iterator<Item = (usize, &'a str)>) -> Result<Vec<Section>, Mistake> {
    let mut sections: Vec<Section> = Vec::new();
    for (number, line) in lines {
        if let Some(name) = line.strip_prefix("# ") {
            let section = section(number, name.trim())?;
            let twin = sections
                .iter()
                .find(|other| other.language == section.language && other.step == section.step);
            if let Some(twin) = twin {
                let message = format!("`# {}` stands on line {} already", name.trim(), twin.line);
                return Err(Mistake::new(number, message));
            }
            sections.push(section);
            continue;
        }
        let Some(section) = sections.last_mut() else {
            if line.trim().is_empty() {
                continue;
            }
            let message = format!("text before the first language: {SECTIONS}");
            return Err(Mistake::new(number, message));
        };
        if let Some(name) = line.strip_prefix("## ") {
            let role = Role::parse(name.trim())
                .ok_or_else(|| Mistake::new(number, format!("`## {}`: {MESSAGES}", name.trim())))?;
            section.messages.push(MessageText {
                role,
                line: number,
                text_line: number + 1,
                text: String::new(),
            });
            continue;
        }
        match section.messages.last_mut() {
            Some(message) => message.push(number, line),
            None if line.trim().is_empty() => {}
            None => {
                let message = format!("text before the first message: {MESSAGES}");
                return Err(Mistake::new(number, message));
            }
        }
    }
    for message in sections
        .iter_mut()
        .flat_map(|section| &mut section.messages)
    {
        message.text.truncate(message.text.trim_end().len());
        if message.text.is_empty() {
            return Err(Mistake::new(message.line, "the message is empty"));
        }
    }
    sections.iter().try_for_each(check_turns)?;
    Ok(sections)
}

fn section(line: usize, name: &str) -> Result<Section, Mistake> {
    let mut words = name.split_whitespace();
    let language = words.next().filter(|word| is_language(word));
    let step = match words.next() {
        None => Some(StepName::Whole),
        Some(word) => StepName::parse(word),
    };
    match (language, step, words.next()) {
        (Some(language), Some(step), None) => Ok(Section {
            line,
            language: language.to_owned(),
            step,
            messages: Vec::new(),
        }),
        _ => Err(Mistake::new(line, format!("`# {name}`: {SECTIONS}"))),
    }
}

/// Chat templates of many models refuse any other order.
fn check_turns(section: &Section) -> Result<(), Mistake> {
    let mut expected = Role::User;
    for (index, message) in section.messages.iter().enumerate() {
        if index == 0 && message.role == Role::System {
            continue;
        }
        if message.role != expected {
            let message_text = format!(
                "`## {}` where `## {}` must stand: first a system message or none, then user and \
                 assistant take turns, and user has the last word",
                message.role.as_str(),
                expected.as_str(),
            );
            return Err(Mistake::new(message.line, message_text));
        }
        expected = match expected {
            Role::User => Role::Assistant,
            Role::Assistant | Role::System => Role::User,
        };
    }
    match section.messages.last() {
        Some(last) if last.role == Role::User => Ok(()),
        Some(last) => Err(Mistake::new(
            last.line,
            "the last message must be `## user`",
        )),
        None => Err(Mistake::new(
            section.line,
            format!("`# {}` has no message: {MESSAGES}", section.language),
        )),
    }
}

/// Like `fr`, `de` or `de-at`.
pub(super) fn is_language(word: &str) -> bool {
    let mut parts = word.split('-');
    let primary = parts.next().unwrap_or_default();
    let lower = |part: &str| {
        part.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    (2..=3).contains(&primary.len())
        && primary.bytes().all(|byte| byte.is_ascii_lowercase())
        && parts.all(|part| (1..=8).contains(&part.len()) && lower(part))
}

impl MessageText {
    /// Blank lines before the text are no part of it.
    fn push(&mut self, number: usize, line: &str) {
        if self.text.is_empty() {
            if line.trim().is_empty() {
                return;
            }
            self.text_line = number;
        }
        self.text.push_str(line);
        self.text.push('\n');
    }
}
