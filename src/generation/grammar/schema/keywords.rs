use super::limits::{MAX_MEMBERS, MAX_PROPERTIES};

/// What becomes of a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    Type,
    /// The value is a schema.
    Schema,
    /// The value is an object of at most so many schemas.
    Schemas(usize),
    /// The same, by patterns of names.
    Patterns,
    /// The value is an array of at most so many schemas.
    List(usize),
    /// `items`: a schema, or in older drafts an array of them.
    Items,
    /// What goes on with the older `items`.
    AdditionalItems,
    /// A count or a length.
    Count,
    /// A bound of a number.
    Number,
    MultipleOf,
    /// The value, or an array of the values, that it may be.
    Values,
    Names,
    /// Exactly one of several.
    OneOf,
    /// What it refuses has to hold.
    Not,
    /// Which of `then` and `else` has to hold.
    If,
    /// `then` and `else`: `if` enforces them, and alone they mean nothing.
    Branch,
    /// What has to hold if a property is there: others by their names.
    DependentRequired,
    /// The same: a schema.
    DependentSchemas,
    /// The properties or items that no keyword beside it has looked at.
    Unevaluated(Parts),
    PropertyNames,
    UniqueItems,
    Contains,
    /// How many items `contains` asks for: alone it means nothing.
    CountOfContained,
    Pattern,
    Format,
    Reference,
    DynamicReference,
    /// Where references lead. What none leads to changes nothing.
    Definitions,
    Identity,
    /// Which draft the schema is of.
    Dialect,
    /// Says something to people.
    Annotation,
}

/// What an instance is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    Properties,
    Items,
}

/// All keywords that a schema may hold, but for those that begin with `x-`, which are annotations.
pub const KEYWORDS: &[(&str, Keyword)] = &[
    ("type", Keyword::Type),
    ("enum", Keyword::Values),
    ("const", Keyword::Values),
    ("$ref", Keyword::Reference),
    ("$dynamicRef", Keyword::DynamicReference),
    ("allOf", Keyword::List(MAX_MEMBERS)),
    ("anyOf", Keyword::List(MAX_MEMBERS)),
    ("oneOf", Keyword::OneOf),
    ("properties", Keyword::Schemas(MAX_PROPERTIES)),
    ("patternProperties", Keyword::Patterns),
    ("additionalProperties", Keyword::Schema),
    ("required", Keyword::Names),
    ("minProperties", Keyword::Count),
    ("maxProperties", Keyword::Count),
    ("propertyNames", Keyword::PropertyNames),
    ("prefixItems", Keyword::List(MAX_PROPERTIES)),
    ("items", Keyword::Items),
    ("additionalItems", Keyword::AdditionalItems),
    ("minItems", Keyword::Count),
    ("maxItems", Keyword::Count),
    ("uniqueItems", Keyword::UniqueItems),
    ("contains", Keyword::Contains),
    ("minContains", Keyword::CountOfContained),
    ("maxContains", Keyword::CountOfContained),
    ("minLength", Keyword::Count),
    ("maxLength", Keyword::Count),
    ("pattern", Keyword::Pattern),
    ("format", Keyword::Format),
    ("minimum", Keyword::Number),
    ("maximum", Keyword::Number),
    ("exclusiveMinimum", Keyword::Number),
    ("exclusiveMaximum", Keyword::Number),
    ("multipleOf", Keyword::MultipleOf),
    ("dependentRequired", Keyword::DependentRequired),
    ("dependentSchemas", Keyword::DependentSchemas),
    (
        "unevaluatedProperties",
        Keyword::Unevaluated(Parts::Properties),
    ),
    ("unevaluatedItems", Keyword::Unevaluated(Parts::Items)),
    ("not", Keyword::Not),
    ("if", Keyword::If),
    ("then", Keyword::Branch),
    ("else", Keyword::Branch),
    ("$defs", Keyword::Definitions),
    ("definitions", Keyword::Definitions),
    ("$anchor", Keyword::Annotation),
    ("$dynamicAnchor", Keyword::Annotation),
    ("$id", Keyword::Identity),
    ("$schema", Keyword::Dialect),
    ("$comment", Keyword::Annotation),
    ("title", Keyword::Annotation),
    ("description", Keyword::Annotation),
    ("default", Keyword::Annotation),
    ("example", Keyword::Annotation),
    ("examples", Keyword::Annotation),
    ("deprecated", Keyword::Annotation),
    ("readOnly", Keyword::Annotation),
    ("writeOnly", Keyword::Annotation),
    ("contentMediaType", Keyword::Annotation),
    ("contentEncoding", Keyword::Annotation),
    ("contentSchema", Keyword::Annotation),
    ("discriminator", Keyword::Annotation),
];

pub const TYPES: &[&str] = &[
    "null", "boolean", "integer", "number", "string", "array", "object",
];

/// Values of `format`.
pub const FORMATS: &[&str] = &[
    "date",
    "date-time",
    "time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "json-pointer",
    "relative-json-pointer",
    "uri",
    "uuid",
];

/// Those that an answer is held to, some of them within bounds.
pub fn enforced_keywords() -> impl Iterator<Item = &'static str> {
    let says_nothing = |keyword: &Keyword| {
        matches!(
            keyword,
            Keyword::Annotation | Keyword::Dialect | Keyword::Identity | Keyword::Definitions
        )
    };
    let enforced = KEYWORDS
        .iter()
        .filter(move |(_, keyword)| !says_nothing(keyword));
    enforced.map(|(name, _)| *name)
}

pub fn keyword(name: &str) -> Option<Keyword> {
    if name.starts_with("x-") && name != "x-guidance" {
        return Some(Keyword::Annotation);
    }
    let row = KEYWORDS.iter().find(|(known, _)| *known == name);
    row.map(|(_, keyword)| *keyword)
}
