use crate::model::weights::shards::Tensors;
use crate::model::weights::tensor::Tensor;
use safetensors::Dtype;
use std::sync::Arc;

/// The tensors that a format keeps a weight in: `{module}{part}` for each part.
pub struct Parts<'a> {
    tensors: &'a Tensors,
    module: &'a str,
}

impl<'a> Parts<'a> {
    pub fn new(tensors: &'a Tensors, module: &'a str) -> Self {
        Self { tensors, module }
    }

    pub fn module(&self) -> &'a str {
        self.module
    }

    pub fn find(&self, part: &str) -> Option<&'a Arc<Tensor>> {
        self.tensors.get(&format!("{}{part}", self.module))
    }

    /// A part that must be there, of one of `dtypes`.
    pub fn need(&self, part: &str, dtypes: &[Dtype]) -> Result<&'a Arc<Tensor>, String> {
        let Some(tensor) = self.find(part) else {
            return Err(format!(
                "the tensor {}{part} is missing, without which {} cannot be read",
                self.module, self.module
            ));
        };
        if !dtypes.contains(&tensor.dtype) {
            let allowed: Vec<_> = dtypes.iter().map(|dtype| format!("{dtype:?}")).collect();
            return Err(format!(
                "the tensor {} has type {:?}; in this format it has {}",
                tensor.name,
                tensor.dtype,
                allowed.join(" or ")
            ));
        }
        Ok(tensor)
    }
}

/// Fails if `tensor` has none of `shapes`, which `why` implies.
pub fn check_shape(tensor: &Tensor, shapes: &[&[usize]], why: &str) -> Result<(), String> {
    if shapes.contains(&tensor.shape.as_slice()) {
        return Ok(());
    }
    let shapes: Vec<_> = shapes.iter().map(|shape| format!("{shape:?}")).collect();
    Err(format!(
        "the tensor {} has shape {:?}, but {why} implies {}",
        tensor.name,
        tensor.shape,
        shapes.join(" or ")
    ))
}

/// Rows and columns of a matrix.
pub fn matrix_shape(tensor: &Tensor) -> Result<[usize; 2], String> {
    <[usize; 2]>::try_from(tensor.shape.as_slice()).map_err(|_| {
        format!(
            "the tensor {} has shape {:?}, but in this format it is a matrix",
            tensor.name, tensor.shape
        )
    })
}
