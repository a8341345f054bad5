use super::check;

#[test]
fn sections_and_messages_are_marked_as_they_should() {
    check(&[
        (
            "# fr\n",
            "Bonjour\n# fr\n",
            46,
            "text before the first language",
        ),
        (
            "# fr\n",
            "# français\n",
            46,
            "a line that begins with `# ` names a language",
        ),
        (
            "# fr next",
            "# fr suite",
            55,
            "`# fr part`, `# fr merge` or `# fr next`",
        ),
        ("# de\n", "# fr\n", 60, "`# fr` stands on line 46 already"),
        (
            "## user",
            "## utilisateur",
            48,
            "is `## system`, `## user` or `## assistant`",
        ),
        (
            "## user",
            "Texte\n## user",
            48,
            "text before the first message",
        ),
        ("### Regeln\n", "", 62, "the message is empty"),
        (
            "### Regeln",
            "## Regeln",
            63,
            "`## Regeln`: a line that begins with `## `",
        ),
        (
            "## system\n### Regeln\n\n## user",
            "## user\nA\n## system",
            64,
            "`## system` where `## assistant` must stand",
        ),
        (
            "## system\n### Regeln\n\n## user",
            "## user\nA\n## user",
            64,
            "`## user` where `## assistant` must stand",
        ),
        (
            "## system\n### Regeln\n\n## user",
            "## user\nA\n## assistant",
            64,
            "the last message must be `## user`",
        ),
        (
            "# fr next\n",
            "# fr part\n",
            55,
            "has no place with long_documents = \"refine\"",
        ),
        (
            "long_documents = \"refine\"\n",
            "",
            54,
            "`# fr next` needs `long_documents` in the front matter",
        ),
        (
            "documents = { min = 1, max = 2 }\n",
            "",
            5,
            "`long_documents` needs `documents`",
        ),
    ]);
}
