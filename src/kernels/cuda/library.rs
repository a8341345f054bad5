//! Products by cuBLASLt: fast for many rows, and free to sum a row in another order when a step has
//! others beside it.

use super::device::{Address, Device};
use super::memory::Memory;
use candle_core::{Error, Result};
use cudarc::cublaslt::{result, sys};
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

pub struct Library {
    handle: sys::cublasLtHandle_t,
    workspace: Memory,
    plans: Mutex<HashMap<Product, Plan>>,
}

// SAFETY: the library's handles may be used by any thread; plans are used under their lock.
unsafe impl Send for Library {}
unsafe impl Sync for Library {}

/// `out [rows, n] = x [rows, k] · weight [n, k]ᵀ`, the inputs bf16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Product {
    pub rows: usize,
    pub n: usize,
    pub k: usize,
    /// Elements from a row of the output to the next.
    pub out_stride: usize,
    pub kind: Kind,
}

/// What becomes of the sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    StoreBf16,
    StoreF32,
    AddF32,
}

struct Plan {
    description: sys::cublasLtMatmulDesc_t,
    weight: sys::cublasLtMatrixLayout_t,
    x: sys::cublasLtMatrixLayout_t,
    out: sys::cublasLtMatrixLayout_t,
    algorithm: sys::cublasLtMatmulAlgo_t,
}

/// `CUBLAS_OP_T` of cublasOperation_t, which the bindings of cuBLASLt leave out.
const TRANSPOSED: i32 = 1;

/// What NVIDIA advises for Hopper.
const WORKSPACE: usize = 32 << 20;

fn failed(error: result::CublasError) -> Error {
    Error::Msg(format!("cuBLASLt: {error}"))
}

impl Library {
    pub fn open(device: &Arc<Device>) -> Result<Self> {
        // SAFETY: loads a library and asks nothing of it.
        if !unsafe { sys::is_culib_present() } {
            return Err(Error::Msg(
                "libcublasLt is not found; it comes with the CUDA toolkit or runtime (docs/gpu.md), \
                 and `deterministic = true` does without it"
                    .into(),
            ));
        }
        device.enter()?;
        Ok(Self {
            handle: result::create_handle().map_err(failed)?,
            workspace: Memory::zeroed(device, WORKSPACE)?,
            plans: Mutex::default(),
        })
    }

    /// Adds a product to the stream of `device`.
    pub fn multiply(
        &self,
        device: &Device,
        product: Product,
        weight: Address,
        x: Address,
        out: Address,
    ) -> Result<()> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = match plans.entry(product) {
            std::collections::hash_map::Entry::Occupied(plan) => plan.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => place.insert(self.plan(product)?),
        };
        let one = 1.0f32;
        let beta = match product.kind {
            Kind::AddF32 => 1.0f32,
            Kind::StoreBf16 | Kind::StoreF32 => 0.0,
        };
        let at = |address: Address| address.0 as *mut c_void;
        // SAFETY: the plan's layouts say what lies at the addresses, for which the ops of this
        // module answer.
        unsafe {
            result::matmul(
                self.handle,
                plan.description,
                std::ptr::from_ref(&one).cast(),
                std::ptr::from_ref(&beta).cast(),
                at(weight),
                plan.weight,
                at(x),
                plan.x,
                at(out),
                plan.out,
                at(out),
                plan.out,
                &plan.algorithm,
                at(self.workspace.address()),
                WORKSPACE,
                device.stream().cast(),
            )
        }
        .map_err(failed)
    }

    /// The library takes matrices by columns: a row of ours is a column of its.
    fn plan(&self, product: Product) -> Result<Plan> {
        let Product {
            rows,
            n,
            k,
            out_stride,
            kind,
        } = product;
        use sys::cudaDataType_t as Type;
        let out_type = match kind {
            Kind::StoreBf16 => Type::CUDA_R_16BF,
            Kind::StoreF32 | Kind::AddF32 => Type::CUDA_R_32F,
        };
        let layout = |element, rows: usize, columns: usize, stride: usize| {
            result::create_matrix_layout(element, rows as u64, columns as u64, stride as i64)
                .map_err(failed)
        };
        let compute = sys::cublasComputeType_t::CUBLAS_COMPUTE_32F;
        let description = result::create_matmul_desc(compute, Type::CUDA_R_32F).map_err(failed)?;
        let transposed = TRANSPOSED;
        // SAFETY: the descriptor was just made, and the value is copied.
        unsafe {
            result::set_matmul_desc_attribute(
                description,
                sys::cublasLtMatmulDescAttributes_t::CUBLASLT_MATMUL_DESC_TRANSA,
                std::ptr::from_ref(&transposed).cast(),
                size_of::<i32>(),
            )
        }
        .map_err(failed)?;
        let weight = layout(Type::CUDA_R_16BF, k, n, k)?;
        let x = layout(Type::CUDA_R_16BF, k, rows, k)?;
        let out = layout(out_type, n, rows, out_stride)?;
        let preference = result::create_matmul_pref().map_err(failed)?;
        // SAFETY: all descriptors were just made; the preference is not needed afterwards.
        let found =
            unsafe {
                result::set_matmul_pref_attribute(
                preference,
                sys::cublasLtMatmulPreferenceAttributes_t::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                std::ptr::from_ref(&WORKSPACE).cast(),
                size_of::<usize>(),
            )
            .and_then(|()| {
                result::get_matmul_algo_heuristic(
                    self.handle, description, weight, x, out, out, preference,
                )
            })
            };
        let _ = unsafe { result::destroy_matmul_pref(preference) };
        Ok(Plan {
            description,
            weight,
            x,
            out,
            algorithm: found.map_err(failed)?.algo,
        })
    }
}

impl Drop for Plan {
    fn drop(&mut self) {
        // SAFETY: the only owner gives them back once.
        unsafe {
            let _ = result::destroy_matmul_desc(self.description);
            for layout in [self.weight, self.x, self.out] {
                let _ = result::destroy_matrix_layout(layout);
            }
        }
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        let _ = self.workspace.device().enter();
        let _ = self.workspace.device().wait();
        self.plans
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        // SAFETY: the only owner gives it back once.
        let _ = unsafe { result::destroy_handle(self.handle) };
    }
}
