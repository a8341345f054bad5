use super::check;

#[test]
fn variables_make_sense() {
    check(&[
        (
            "[variables.focus]",
            "[variables.documents]",
            25,
            "variable `documents`: the name is taken",
        ),
        (
            "[variables.focus]",
            "[variables.Focus]",
            25,
            "letters from a to z, digits and underscores",
        ),
        (
            "default = \"formal\"",
            "default = \"rude\"",
            20,
            "`default`: the variable `tone` must be one of formal, friendly",
        ),
        (
            "default = 5",
            "default = 12",
            29,
            "`default`: the variable `words` must be a number from 1 to 9",
        ),
        (
            "default = \"formal\"",
            "default = \"formal\"\nrequired = true",
            20,
            "either `required` or has a `default`",
        ),
        (
            "[\"formal\", \"friendly\"]",
            "[\"formal\"]",
            20,
            "`choices` must have 2 to 32 texts",
        ),
        (
            "[\"formal\", \"friendly\"]",
            "[\"formal\", \"formal\"]",
            20,
            "`choices` has \"formal\" twice",
        ),
        (
            "[\"formal\", \"friendly\"]",
            "[\"formal\", \"\"]",
            20,
            "must not have an empty text",
        ),
        (
            "max_chars = 300",
            "max_items = 300",
            25,
            "`max_items` does not go with the type text, which takes `max_chars`",
        ),
        (
            "max_chars = 300",
            "max_chars = 0",
            25,
            "`max_chars` must be from 1 to 1000000",
        ),
        ("min = 1\n", "", 29, "an integer needs `min` and `max`"),
        (
            "min = 1\n",
            "min = 10\n",
            29,
            "`min` must not be above `max`",
        ),
        (
            "[variables.focus]",
            "[variables.unused]\ndescription = { fr = \"a\", de = \"a\" }\n[variables.focus]",
            25,
            "the variable `unused` stands in no message for `fr`",
        ),
    ]);
}

#[test]
fn a_variable_that_one_language_leaves_out_is_refused() {
    check(&[(
        "{% if focus %}, {{ focus }}{% endif %}",
        "",
        25,
        "the variable `focus` stands in no message for `de`",
    )]);
}

#[test]
fn a_schema_is_a_json_schema_of_an_object() {
    check(&[
        (
            "\"type\": \"object\",",
            "\"type\": \"object\"",
            10,
            "`schema` is no JSON: expected `,` or `}`",
        ),
        (
            "\"type\": \"object\"",
            "\"type\": \"array\"",
            8,
            "must be a JSON object with \"type\": \"object\"",
        ),
        (
            "\"type\": \"string\"",
            "\"type\": \"text\"",
            8,
            "#/properties/service/type is \"text\", and must be one of object, array",
        ),
        (
            "[\"service\"]",
            "[\"office\"]",
            8,
            "#/required has \"office\", which `properties` has not",
        ),
        (
            "\"{{ services }}\"",
            "\"services\"",
            8,
            "must be an array, or \"{{ name }}\" of a list variable",
        ),
        ("\"{{ services }}\"", "[]", 8, "must be an array, or"),
        (
            "\"{{ services }}\"",
            "\"{{ offices }}\"",
            8,
            "names `offices`, which is no variable",
        ),
        (
            "\"{{ services }}\"",
            "\"{{ tone }}\"",
            8,
            "names `tone`, which must be of type list",
        ),
        (
            "required = true\n",
            "",
            8,
            "names `services`, which must be required",
        ),
        (
            "{\"service\": {",
            "{\"service\": [{",
            10,
            "`schema` is no JSON",
        ),
        (
            "{\"service\": {\"type\": \"string\", \"enum\": \"{{ services }}\"}}",
            "[]",
            8,
            "#/properties must be a JSON object",
        ),
    ]);
}
