//! Every limit on reading one document, in one table: the checks, the sandbox and the
//! documentation come from it.

use serde::{Deserialize, Serialize};

macro_rules! limits {
    ($($name:ident = $value:expr, $what:literal;)*) => {
        /// What one document may cost. The names say the units.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct ParseLimits { $(#[doc = $what] pub $name: u64,)* }

        impl Default for ParseLimits {
            fn default() -> Self { Self { $($name: $value,)* } }
        }

        /// All limits: name, default and what each is, in the order of the documentation.
        pub const PARSE_LIMITS: &[(&str, u64, &str)] = &[$((stringify!($name), $value, $what),)*];
    };
}

limits! {
    max_input_bytes = 64 << 20, "Bytes of the file.";
    max_cpu_seconds = 20, "Seconds of processor time that reading it may take.";
    max_wall_seconds = 40, "Seconds that may pass meanwhile.";
    max_memory_bytes = 1 << 30, "Bytes of address space that reading may take beside the program itself.";
    max_inflated_bytes = 256 << 20, "Bytes of all compressed parts together, once inflated.";
    max_output_bytes = 32 << 20, "Bytes of text read from it.";
    max_pages = 5000, "Pages, or sheets of a workbook.";
    max_blocks = 400_000, "Paragraphs, headings, list items, tables and the like.";
    max_nesting = 128, "Elements within one another.";
    max_nodes = 4_000_000, "XML elements, HTML tags, cells or glyphs of one part or page.";
    max_attachments = 200, "Attachments of an e-mail or a PDF.";
    max_attachment_depth = 3, "Attachments within attachments.";
}
