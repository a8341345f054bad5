use crate::document::{BlockKind, LeftOutKind, ParseLimits, parse};

#[test]
fn text_tables_notes_and_hidden_text_are_told_apart() {
    let rtf = br"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0 Arial;}}{\info{\title Avis}}
\pard\outlinelevel0 Titre\par
\pard D\'e9cision \u8364?5\super 2\nosupersub{\v cach\'e9}{\footnote\chftn  Une note}\par
\trowd\pard\intbl Nom\cell Prix\cell\row\trowd\intbl a\cell 1\cell\row
\pard{\listtext\pard 1.\tab}Premier\par{\*\inconnu rien}fin\par}";
    let document = parse(rtf, &ParseLimits::default()).unwrap();
    assert_eq!(document.title.as_deref(), Some("Avis"));
    assert_eq!(
        document.text,
        "Titre\n\nD\u{e9}cision \u{20ac}5\u{b2}\n\n\u{b9} Une note\n\n| Nom | Prix |\n|---|---|\n| a | 1 |\n\n1. Premier\n\nfin"
    );
    assert_eq!(document.blocks[0].kind, BlockKind::Heading { level: 1 });
    assert_eq!(
        (document.left_out[0].what, document.left_out[0].count),
        (LeftOutKind::HiddenText, 5)
    );
    assert!(parse(&rtf[..rtf.len() - 1], &ParseLimits::default()).is_err());
}
