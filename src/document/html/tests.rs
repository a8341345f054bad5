use crate::document::{BlockKind, LeftOutKind, ParseLimits, parse};

fn text(html: &str) -> String {
    parse(
        format!("<html><body>{html}").as_bytes(),
        &ParseLimits::default(),
    )
    .unwrap()
    .text
}

#[test]
fn blocks_lists_and_tables_keep_their_order() {
    let html = "<h1>Titre</h1><p>Un <b>deux</b><br>trois<ol start=3><li>a<li>b</ol>\
                <table><tr><th>Nom<th>Prix<tr><td>x<td>1 €</table>fin";
    assert_eq!(
        text(html),
        "Titre\n\nUn deux\ntrois\n\n3. a\n\n4. b\n\n| Nom | Prix |\n|---|---|\n| x | 1 € |\n\nfin"
    );
}

#[test]
fn what_a_browser_does_not_show_is_left_out_and_reported() {
    let html = "<html><style>.x{display:none}</style><body>vu<script>a</script><p style='display: none'>caché</p>\
                <p class=x>caché</p><span style='color:#fff'>blanc</span>";
    let document = parse(html.as_bytes(), &ParseLimits::default()).unwrap();
    assert_eq!(document.text, "vu");
    assert_eq!(
        (document.left_out[0].what, document.left_out[0].count),
        (LeftOutKind::HiddenText, 15)
    );
}

#[test]
fn tables_for_the_layout_are_no_tables() {
    assert_eq!(
        text("<table><tr><td><table><tr><td>a<td>b</table><td>c</table>"),
        "| a | b |\n|---|---|\n\nc"
    );
    let document = parse(
        b"<html><table><tr><td>seul</table>",
        &ParseLimits::default(),
    )
    .unwrap();
    assert_eq!(document.blocks[0].kind, BlockKind::Paragraph);
}

#[test]
fn a_million_open_tags_are_refused() {
    let deep = format!("<html>{}", "<div>".repeat(1_000_000));
    assert!(parse(deep.as_bytes(), &ParseLimits::default()).is_err());
}
