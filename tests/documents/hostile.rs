//! Files that mean harm: each is refused or read, in little time, and the reader of the next one
//! does not notice.

use super::{fixture, parser};
use guichet::document::{DocumentError, Limit, ParseLimits};
use std::io::{Cursor, Write as _};
use std::time::{Duration, Instant};
use zip::write::SimpleFileOptions;

const MAX_TIME: Duration = Duration::from_secs(5);

fn limits() -> ParseLimits {
    ParseLimits {
        max_cpu_seconds: 4,
        max_wall_seconds: 20,
        max_memory_bytes: 512 << 20,
        ..ParseLimits::default()
    }
}

/// An office file of these parts.
fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        zip.start_file(*name, SimpleFileOptions::default().large_file(false))
            .unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A DOCX with this body, or an ODT's or a workbook's main part.
fn docx(document: &str) -> Vec<u8> {
    archive(&[("word/document.xml", document.as_bytes())])
}

fn odt(kind: &str, content: &str) -> Vec<u8> {
    archive(&[
        (
            "mimetype",
            format!("application/vnd.oasis.opendocument.{kind}").as_bytes(),
        ),
        ("content.xml", content.as_bytes()),
    ])
}

fn pdf(objects: &[String]) -> Vec<u8> {
    let mut file = "%PDF-1.7\n".to_owned();
    for (index, object) in objects.iter().enumerate() {
        file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", index + 1));
    }
    file.push_str("trailer\n<</Root 1 0 R>>\n%%EOF\n");
    file.into_bytes()
}

fn bombs() -> Vec<(String, Vec<u8>)> {
    let zeros = vec![b' '; 300 << 20];
    let entities = "<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]><w:document>&b;</w:document>";
    let word = "xmlns:w='http://schemas.openxmlformats.org/wordprocessingml/2006/main'";
    let office = "xmlns:office='urn:oasis:names:tc:opendocument:xmlns:office:1.0' xmlns:table='urn:oasis:names:tc:opendocument:xmlns:table:1.0' xmlns:text='urn:oasis:names:tc:opendocument:xmlns:text:1.0'";
    let repeated = format!(
        "<office:document {office}><office:body><office:spreadsheet><table:table><table:table-row table:number-rows-repeated='4000000000'><table:table-cell table:number-columns-repeated='4000000000'><text:p>x</text:p></table:table-cell></table:table-row></table:table></office:spreadsheet></office:body></office:document>"
    );
    let nested = |open: &str, close: &str, times: usize| {
        format!("{}x{}", open.repeat(times), close.repeat(times))
    };
    let pages: Vec<String> = (0..100_000).map(|n| format!("{} 0 R", n + 3)).collect();
    let page = |kids: &str| {
        vec![
            "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
            format!("<</Type/Pages/Count 1/Kids[{kids}]>>"),
        ]
    };
    let mut many = page(&pages.join(" "));
    many.extend(
        pages
            .iter()
            .map(|_| "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>".to_owned()),
    );
    let mut looped = page("3 0 R");
    looped.push("<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>".to_owned());
    looped.push("<</Length 5>>stream\n/X Do\nendstream".to_owned());
    looped.push("<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 5 0 R>>>>/Length 11>>stream\n/X Do /X Do\nendstream".to_owned());
    let multipart = (0..5_000).map(|n| format!("--b\r\nContent-Type: text/plain; name=\"{n}.txt\"\r\nContent-Disposition: attachment\r\n\r\nx\r\n")).collect::<String>();
    [
        ("zip bomb in docx", archive(&[("word/document.xml", &zeros)])),
        ("zip bomb in xlsx", archive(&[("xl/workbook.xml", b"<workbook/>"), ("xl/sharedStrings.xml", &zeros)])),
        ("zip bomb as mimetype", archive(&[("mimetype", &zeros)])),
        ("entity bomb", docx(entities)),
        ("deep docx", docx(&format!("<w:document {word}>{}</w:document>", nested("<w:p>", "</w:p>", 100_000)))),
        ("deep odt", odt("text", &nested("<a>", "</a>", 100_000))),
        ("repeated cells", odt("spreadsheet", &repeated)),
        ("deep html", nested("<html><div>", "</div>", 1_000_000).into_bytes()),
        ("deep rtf", format!("{{\\rtf1{}", nested("{", "}", 1_000_000)).into_bytes()),
        ("rtf with a huge binary", b"{\\rtf1 \\bin2147483647 x}".to_vec()),
        ("100,000 pages", pdf(&many)),
        ("pages within themselves", pdf(&page("2 0 R"))),
        ("a form that draws itself", pdf(&looped)),
        ("arrays within arrays", pdf(&[nested("[", "]", 1_000_000)])),
        ("dictionaries within dictionaries", pdf(&[nested("<</A", ">>", 500_000)])),
        ("5,000 attachments", format!("From: a@b.c\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{multipart}--b--\r\n").into_bytes()),
        ("a table as wide as long", "a;".repeat(3_000_000).into_bytes()),
    ]
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .into()
}

/// A generator that is the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, max: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % max.max(1)
    }
}

/// Cuts, and changes of single bytes and of stretches, in files of every format.
fn mutations() -> Vec<(String, Vec<u8>)> {
    let mut random = Random(6);
    let mut files = Vec::new();
    for name in [
        "letter-fr.docx",
        "letter-fr.odt",
        "letter-fr.rtf",
        "letter-fr.html",
        "letter-fr.eml",
        "letter-fr.pdf",
        "sheet-fr.xlsx",
        "sheet-fr.ods",
        "table-fr.csv",
        "latin-fr.txt",
        "form.pdf",
        "hidden-text.pdf",
        "attachment.pdf",
        "empty-password.pdf",
        "scanned-annex.pdf",
    ] {
        let whole = fixture(name);
        for round in 0..20 {
            let mut bytes = whole.clone();
            match round % 4 {
                0 => bytes.truncate(random.below(whole.len())),
                1 => {
                    for _ in 0..1 + random.below(20) {
                        let at = random.below(bytes.len());
                        bytes[at] = random.below(256) as u8;
                    }
                }
                2 => {
                    let (from, length) = (random.below(bytes.len()), random.below(200));
                    let to = bytes.len().min(from + length);
                    bytes.drain(from..to);
                }
                _ => {
                    let (from, length) = (random.below(bytes.len()), random.below(400));
                    let stretch = bytes[from..bytes.len().min(from + length)].to_vec();
                    let at = random.below(bytes.len());
                    bytes.splice(at..at, stretch.repeat(1 + random.below(50)));
                }
            }
            files.push((format!("{name}, change {round}"), bytes));
        }
    }
    files
}

#[test]
fn hostile_files_are_refused_in_time_and_nothing_crashes() {
    let parser = parser();
    let mut files = bombs();
    files.extend(mutations());
    assert!(files.len() >= 300, "{}", files.len());
    let mut slowest = (Duration::ZERO, String::new());
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    let mut failures = Vec::new();
    for (name, bytes) in &files {
        let start = Instant::now();
        let result = parser.parse(bytes, &limits());
        let time = start.elapsed();
        let outcome = match &result {
            Ok(_) => "read".to_owned(),
            Err(error) => format!("{error:?}")
                .split([' ', '{'])
                .next()
                .unwrap_or_default()
                .to_owned(),
        };
        *counts.entry(outcome).or_default() += 1;
        match &result {
            Err(error @ (DocumentError::Sandbox { .. } | DocumentError::Forbidden)) => {
                failures.push(format!("{name}: {error}"))
            }
            _ if time > MAX_TIME => failures.push(format!("{name}: {time:?}")),
            _ => {}
        }
        if time > slowest.0 {
            slowest = (
                time,
                format!(
                    "{name}: {}",
                    result.map_or_else(|error| error.to_string(), |_| "read".to_owned())
                ),
            );
        }
    }
    println!(
        "{} files: {counts:?}; slowest {:?}, {}",
        files.len(),
        slowest.0,
        slowest.1
    );
    assert_eq!(failures, Vec::<String>::new());
}

#[test]
fn bombs_are_refused_with_the_reason() {
    let parser = parser();
    for (name, bytes) in bombs() {
        let result = parser.parse(&bytes, &limits());
        println!(
            "{name}: {}",
            result
                .as_ref()
                .map_or_else(ToString::to_string, |_| "read".to_owned())
        );
        let is_expected = match name.as_str() {
            "zip bomb in docx" | "zip bomb as mimetype" => {
                matches!(result, Err(DocumentError::Bomb { .. }))
            }
            "100,000 pages" => matches!(
                result,
                Err(DocumentError::TooManyPages {
                    num_pages: 100_000,
                    ..
                })
            ),
            "entity bomb" => matches!(result, Err(DocumentError::Malformed { .. })),
            "deep docx" | "deep odt" | "deep html" | "deep rtf" => matches!(
                result,
                Err(DocumentError::LimitExceeded {
                    limit: Limit::Nesting,
                    ..
                })
            ),
            "repeated cells" => matches!(
                result,
                Err(DocumentError::LimitExceeded {
                    limit: Limit::Nodes,
                    ..
                })
            ),
            "5,000 attachments" => matches!(
                result,
                Err(DocumentError::LimitExceeded {
                    limit: Limit::Attachments,
                    ..
                })
            ),
            _ => !matches!(
                result,
                Err(DocumentError::Sandbox { .. } | DocumentError::Forbidden)
            ),
        };
        assert!(is_expected, "{name}: {result:?}");
    }
}

#[test]
fn limits_are_named_when_they_are_hit() {
    let letter = fixture("letter-fr.pdf");
    let with = |change: fn(&mut ParseLimits)| {
        let mut limits = limits();
        change(&mut limits);
        parser().parse(&letter, &limits).map(|_| ()).unwrap_err()
    };
    let limit = |error: DocumentError| match error {
        DocumentError::LimitExceeded { limit, .. } => limit,
        other => panic!("{other}"),
    };
    assert_eq!(
        limit(with(|limits| limits.max_input_bytes = 100)),
        Limit::InputBytes
    );
    assert_eq!(
        limit(with(|limits| limits.max_output_bytes = 100)),
        Limit::OutputBytes
    );
    assert_eq!(
        limit(with(|limits| limits.max_wall_seconds = 0)),
        Limit::WallSeconds
    );
    assert_eq!(limit(with(|limits| limits.max_blocks = 2)), Limit::Blocks);
}

#[test]
fn memory_is_bounded_whatever_asks_for_it() {
    let parser = parser();
    let limits = ParseLimits {
        max_memory_bytes: 24 << 20,
        max_blocks: u64::MAX,
        ..limits()
    };
    for bytes in [
        vec![b'a'; 40 << 20],
        format!("<html>{}", "<p>a".repeat(3_000_000)).into_bytes(),
    ] {
        let error = parser.parse(&bytes, &limits).unwrap_err();
        let limit = Limit::MemoryBytes;
        assert_eq!(
            error,
            DocumentError::LimitExceeded {
                limit,
                max: 24 << 20
            }
        );
    }
}

#[test]
fn the_sandbox_has_all_its_locks_on_this_kernel() {
    let strength = parser().probe().unwrap();
    println!("{strength}");
    assert!(strength.is_sound(), "{strength}");
}
