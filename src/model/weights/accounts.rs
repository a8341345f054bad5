//! What of a checkpoint was taken, what was left, and what a survey noted.

use super::Checkpoint;
use crate::kernels::RowSource;
use crate::model::ModelError;
use std::cell::RefCell;

impl Checkpoint {
    /// From here on nothing that is missing or has another shape is an error: it is noted, and
    /// ones stand in.
    pub fn survey(&mut self) {
        self.notes = Some(RefCell::default());
    }

    /// Marks a tensor that need not be loaded as accounted for.
    pub fn skip(&self, name: &str) {
        let mut taken = self.taken.borrow_mut();
        match self.quantized.get(name) {
            Some(found) => taken.extend(found.parts.iter().map(|part| part.name.clone())),
            None => {
                taken.insert(name.to_owned());
            }
        }
    }

    /// The same for all whose names begin so.
    pub fn skip_under(&self, prefix: &str) {
        let names = self.tensors.keys().filter(|name| name.starts_with(prefix));
        self.taken.borrow_mut().extend(names.cloned());
    }

    /// Gives the memory of all that was taken so far back to the system, once it has been read. It
    /// may be read again; its pages then come from the file once more.
    pub fn release(&self) {
        for tensor in self.looked_at.take() {
            tensor.release();
        }
    }

    /// Fails when the checkpoint has tensors that nobody took.
    pub fn finish(&self) -> Result<(), ModelError> {
        self.release();
        let left = self.left();
        let Some(first) = left.first() else {
            return Ok(());
        };
        if self.notes.is_some() {
            return Ok(());
        }
        let message = format!(
            "{} tensors have no place in the model that config.json describes, among them {first}",
            left.len()
        );
        Err(ModelError::file(&self.dir, message))
    }

    /// What a survey noted, and what it left over, one sentence each.
    pub fn problems(&self) -> Vec<String> {
        let Some(notes) = &self.notes else {
            return Vec::new();
        };
        let mut problems = notes.borrow().clone();
        problems.extend(self.left().into_iter().map(|name| {
            format!("the tensor {name} has no place in the model that config.json describes")
        }));
        problems
    }

    /// Names of tensors that nobody took and that are needed nowhere.
    fn left(&self) -> Vec<&str> {
        let taken = self.taken.borrow();
        self.tensors
            .keys()
            .map(String::as_str)
            .filter(|name| !taken.contains(*name) && !self.is_unused(name))
            .collect()
    }

    /// Whether the format has a tensor for purposes that are none here.
    pub(super) fn is_unused(&self, name: &str) -> bool {
        let ends = self
            .format
            .as_ref()
            .map_or(&[][..], |format| format.unused());
        ends.iter().any(|end| name.ends_with(end))
    }

    /// What `read` hands out of `name`, or as many ones in a survey.
    pub(super) fn hand_out<'a>(
        &'a self,
        name: &str,
        len: Option<usize>,
        read: impl FnOnce() -> Result<RowSource<'a>, ModelError>,
    ) -> Result<RowSource<'a>, ModelError> {
        let result = read();
        let (error, notes) = match (result, &self.notes) {
            (Ok(source), _) => {
                self.skip(name);
                let mut looked_at = self.looked_at.borrow_mut();
                match self.quantized.get(name) {
                    Some(found) => looked_at.extend(found.parts.iter().cloned()),
                    None => looked_at.extend(self.tensors.get(name).cloned()),
                }
                return Ok(source);
            }
            (Err(error), Some(notes)) => (error, notes),
            (Err(error), None) => return Err(error),
        };
        let Some(len) = len else {
            return Err(error);
        };
        self.skip(name);
        notes.borrow_mut().push(error.to_string());
        Ok(RowSource::Ones { len })
    }
}
