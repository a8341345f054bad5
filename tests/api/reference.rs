use guichet::api::reference;
use std::path::Path;

#[test]
fn the_page_on_the_api_says_what_the_server_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let generated = reference::regenerate(&page).expect("the page has a generated part");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &generated).unwrap();
        return;
    }
    assert_eq!(page, generated, "run `make bless`");
}
