//! The kernels that were compiled with this binary, by name.

use super::device::failed;
use candle_core::{Error, Result};
use cudarc::driver::{result, sys};
use std::collections::HashMap;
use std::ffi::CString;
use std::sync::{Mutex, PoisonError};

include!(concat!(env!("OUT_DIR"), "/modules.rs"));

pub struct Functions {
    modules: Vec<sys::CUmodule>,
    /// Those that were asked for, with the shared memory that they may have.
    found: Mutex<HashMap<String, (sys::CUfunction, usize)>>,
}

/// Shared memory that a block may have without asking, in bytes.
const COMMON_SHARED: usize = 48 << 10;

impl Functions {
    /// Loads the kernels into the context of the calling thread.
    pub fn load() -> Result<Self> {
        let modules = MODULES
            .iter()
            // SAFETY: an image that nvcc made, complete with its length.
            .map(|image| unsafe { result::module::load_data(image.as_ptr().cast()) })
            .collect::<std::result::Result<_, _>>()
            .map_err(failed("the CUDA kernels"))?;
        Ok(Self {
            modules,
            found: Mutex::default(),
        })
    }

    /// The kernel of this name, allowed so many bytes of dynamic shared memory.
    pub fn get(&self, name: &str, shared: usize) -> Result<sys::CUfunction> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((function, allowed)) = found.get(name)
            && shared <= *allowed
        {
            return Ok(*function);
        }
        let symbol = CString::new(name).map_err(Error::wrap)?;
        let function = self
            .modules
            .iter()
            // SAFETY: the modules live as long as the context.
            .find_map(|module| {
                unsafe { result::module::get_function(*module, symbol.clone()) }.ok()
            })
            .ok_or_else(|| Error::Msg(format!("there is no CUDA kernel {name}")))?;
        if shared > COMMON_SHARED {
            use sys::CUfunction_attribute_enum as Attribute;
            let attribute = Attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            // SAFETY: the function was just found.
            unsafe { result::function::set_function_attribute(function, attribute, shared as i32) }
                .map_err(failed(name))?;
        }
        let allowed = shared.max(COMMON_SHARED);
        found.insert(name.to_owned(), (function, allowed));
        Ok(function)
    }
}
