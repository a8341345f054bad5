//! Office files: ZIP archives of XML parts. All of them are read through one bounded archive and
//! one bounded XML reader, so a bomb is a bomb in each.

pub(super) mod archive;
pub(super) mod docx;
mod number_format;
mod numbering;
pub(super) mod ods;
pub(super) mod odt;
mod sheet;
pub(super) mod xlsx;
mod xml;

pub(super) use number_format::civil;
pub(super) use numbering::superscript;
