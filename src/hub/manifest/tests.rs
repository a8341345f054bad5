use super::*;

const WHEEL: &str = "[wheel]\nrequirement = \"a==1\"\nmember = \"a/b.gguf\"\nsize = 1\nsha256 = \"b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53\"\n";

fn manifest(head: &str, tail: &str) -> Result<Manifest, String> {
    Manifest::parse("m.toml", &text(head, tail)).map_err(|error| error.to_string())
}

fn text(head: &str, tail: &str) -> String {
    format!(
        "name = \"m\"\ntitle = \"M\"\nfamily = \"llama\"\nlicence = \"MIT\"\nlanguages = [\"fr\"]\ntasks = [\"chat\"]\n\
         use = \"letters\"\ncontext_length = 1\nparameters = 1\ntable_parameters = 0\nkv_mib = 1\n{head}\n{tail}"
    )
}

#[test]
fn an_unknown_key_is_refused_with_file_and_key() {
    let error = manifest("licens = \"MIT\"", WHEEL).unwrap_err();
    assert!(
        error.starts_with("m.toml: ") && error.contains("`licens`"),
        "{error}"
    );
    let error = manifest("[sampling]\ntop_q = 1", WHEEL).unwrap_err();
    assert!(
        error.starts_with("m.toml: ") && error.contains("`top_q`"),
        "{error}"
    );
}

#[test]
fn a_requirement_cannot_smuggle_an_option_to_pip() {
    for requirement in [
        "--index-url=x==1",
        "a",
        "a==",
        "a == 1",
        "a==1 b",
        "a>=1",
        "-r==1",
    ] {
        let tail = WHEEL.replace("a==1", requirement);
        let error = manifest("", &tail).unwrap_err();
        assert!(
            error.contains("wheel.requirement"),
            "{requirement}: {error}"
        );
    }
}

#[test]
fn sampling_out_of_range_is_refused_by_name() {
    for (line, name) in [
        ("temperature = -0.1", "sampling.temperature"),
        ("temperature = nan", "sampling.temperature"),
        ("top_p = 0.0", "sampling.top_p"),
        ("top_k = 0", "sampling.top_k"),
    ] {
        let error = manifest(&format!("[sampling]\n{line}"), WHEEL).unwrap_err();
        assert!(error.contains(name), "{line}: {error}");
    }
}

#[test]
fn a_manifest_without_a_source_or_with_a_bad_digest_is_refused() {
    assert!(manifest("", "").unwrap_err().contains("[hub] and [wheel]"));
    assert!(
        manifest("", &WHEEL.replace("b179", "B179"))
            .unwrap_err()
            .contains("wheel.sha256")
    );
    assert!(
        manifest("", "[hub]\nrepo = \"x\"\nrevision = \"main\"")
            .unwrap_err()
            .contains("hub.repo")
    );
}

#[test]
fn what_describes_a_model_is_checked() {
    for (from, to, word) in [
        ("\"fr\"", "\"french\"", "ISO 639-1"),
        ("\"fr\"", "\"FR\"", "ISO 639-1"),
        ("[\"chat\"]", "[]", "tasks"),
        ("[\"chat\"]", "[\"poetry\"]", "poetry"),
        ("\"letters\"", "\" \"", "use"),
        (
            "table_parameters = 0",
            "table_parameters = 1",
            "table_parameters",
        ),
        (
            "parameters = 1\n",
            "parameters = 99999999999999999\n",
            "parameters",
        ),
        (
            "\"MIT\"",
            "\"MIT\"\nlicence_url = \"ftp://x\"",
            "licence_url",
        ),
    ] {
        let text = text("", WHEEL);
        assert!(text.contains(from));
        let error = Manifest::parse("m.toml", &text.replacen(from, to, 1)).unwrap_err();
        assert!(error.to_string().contains(word), "{to}: {error}");
    }
}

#[test]
fn memory_follows_from_the_parameters_and_the_length_of_a_sequence() {
    let mut manifest = manifest("", WHEEL).unwrap();
    manifest.parameters = 5 << 20;
    manifest.table_parameters = 1 << 20;
    manifest.kv_mib = 100;
    let memory = WeightBits::ALL.map(|bits| manifest.memory_mib(bits));
    // 10 MiB; 5.16 MiB; 4 × 4.5 bits and 8.25 bits, which is 3.28 MiB.
    assert_eq!(memory, [10 + 356, 6 + 356, 4 + 356]);
}

#[test]
fn what_a_manifest_leaves_open_stays_open() {
    let manifest = manifest("[sampling]\ntop_p = 0.9", WHEEL).unwrap();
    assert_eq!(
        manifest.sampling,
        DefaultSampling {
            temperature: None,
            top_p: Some(0.9),
            top_k: None
        }
    );
    assert_eq!(manifest.tasks, [Task::Chat]);
}
