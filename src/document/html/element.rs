use super::css::{self, HiddenSelectors};
use html5gum::{SpanBound, StartTag};

/// What an element means for the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Inline,
    Block,
    Heading(u8),
    List {
        is_ordered: bool,
    },
    Item,
    Table,
    Row,
    Cell,
    Preformatted,
    LineBreak,
    Image,
    Input,
    /// Raised, as exponents and numbers of notes are.
    Raised,
    Deleted,
    /// The document's title.
    Title,
    /// Holds no text that a reader is meant to see.
    Unseen,
}

pub fn role_of(name: &str) -> Role {
    match name {
        "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => Role::Heading(name.as_bytes()[1] - b'0'),
        "p" | "div" | "section" | "article" | "header" | "footer" | "main" | "nav" | "aside"
        | "address" | "blockquote" | "body" | "figure" | "figcaption" | "form" | "fieldset"
        | "legend" | "hr" | "center" | "details" | "summary" | "caption" | "dl" | "html" => {
            Role::Block
        }
        "dd" | "dt" => Role::Block,
        "ul" | "menu" => Role::List { is_ordered: false },
        "ol" => Role::List { is_ordered: true },
        "li" => Role::Item,
        "table" => Role::Table,
        "tr" => Role::Row,
        "td" | "th" => Role::Cell,
        "pre" | "textarea" => Role::Preformatted,
        "br" => Role::LineBreak,
        "img" | "svg" | "picture" | "video" | "canvas" => Role::Image,
        "input" => Role::Input,
        "sup" => Role::Raised,
        "del" => Role::Deleted,
        "title" => Role::Title,
        "script" | "style" | "template" | "noscript" | "iframe" | "object" | "head" => Role::Unseen,
        _ => Role::Inline,
    }
}

/// An element that has begun.
pub struct Open {
    pub name: String,
    pub role: Role,
    pub is_void: bool,
    attributes: Vec<(String, String)>,
    is_hidden: bool,
    is_white: bool,
    has_background: bool,
    /// What the elements around it make of its text.
    around: Role,
}

impl Open {
    pub fn new<S: SpanBound>(tag: &StartTag<S>, hidden: &HiddenSelectors) -> Self {
        let name = String::from_utf8_lossy(&tag.name).into_owned();
        let attributes: Vec<(String, String)> = tag
            .attributes
            .iter()
            .map(|(name, value)| {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                (text(name), text(value))
            })
            .collect();
        let mut open = Self {
            role: role_of(&name),
            is_void: tag.self_closing || VOID.contains(&name.as_str()),
            name,
            attributes,
            is_hidden: false,
            is_white: false,
            has_background: false,
            around: Role::Inline,
        };
        let style = open.attribute("style").unwrap_or_default();
        let (class, id) = (
            open.attribute("class").unwrap_or_default(),
            open.attribute("id").unwrap_or_default(),
        );
        let is_hidden =
            open.attribute("hidden").is_some() || css::hides(style) || hidden.hide(class, id);
        let color = open.attribute("color").unwrap_or_default();
        let is_white = css::is_white(style)
            || (open.name == "font" && css::is_white(&format!("color:{color}")));
        let has_background = css::has_background(style) || open.attribute("bgcolor").is_some();
        // Only the choice that was made counts.
        let is_other_option = open.name == "option" && open.attribute("selected").is_none();
        open.is_hidden = is_hidden || is_other_option;
        open.is_white = is_white;
        open.has_background = has_background;
        open
    }

    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn inherit(&mut self, parent: &Self) {
        self.is_hidden |= parent.is_hidden;
        self.is_white |= parent.is_white;
        self.has_background |= parent.has_background;
        self.around = parent.text_role();
    }

    pub fn is_shown(&self) -> bool {
        !self.is_hidden && (!self.is_white || self.has_background)
    }

    /// What becomes of text in this element.
    pub fn text_role(&self) -> Role {
        match (self.around, self.role) {
            // The title stands in the head, of which nothing else is seen.
            (_, Role::Title) => Role::Title,
            (around @ (Role::Unseen | Role::Deleted), _) if self.name != "body" => around,
            (_, own @ (Role::Unseen | Role::Deleted | Role::Raised | Role::Preformatted)) => own,
            (around @ (Role::Raised | Role::Preformatted), _) => around,
            (_, own) => own,
        }
    }

    /// What a field of a form shows.
    pub fn input_value(&self) -> String {
        match self
            .attribute("type")
            .unwrap_or("text")
            .to_ascii_lowercase()
            .as_str()
        {
            "checkbox" | "radio" if self.attribute("checked").is_some() => "☒".to_owned(),
            "checkbox" | "radio" => "☐".to_owned(),
            "hidden" | "password" | "submit" | "button" | "image" | "reset" | "file" => {
                String::new()
            }
            _ => self.attribute("value").unwrap_or_default().to_owned(),
        }
    }
}

/// Elements without an end.
const VOID: &[&str] = &[
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track",
    "wbr",
];
