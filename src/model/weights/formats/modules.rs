//! Modules as a `quantization_config` names them. A module is what a tensor's name says before its
//! last dot.

use regex::{Regex, RegexBuilder};

/// Names of modules, or of parts of them: `lm_head`, `self_attn`, `model.layers.0`.
#[derive(Debug, Default)]
pub struct Named(Vec<String>);

impl Named {
    pub fn new(names: Option<Vec<String>>) -> Self {
        Self(names.unwrap_or_default())
    }

    /// The name that stands in `module`, whole between dots.
    pub fn find(&self, module: &str) -> Option<&str> {
        let module = format!(".{module}.");
        self.0
            .iter()
            .map(String::as_str)
            .find(|name| !name.is_empty() && module.contains(&format!(".{name}.")))
    }
}

/// A target of compressed-tensors (`utils/match.py` there).
#[derive(Debug)]
pub enum Target {
    /// Every linear layer.
    Linear,
    /// `re:…`, which must match from the first character on.
    Pattern(Regex),
    /// The whole name of a module.
    Name(String),
}

/// Bytes that a compiled pattern may take.
const MAX_PATTERN: usize = 1 << 20;

impl Target {
    /// Reads a target of the list `field`.
    pub fn parse(field: &str, text: &str) -> Result<Self, String> {
        if let Some(pattern) = text.strip_prefix("re:") {
            let anchored = format!("^(?:{pattern})");
            let regex = RegexBuilder::new(&anchored).size_limit(MAX_PATTERN).build();
            return regex.map(Self::Pattern).map_err(|_| {
                format!("`{field}`: `{text}` is no pattern that is supported; look-around is not")
            });
        }
        if text == "Linear" {
            return Ok(Self::Linear);
        }
        if text.starts_with(|c: char| c.is_ascii_uppercase()) {
            return Err(format!(
                "`{field}`: `{text}` is a class of modules; supported are Linear, names and \
                 patterns (`re:…`)"
            ));
        }
        Ok(Self::Name(text.to_owned()))
    }

    /// How specific the match is, greater for more; none if there is no match.
    pub fn rank(&self, module: &str) -> Option<u8> {
        match self {
            Self::Linear => Some(0),
            Self::Pattern(regex) => regex.is_match(module).then_some(1),
            Self::Name(name) => (name == module).then_some(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_modules_that_have_it_between_dots() {
        let named = Named::new(Some(vec!["".into(), "gate".into(), "mlp.experts".into()]));
        assert_eq!(named.find("layers.0.mlp.gate"), Some("gate"));
        assert_eq!(named.find("layers.0.mlp.gate_proj"), None);
        assert_eq!(named.find("layers.0.mlp.experts.3.up"), Some("mlp.experts"));
        assert_eq!(named.find("gate"), Some("gate"));
    }

    #[test]
    fn a_name_is_more_specific_than_a_pattern_and_a_pattern_than_a_class() {
        let rank = |target: &str| {
            Target::parse("targets", target)
                .unwrap()
                .rank("layers.10.up")
        };
        assert_eq!(rank("Linear"), Some(0));
        assert_eq!(rank("re:.*up$"), Some(1));
        assert_eq!(rank("layers.10.up"), Some(2));
        // Python's `re.match` wants the beginning, and no end.
        assert_eq!(rank("re:layers.1"), Some(1));
        assert_eq!(rank("re:up"), None);
        assert_eq!(rank("layers.1"), None);
    }

    #[test]
    fn targets_that_cannot_be_told_from_names_are_refused() {
        for target in ["LlamaAttention", "re:(?!lm_head).*", "re:("] {
            let error = Target::parse("config_groups.a.targets", target).unwrap_err();
            assert!(error.contains("config_groups.a.targets"), "{error}");
            assert!(error.contains(target), "{error}");
        }
    }
}
