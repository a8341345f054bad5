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
    /// Exactly one of several, where they exclude each other.
    OneOf,
    /// What has to hold if a property is there: others by their names.
    DependentRequired,
    /// The same: a schema.
    DependentSchemas,
    /// `additionalProperties` or `items`, where nothing beside it looks at properties or items.
    Unevaluated(&'static str),
    /// Enforced only where it asks for nothing: beside none of these.
    UnlessBeside(&'static [&'static str]),
    Pattern,
    Format,
    Reference,
    /// Where references lead. What none leads to changes nothing.
    Definitions,
    Identity,
    /// Says something to people.
    Annotation,
    /// Enforced only where it asks for nothing: one of these values, as JSON.
    Unless(&'static [&'static str]),
}

/// Each property costs the compiler a look at all others.
const MAX_PROPERTIES: usize = 1000;
pub const MAX_MEMBERS: usize = 256;

/// All keywords that a schema may hold, but for those that begin with `x-`, which are annotations.
pub const KEYWORDS: &[(&str, Keyword)] = &[
    ("type", Keyword::Type),
    ("enum", Keyword::Values),
    ("const", Keyword::Values),
    ("$ref", Keyword::Reference),
    ("allOf", Keyword::List(MAX_MEMBERS)),
    ("anyOf", Keyword::List(MAX_MEMBERS)),
    ("oneOf", Keyword::OneOf),
    ("properties", Keyword::Schemas(MAX_PROPERTIES)),
    ("patternProperties", Keyword::Patterns),
    ("additionalProperties", Keyword::Schema),
    ("required", Keyword::Names),
    ("minProperties", Keyword::Count),
    ("maxProperties", Keyword::Count),
    (
        "propertyNames",
        Keyword::Unless(&["true", "{}", r#"{"type":"string"}"#]),
    ),
    ("prefixItems", Keyword::List(MAX_PROPERTIES)),
    ("items", Keyword::Items),
    ("additionalItems", Keyword::AdditionalItems),
    ("minItems", Keyword::Count),
    ("maxItems", Keyword::Count),
    ("uniqueItems", Keyword::Unless(&["false"])),
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
        Keyword::Unevaluated("additionalProperties"),
    ),
    ("unevaluatedItems", Keyword::Unevaluated("items")),
    ("if", Keyword::UnlessBeside(&["then", "else"])),
    ("then", Keyword::UnlessBeside(&["if"])),
    ("else", Keyword::UnlessBeside(&["if"])),
    ("$defs", Keyword::Definitions),
    ("definitions", Keyword::Definitions),
    ("$anchor", Keyword::Annotation),
    ("$id", Keyword::Identity),
    ("$schema", Keyword::Annotation),
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
    "uri",
    "uuid",
];

/// What looks at the same properties or items, so that more than its neighbours is evaluated.
pub const APPLICATORS: &[&str] = &[
    "$ref",
    "allOf",
    "anyOf",
    "oneOf",
    "dependentSchemas",
    "if",
    "contains",
];

/// Those that an answer is held to, some of them within bounds.
pub fn enforced_keywords() -> impl Iterator<Item = &'static str> {
    let says_nothing = |keyword: &Keyword| {
        matches!(
            keyword,
            Keyword::Annotation | Keyword::Identity | Keyword::Definitions | Keyword::Unless(_)
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
