use super::check;

#[test]
fn templates_use_what_there_is_and_render() {
    check(&[
        (
            "{{ tone }}",
            "{{ ton }}",
            50,
            "unknown variable `ton`; there are language, services, tone, focus, words, documents",
        ),
        (
            "{{ previous | block }}",
            "{{ part.number }}",
            55,
            "no message of this section uses `previous`",
        ),
        (
            "{{ documents | block }}\n",
            "",
            46,
            "no message of this section uses `documents`",
        ),
        (
            "{{ tone }}",
            "{{ previous }}",
            50,
            "unknown variable `previous`",
        ),
        ("{% endif %}", "", 52, "syntax error"),
        ("{{ tone }}", "{{ tone }", 50, "syntax error"),
        (
            "{{ tone }}",
            "{{ tone | shout }}",
            50,
            "unknown filter; there are block, join, length, lower, trim and upper",
        ),
        (
            "{{ tone }}",
            "{{ tone.upper() }}",
            50,
            "functions and methods are not known here",
        ),
        (
            "{{ tone }}",
            "{{ range(9) }}{{ tone }}",
            50,
            "unknown variable `range`",
        ),
        (
            "{{ tone }}",
            "{% if tone is defined %}{{ tone }}{% endif %}",
            50,
            "`is` and its tests are not known here",
        ),
        (
            "{{ tone }}",
            "{{ tone.name }}",
            50,
            "the message uses something that there is not",
        ),
        (
            "{{ tone }}",
            "{% include \"fr\" %}{{ tone }}",
            50,
            "unknown statement `include`; there are if, elif, else",
        ),
        (
            "{{ tone }}",
            "{% macro m() %}{% endmacro %}{{ tone }}",
            50,
            "unknown statement `macro`",
        ),
        (
            "{% if focus %}\n{{ focus }}\n{% endif %}",
            "{{ focus }}",
            51,
            "put it between {% if … %} and {% endif %}",
        ),
        (
            "{{ services | join(\", \") }}",
            "{{ services }}",
            50,
            "a list has no text of its own",
        ),
        (
            "{{ documents | block }}",
            "{{ documents }}",
            49,
            "a list has no text of its own",
        ),
        (
            "{{ words }}",
            "{{ words | block }}",
            50,
            "`block` takes documents and texts",
        ),
        (
            "{{ tone }}",
            "{% if tone == \"friendly\" %}{{ tone / 2 }}{% endif %}{{ tone }}",
            50,
            "invalid operation",
        ),
        (
            "{{ tone }}",
            "{{ documents[1].name }}{{ tone }}",
            50,
            "the message uses something that there is not",
        ),
    ]);
}

#[test]
fn templates_are_bounded() {
    let long = format!("{{{{ {}tone }}}}", "not ".repeat(300));
    let many = "{{ tone }}".repeat(301);
    let loops = format!(
        "{}x{}{{{{ tone }}}}",
        "{% for a in services * 99 %}".repeat(4),
        "{% endfor %}".repeat(4)
    );
    check(&[
        ("{{ tone }}", &long, 50, "a tag has more than 1000 bytes"),
        ("{{ tone }}", &many, 48, "tags; 300 are allowed"),
        (
            "{{ tone }}",
            &loops,
            50,
            "the message takes too long to render",
        ),
    ]);
}
