/// Any page.
pub const ANY_ORIGIN: &str = "*";

/// Whether an origin of the configuration is one: a scheme and a host, no path.
pub(super) fn is_origin(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let is_host = |host: &str| {
        !host.is_empty()
            && host
                .bytes()
                .all(|c| c.is_ascii_graphic() && !matches!(c, b'/' | b'?' | b'#' | b'@' | b'*'))
    };
    text == ANY_ORIGIN || host.is_some_and(is_host)
}
