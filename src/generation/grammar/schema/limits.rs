//! Every limit on a schema, in one table: the checks, `GET /v1/capabilities` and `docs/limits.md`
//! come from it.

macro_rules! limits {
    ($($name:ident = $value:expr, $what:literal;)*) => {
        $(#[doc = $what] pub const $name: usize = $value;)*
        /// All limits by their names, and what each is one of, in the order of the documentation.
        pub const SCHEMA_LIMITS: &[(&str, usize, &str)] = &[
            $((stringify!($name), $value, $what),)*
        ];
    };
}

limits! {
    MAX_PARTS = 10_000, "Schemas within a schema, each as often as it is looked at.";
    MAX_WRITTEN = 300_000, "Values that are listed, copied or turned round where a schema is written out for the compiler; a long text counts as one for each 64 bytes.";
    MAX_DEPTH = 128, "Schemas within one another while a schema is written out, references that are followed included.";
    MAX_POINTER_BYTES = 4096, "Bytes in the JSON pointer to a part.";
    MAX_IDENTIFIERS = 1000, "`$id`, `$anchor` and `$dynamicAnchor` together.";
    MAX_IDENTIFIER_BYTES = 1024, "Bytes in one of them, joined to the URI that it is relative to.";
    MAX_REFERENCES = 16, "References that are followed one after another, for `oneOf` and `unevaluated…`.";
    MAX_PROPERTIES = 1000, "Schemas in `properties` or `prefixItems`: each costs the compiler a look at all others.";
    MAX_PATTERN_PROPERTIES = 16, "Schemas in `patternProperties`: the compiler holds each against all others.";
    MAX_MEMBERS = 256, "Schemas in `allOf`, `anyOf` or `oneOf`, and members of `dependentRequired` or `dependentSchemas`.";
    MAX_OVERLAPPING = 8, "Members of a `oneOf` that may hold together: each is held against each.";
    MAX_COMPARED = 50_000, "Values and required names by which the members of a `oneOf` are told apart.";
    MAX_COUNT = 65_536, "A length, or a count of items or properties: it unrolls in the grammar.";
    MAX_CONTAINING_ITEMS = 16, "`maxItems` beside `contains`.";
    MAX_CONTAINING_PLACES = 256, "Choices of the places that hold what `contains` asks for.";
    MAX_UNIQUE_ARRAYS = 500, "Arrays that `uniqueItems` allows.";
    MAX_CASES = 64, "Cases of what is evaluated and what is not, beside `unevaluated…`.";
    MAX_REFUSED_CHARS = 200, "Characters in a text that is not to be answered, as `not` says it.";
    MAX_REFUSED_ITEMS = 16, "Items beyond `prefixItems`, where `items` is turned round.";
    MAX_REFUSED_PROPERTIES = 4, "Properties beside `additionalProperties: false`, where that is turned round: whether another one is there is asked for each choice of those that are.";
}
