use std::ops::Range;

/// What a part of an answer begins or ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marker {
    Text(&'static str),
    /// A control token, which no text can be taken for.
    Control(&'static str),
}

pub enum Search {
    Found(Range<usize>),
    /// So many bytes are no part of one, whatever follows.
    Clear(usize),
}

impl Marker {
    /// As a model writes it.
    pub fn text(&self) -> &'static str {
        match self {
            Self::Text(text) | Self::Control(text) => text,
        }
    }

    pub fn is_token(&self) -> bool {
        matches!(self, Self::Control(_))
    }

    pub fn is_control(&self, control: &str) -> bool {
        matches!(self, Self::Control(text) if *text == control)
    }

    /// The first one in `text`.
    pub fn search(&self, text: &str) -> Search {
        let Self::Text(marker) = self else {
            return Search::Clear(text.len());
        };
        if let Some(at) = text.find(marker) {
            return Search::Found(at..at + marker.len());
        }
        let open = (1..marker.len().min(text.len() + 1))
            .rev()
            .find(|len| text.ends_with(marker.get(..*len).unwrap_or("\0")));
        Search::Clear(text.len() - open.unwrap_or(0))
    }

    /// Whether `text` begins with it; `None` if that is not certain yet.
    pub fn starts(&self, text: &str) -> Option<bool> {
        let Self::Text(marker) = self else {
            return Some(false);
        };
        if text.len() < marker.len() && marker.starts_with(text) {
            return None;
        }
        Some(text.starts_with(marker))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_become_a_marker_is_not_clear() {
        let marker = Marker::Text("<call>");
        let clear = |text: &str| match marker.search(text) {
            Search::Found(range) => panic!("found at {range:?}"),
            Search::Clear(len) => len,
        };
        assert_eq!(clear("abc"), 3);
        assert_eq!(clear("abc<ca"), 3);
        assert_eq!(clear("abc<cé"), 7);
        assert_eq!(clear("<call"), 0);
        assert!(matches!(marker.search("a<call>b"), Search::Found(range) if range == (1..7)));
        assert_eq!(marker.starts(""), None);
        assert_eq!(marker.starts("<call"), None);
        assert_eq!(marker.starts("<calm"), Some(false));
        assert_eq!(marker.starts("<call>x"), Some(true));
    }
}
