use super::header::Entry;
use crate::kernels::Float;
use crate::model::ModelError;
use memmap2::{Mmap, UncheckedAdvice};
use safetensors::Dtype;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A tensor in a file, as its header describes it.
#[derive(Debug)]
pub struct Tensor {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    file: Arc<MappedFile>,
    range: Range<usize>,
}

/// A file whose bytes are read when someone looks at them.
#[derive(Debug)]
pub struct MappedFile {
    path: PathBuf,
    bytes: Mmap,
}

impl Tensor {
    /// What `entry` describes in `file`, whose header has it.
    pub fn new(entry: Entry, file: &Arc<MappedFile>) -> Self {
        Self {
            name: entry.name,
            dtype: entry.dtype,
            shape: entry.shape,
            range: entry.range,
            file: Arc::clone(file),
        }
    }

    pub fn path(&self) -> &Path {
        &self.file.path
    }

    pub fn bytes(&self) -> &[u8] {
        self.file.bytes.get(self.range.clone()).unwrap_or_default()
    }

    pub fn num_elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The type of its numbers, if they are what a weight can be read from as it is.
    pub fn float(&self) -> Option<Float> {
        match self.dtype {
            Dtype::F32 => Some(Float::F32),
            Dtype::F16 => Some(Float::F16),
            Dtype::BF16 => Some(Float::Bf16),
            _ => None,
        }
    }

    /// Gives the memory of its bytes back to the system. Who looks at them again reads the file
    /// again.
    pub fn release(&self) {
        // SAFETY: the pages mirror a file that nobody writes through them, so that what they hold
        // is there again when they are looked at.
        let _ = unsafe {
            self.file.bytes.unchecked_advise_range(
                UncheckedAdvice::DontNeed,
                self.range.start,
                self.range.len(),
            )
        };
    }
}

impl MappedFile {
    pub fn open(path: &Path) -> Result<Arc<Self>, ModelError> {
        let error = |e| ModelError::file(path, e);
        // Opening a named pipe would wait for a writer.
        if !std::fs::metadata(path).map_err(error)?.is_file() {
            return Err(ModelError::file(path, "not a regular file"));
        }
        let file = File::open(path).map_err(error)?;
        // SAFETY: the file is only read; an operator who truncates it while it is being
        // loaded stops the server, as with any mapped file.
        let bytes = unsafe { Mmap::map(&file) }.map_err(error)?;
        Ok(Arc::new(Self {
            path: path.to_owned(),
            bytes,
        }))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
