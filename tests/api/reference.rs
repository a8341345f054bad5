use guichet::api::{openapi, reference};
use guichet::app::Supported;
use guichet::model::encoders;
use std::path::Path;

/// Holds a page against what it has to be, or writes it.
fn check(name: &str, wanted: impl FnOnce(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name);
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    let wanted = wanted(&page);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
        return;
    }
    assert!(page == wanted, "docs/{name} is old: run `make bless`");
}

#[test]
fn the_page_on_the_api_says_what_the_server_does() {
    check("api.md", |page| {
        reference::regenerate(page).expect("the page has a generated part")
    });
}

#[test]
fn the_page_on_limits_has_them_all() {
    check("limits.md", |_| reference::limits_page());
}

#[test]
fn the_page_on_models_has_what_the_program_has() {
    check("models.md", |_| Supported::load(None).unwrap().page());
}

#[test]
fn the_openapi_document_is_the_one_that_is_served() {
    check("openapi.json", |_| format!("{:#}\n", openapi::document()));
}

/// Between these two lines `docs/embeddings.md` is written by `make bless`.
const BEGIN: &str =
    "<!-- generated from src/model/encoder/family.rs; `make bless` writes it anew -->\n";
const END: &str = "<!-- end -->\n";

#[test]
fn the_page_on_embeddings_lists_the_encoders_that_are_computed() {
    check("embeddings.md", |page| {
        let (before, rest) = page.split_once(BEGIN).expect("where it begins");
        let (_, behind) = rest.split_once(END).expect("where it ends");
        let mut table =
            "| family | `architectures` | models, among others | what sets it apart |\n".to_owned();
        table.push_str("|---|---|---|---|\n");
        for family in encoders() {
            let architectures = family.architectures.join("`, `");
            table.push_str(&format!(
                "| {} | `{architectures}` | {} | {} |\n",
                family.name, family.models, family.features
            ));
        }
        format!("{before}{BEGIN}{table}{END}{behind}")
    });
}
