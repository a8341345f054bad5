use super::made::{
    Heading, Maker, PLANTED, Paragraph, Table, code_of_articles, table, three_hundred_pages,
};
use super::{budget, check, count};
use crate::document::Document;
use crate::document::parts::split;
use std::time::{Duration, Instant};

fn timed(name: &str, document: &Document, max_tokens: usize) -> Duration {
    let start = Instant::now();
    let (mut calls, mut bytes) = (0_usize, 0_usize);
    let parts = split(document, budget(max_tokens), &mut |text| {
        calls += 1;
        bytes += text.len();
        count(text)
    });
    let taken = start.elapsed();
    check(document, &parts, max_tokens);
    let sum: usize = parts.iter().map(|part| part.num_tokens).sum();
    println!(
        "{name}: {} bytes, {} blocks, budget {max_tokens}: {} parts of {} tokens on average, \
         {calls} counts of {bytes} bytes, {taken:.1?}",
        document.text.len(),
        document.blocks.len(),
        parts.len(),
        sum / parts.len(),
    );
    taken
}

#[test]
fn a_word_on_page_287_of_300_is_in_a_part_of_that_page() {
    let document = three_hundred_pages();
    assert!(document.text.len() > 700_000);
    let parts = split(&document, budget(1300), &mut count);
    check(&document, &parts, 1300);
    let at = document.text.find(PLANTED).expect("the word");
    let found: Vec<_> = parts
        .iter()
        .filter(|part| part.shown(&document).contains(PLANTED))
        .collect();
    assert_eq!(found.len(), 1);
    assert!(found[0].range.contains(&at));
    assert!((found[0].pages.first..=found[0].pages.last).contains(&287));
}

#[test]
fn texts_that_are_made_to_take_long_do_not() {
    let hostile = [
        ".",
        ". ",
        "1.",
        "1. ",
        "I",
        "§",
        "a) ",
        "M. ",
        "A. ",
        "\n",
        ".\n",
        "\n.",
        ";\n",
        "q\u{323}",
        "\u{323}",
        "\u{200d}",
        "🇫🇷",
        "#",
        "*",
        "| ",
        "|-|\n",
        "| a |\n",
        "Article 1\n",
        "§ 1 ",
        "12 ",
        "[",
        "« ",
        "»",
        ". »",
        "é",
    ];
    for piece in hostile {
        let text = piece.repeat(100_000 / piece.len());
        for kind in [Paragraph, Table, Heading { level: 1 }] {
            let document = Maker::default().block(kind, &format!("x{text}x")).done();
            let start = Instant::now();
            let parts = split(&document, budget(1300), &mut |text| text.len() / 3);
            let taken = start.elapsed();
            check(&document, &parts, 1300);
            assert!(
                taken < Duration::from_secs(8),
                "{piece:?} {kind:?}: {taken:?}"
            );
        }
    }
}

#[test]
fn a_megabyte_is_split_in_time_that_grows_with_its_length_alone() {
    let pages = three_hundred_pages();
    for max_tokens in [100, 1300, 8000, 100_000] {
        let taken = timed("300 pages", &pages, max_tokens);
        assert!(taken < Duration::from_secs(10));
    }
    timed("code of 1,000 articles", &code_of_articles(1000), 1300);
    timed("table of 20,000 rows", &table(20_000), 1300);
    let paragraph = |text: &str| Maker::default().block(Paragraph, text).done();
    let words = paragraph("mot ".repeat(250_000).trim_end());
    assert!(timed("a megabyte of words", &words, 1300) < Duration::from_secs(20));
    let letters = paragraph(&"x".repeat(1_000_000));
    assert!(timed("a word of a megabyte", &letters, 1300) < Duration::from_secs(20));
    let digits = paragraph(&"7 ".repeat(500_000));
    assert!(timed("a megabyte of digits", &digits, 1300) < Duration::from_secs(20));
}
