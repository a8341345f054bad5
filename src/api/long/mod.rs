//! Documents that are longer than the context: a prompt of the library reads them in steps, and
//! the last of these is the request that is answered.

mod answer;
mod plan;
mod progress;
mod reader;
mod work;

pub use answer::LongTold;
pub use plan::Progress;
pub use progress::{Answer, Progressing, with_progress};
pub use reader::{Parsed, Read, Reader, Subject};
