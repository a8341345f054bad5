//! As much of CSS as hides text.

use std::collections::HashSet;

/// Classes and ids that the page's own style sheets do not show.
#[derive(Default)]
pub struct HiddenSelectors(HashSet<String>);

impl HiddenSelectors {
    /// Reads the `<style>` elements: rules for one class or id, whatever the medium. Other
    /// selectors are not understood, and hide nothing.
    pub fn of(html: &str) -> Self {
        let mut selectors = HashSet::new();
        for sheet in html.split("<style").skip(1) {
            let sheet = sheet.split("</style").next().unwrap_or_default();
            let sheet = sheet.split_once('>').map_or("", |(_, rules)| rules);
            for rule in sheet.split('}') {
                let Some((heads, declarations)) = rule.split_once('{') else {
                    continue;
                };
                // Media queries are for other media, as often as not.
                if heads.contains('@') || !hides(declarations) {
                    continue;
                }
                let simple = heads.split(',').map(str::trim).filter(|head| {
                    head.starts_with(['.', '#'])
                        && !head[1..].contains(['.', '#', ' ', '>', ':', '['])
                });
                selectors.extend(simple.map(str::to_owned));
            }
        }
        Self(selectors)
    }

    pub fn hide(&self, class: &str, id: &str) -> bool {
        !self.0.is_empty()
            && (self.0.contains(&format!("#{id}"))
                || class
                    .split_whitespace()
                    .any(|class| self.0.contains(&format!(".{class}"))))
    }
}

/// Whether declarations make text disappear.
pub fn hides(declarations: &str) -> bool {
    properties(declarations).any(|(name, value)| match name.as_str() {
        "display" => value == "none",
        "visibility" => value == "hidden" || value == "collapse",
        "opacity" => value.parse::<f64>().is_ok_and(|opacity| opacity < 0.05),
        "font-size" => size(&value).is_some_and(|size| size <= 2.0),
        "text-indent" | "left" | "top" | "margin-left" => {
            size(&value).is_some_and(|size| size <= -900.0)
        }
        "mso-hide" => value == "all",
        _ => false,
    })
}

/// Whether declarations make text white.
pub fn is_white(declarations: &str) -> bool {
    properties(declarations).any(|(name, value)| {
        let value: String = value.chars().filter(|c| !c.is_whitespace()).collect();
        name == "color"
            && matches!(
                value.as_str(),
                "#fff" | "#ffffff" | "white" | "rgb(255,255,255)" | "transparent"
            )
    })
}

/// Whether declarations paint something behind the text.
pub fn has_background(declarations: &str) -> bool {
    properties(declarations).any(|(name, value)| {
        name.starts_with("background") && !matches!(value.as_str(), "none" | "transparent")
    })
}

fn properties(declarations: &str) -> impl Iterator<Item = (String, String)> + '_ {
    declarations.split(';').filter_map(|declaration| {
        let (name, value) = declaration.split_once(':')?;
        let value = value.trim().trim_end_matches("!important").trim();
        Some((name.trim().to_ascii_lowercase(), value.to_ascii_lowercase()))
    })
}

/// A length in pixels or points, which are near enough to one another here.
fn size(value: &str) -> Option<f64> {
    let number = value.trim_end_matches("px").trim_end_matches("pt");
    number.trim().parse().ok()
}
