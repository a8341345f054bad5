//! How much of what is wrong the checks find, and how often they raise a false alarm: measured over
//! the rewrites that `scripts/mutate-rewrites` makes, of the seeds that `GUICHET_REWRITES` lists
//! (`1,2` if it is not set), and of the topics in `GUICHET_TOPICS` (all of them).

use guichet::document::checks::{
    CheckOptions, Finding, Kind, NameList, Report, SourceText, Span, Status, check,
};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::process::Command;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Record {
    Source { id: String, text: String },
    Faithful(Rewrite),
    Mutation(Box<Mutation>),
}

#[derive(Deserialize)]
struct Rewrite {
    of: String,
    source: String,
    task: String,
    report_missing: Vec<String>,
    names: Vec<String>,
    text: String,
}

#[derive(Deserialize)]
struct Mutation {
    #[serde(flatten)]
    rewrite: Rewrite,
    class: String,
    operation: String,
    spans: Vec<(usize, usize)>,
    source_spans: Vec<(usize, usize)>,
    was: Vec<String>,
    now: Vec<String>,
}

/// Found, and all.
#[derive(Default, Clone, Copy)]
struct Rate(usize, usize);

impl Rate {
    fn share(self) -> f64 {
        self.0 as f64 / self.1.max(1) as f64
    }
}

#[test]
fn what_is_altered_is_found_and_what_is_faithful_is_not() {
    let seeds = std::env::var("GUICHET_REWRITES").unwrap_or("1,2".into());
    for seed in seeds.split(',') {
        measure(seed);
    }
}

fn measure(seed: &str) {
    let mut sources = HashMap::new();
    let mut operations: BTreeMap<(String, String), Rate> = BTreeMap::new();
    let mut alarms = Rate::default();
    for record in made(seed) {
        match record {
            Record::Source { id, text } => drop(sources.insert(id, text)),
            Record::Faithful(rewrite) => {
                let findings = checked(&sources, &rewrite).findings;
                alarms.0 += usize::from(!findings.is_empty());
                alarms.1 += 1;
                for finding in &findings {
                    println!("false alarm in {}: {finding:?}", rewrite.of);
                }
            }
            Record::Mutation(mutation) => {
                let report = checked(&sources, &mutation.rewrite);
                let found = report
                    .findings
                    .iter()
                    .any(|finding| is_about(finding, &mutation));
                let rate = operations
                    .entry((mutation.class.clone(), mutation.operation.clone()))
                    .or_default();
                rate.0 += usize::from(found);
                rate.1 += 1;
                if !found {
                    let Mutation {
                        rewrite,
                        class,
                        operation,
                        was,
                        now,
                        ..
                    } = *mutation;
                    println!(
                        "missed in {}: {class}, {operation}: {was:?} -> {now:?}",
                        rewrite.of
                    );
                }
            }
        }
    }
    let mut classes: BTreeMap<String, Rate> = BTreeMap::new();
    for ((class, operation), rate) in &operations {
        println!(
            "seed {seed} {class:14} {operation:30} {:4} of {:4}",
            rate.0, rate.1
        );
        let sum = classes.entry(class.clone()).or_default();
        *sum = Rate(sum.0 + rate.0, sum.1 + rate.1);
    }
    for (class, rate) in &classes {
        println!(
            "seed {seed} {class:14} {:4} of {:4}  {:.1} %",
            rate.0,
            rate.1,
            100.0 * rate.share()
        );
    }
    println!(
        "seed {seed} false alarms in {} of {} faithful rewrites",
        alarms.0, alarms.1
    );
    for (class, rate) in &classes {
        let least = if class == "name" { 0.9 } else { 0.97 };
        assert!(rate.share() >= least, "{class}: {} of {}", rate.0, rate.1);
    }
    assert!(alarms.share() <= 0.02, "{} of {}", alarms.0, alarms.1);
}

fn made(seed: &str) -> Vec<Record> {
    let mut script = Command::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/scripts/mutate-rewrites"
    ));
    let topics = std::env::var("GUICHET_TOPICS").unwrap_or_default();
    let output = script
        .args(["--seed", seed, "--topics", &topics])
        .output()
        .expect("the script runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8(output.stdout).expect("the script writes UTF-8");
    lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("a record"))
        .collect()
}

fn checked(sources: &HashMap<String, String>, rewrite: &Rewrite) -> Report {
    let kind = |name: &String| match name.as_str() {
        "reference" => Kind::LegalReference,
        name => serde_json::from_value(name.into()).expect("a kind"),
    };
    let options = CheckOptions {
        report_missing: rewrite.report_missing.iter().map(kind).collect(),
        names: NameList::new(rewrite.names.clone()).expect("a list of names"),
        reply: rewrite.task == "reply",
        ..CheckOptions::default()
    };
    let source = SourceText {
        name: &rewrite.source,
        text: &sources[&rewrite.source],
    };
    check(&[source], &rewrite.text, &options)
}

/// Whether a finding points at what was altered, or, for what was left out, at the source's value.
fn is_about(finding: &Finding, mutation: &Mutation) -> bool {
    let touches = |span: &Span, all: &[(usize, usize)]| {
        all.iter()
            .any(|(start, end)| span.start_byte < *end && *start < span.end_byte)
    };
    match finding.status {
        Status::Missing => finding
            .source
            .as_ref()
            .is_some_and(|source| touches(&source.quoted.span, &mutation.source_spans)),
        Status::Changed | Status::Unsupported => finding
            .answer
            .as_ref()
            .is_some_and(|answer| touches(&answer.span, &mutation.spans)),
    }
}
