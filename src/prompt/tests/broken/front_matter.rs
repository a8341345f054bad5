use super::check;

#[test]
fn a_file_without_its_front_matter_is_refused() {
    check(&[
        ("+++\n", "", 1, "must begin with a line `+++`"),
        (
            "\n+++\n",
            "\n",
            1,
            "the front matter must end with a line `+++`",
        ),
    ]);
}

#[test]
fn keys_that_are_unknown_missing_or_of_a_wrong_type_are_refused() {
    check(&[
        (
            "title =",
            "titel =",
            3,
            "unknown field `titel`, expected one of `languages`, `title`",
        ),
        (
            "title = { fr = \"Essai\", de = \"Probe\" }\n",
            "",
            2,
            "missing field `title`",
        ),
        (
            "title = {",
            "title = 3 #",
            3,
            "invalid type: integer `3`, expected a map",
        ),
        ("title = {", "title {", 3, "expected"),
        (
            "max_chars = 300",
            "max_length = 300",
            26,
            "unknown field `max_length`, expected one of `type`",
        ),
        (
            "temperature",
            "temprature",
            37,
            "unknown field `temprature`, expected one of `temperature`, `top_p`",
        ),
        (
            "missing =",
            "mising =",
            40,
            "unknown field `mising`, expected one of `kinds`, `missing`, `plain_language`",
        ),
        (
            "[\"date\"]",
            "[\"dates\"]",
            40,
            "unknown variant `dates`, expected one of `number`, `amount`, `date`",
        ),
        (
            "max_sentence_words",
            "longest_sentence",
            43,
            "unknown field `longest_sentence`",
        ),
        (
            "\"refine\"",
            "\"reduce\"",
            6,
            "unknown variant `reduce`, expected one of `join`, `map-reduce`, `refine`",
        ),
        (
            "\"list\"",
            "\"array\"",
            16,
            "unknown variant `array`, expected one of `text`, `integer`, `boolean`, `list`",
        ),
        (
            "max = 2 }",
            "most = 2 }",
            5,
            "unknown field `most`, expected `min` or `max`",
        ),
    ]);
}

#[test]
fn languages_are_all_there_and_no_others() {
    check(&[
        ("[\"fr\", \"de\"]", "[]", 2, "`languages` must have 1 to 24"),
        (
            "[\"fr\", \"de\"]",
            "[\"fr\", \"Deutsch\"]",
            2,
            "which is no code such as \"fr\"",
        ),
        (
            "[\"fr\", \"de\"]",
            "[\"fr\", \"de\", \"fr\"]",
            2,
            "has \"fr\" twice",
        ),
        (
            "title = { fr = \"Essai\", de = \"Probe\" }",
            "title = { fr = \"Essai\" }",
            3,
            "`title` has no text for \"de\"",
        ),
        (
            "description = { fr = \"Essai\", de = \"Probe\" }",
            "description = { fr = \"Essai\", de = \" \" }",
            4,
            "`description` has no text for \"de\"",
        ),
        (
            "title = { fr",
            "title = { it = \"Prova\", fr",
            3,
            "\"it\", which is not in `languages`: fr, de",
        ),
        (
            "description = { fr = \"Ton\", de = \"Ton\" }",
            "description = { fr = \"Ton\" }",
            20,
            "variable `tone`: `description` has no text for \"de\"",
        ),
        (
            "# de\n",
            "# it\n",
            60,
            "the language is not in `languages`, which has fr, de",
        ),
        (
            "\n# de next\n\n## user\n{{ previous | block }} {{ documents | block }}\n",
            "",
            60,
            "there is no section `# de next`",
        ),
    ]);
}

#[test]
fn numbers_are_within_their_ranges() {
    check(&[
        (
            "max = 2 }",
            "max = 0 }",
            5,
            "documents.max must be from 1 to 256",
        ),
        (
            "min = 1, max = 2",
            "min = 3, max = 2",
            5,
            "documents.min at most as many",
        ),
        (
            "temperature = 0.2",
            "temperature = 2.5",
            36,
            "sampling.temperature must be from 0 to 2",
        ),
        (
            "temperature = 0.2",
            "temperature = nan",
            36,
            "sampling.temperature must be from 0 to 2",
        ),
        (
            "temperature = 0.2",
            "top_p = 0.0",
            36,
            "sampling.top_p must be above 0",
        ),
        (
            "temperature = 0.2",
            "top_k = 0",
            36,
            "sampling.top_k must be at least 1",
        ),
        (
            "temperature = 0.2",
            "max_tokens = 0",
            36,
            "sampling.max_tokens must be from 1",
        ),
        (
            "temperature = 0.2",
            "repetition_penalty = 3.0",
            36,
            "sampling.repetition_penalty must be from 0.01 to 2",
        ),
        (
            "max_sentence_words = 20",
            "max_sentence_words = 0",
            39,
            "checks.plain_language.max_sentence_words must be at least 1",
        ),
        (
            "max_sentence_words = 20",
            "max_passive_share = 15.0",
            39,
            "checks.plain_language.max_passive_share must be from 0 to 1",
        ),
        (
            "missing = [\"date\"]",
            "kinds = [\"amount\"]\nmissing = [\"date\"]",
            39,
            "checks.missing has \"date\", which is not in checks.kinds",
        ),
    ]);
}
