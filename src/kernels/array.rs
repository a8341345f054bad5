#[cfg(feature = "cuda")]
use super::cuda;
use super::{AttentionShape, Kernels, KvType, PagedLayout, candle};
use bytemuck::Zeroable;
use candle_core::{Device, Error, Result, Tensor, WithDType};
use half::bf16;

/// Numbers `[rows, width]` that ops write, on the device that computes with them.
#[derive(Clone)]
pub enum Array {
    Cpu(Tensor),
    #[cfg(feature = "cuda")]
    Cuda(cuda::Array),
    Candle(candle::Array),
}

/// What an array is for. On a CPU all are f32; other devices keep what products take in the type
/// in which they take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Sums that layers add to, and logits.
    Sums,
    /// Inputs of a product.
    Inputs,
    /// Queries, keys and values.
    Heads,
}

/// Numbers that a model has once, such as the weights of a norm.
#[derive(Debug)]
pub enum Vector {
    Cpu(Vec<f32>),
    #[cfg(feature = "cuda")]
    Cuda(cuda::Array),
    Candle(Tensor),
}

impl From<Tensor> for Array {
    fn from(tensor: Tensor) -> Self {
        Self::Cpu(tensor)
    }
}

impl Array {
    /// The first `rows` rows.
    pub fn narrow(&self, rows: usize) -> Result<Self> {
        match self {
            Self::Cpu(tensor) => Ok(Self::Cpu(tensor.narrow(0, 0, rows)?)),
            #[cfg(feature = "cuda")]
            Self::Cuda(array) => Ok(Self::Cuda(array.narrow(rows)?)),
            Self::Candle(array) => Ok(Self::Candle(array.narrow(rows)?)),
        }
    }

    pub fn num_rows(&self) -> usize {
        match self {
            Self::Cpu(tensor) => tensor.dims().first().copied().unwrap_or(0),
            #[cfg(feature = "cuda")]
            Self::Cuda(array) => array.num_rows(),
            Self::Candle(array) => array.num_rows(),
        }
    }

    pub fn num_elements(&self) -> usize {
        match self {
            Self::Cpu(tensor) => tensor.elem_count(),
            #[cfg(feature = "cuda")]
            Self::Cuda(array) => array.num_rows() * array.width(),
            Self::Candle(array) => array.num_rows() * array.width(),
        }
    }

    /// The rows as f32, copied from the device.
    pub fn to_rows(&self) -> Result<Vec<Vec<f32>>> {
        match self {
            Self::Cpu(tensor) => tensor.to_vec2(),
            #[cfg(feature = "cuda")]
            Self::Cuda(array) => array.to_rows(),
            Self::Candle(array) => array.to_rows(),
        }
    }

    /// For an op that has a CPU form only, or for the CPU form of one.
    pub(super) fn cpu(&self, op: &'static str) -> Result<&Tensor> {
        match self {
            Self::Cpu(tensor) => Ok(tensor),
            _ => Err(elsewhere(op)),
        }
    }

    #[cfg(feature = "cuda")]
    pub(super) fn cuda(&self, op: &'static str) -> Result<&cuda::Array> {
        match self {
            Self::Cuda(array) => Ok(array),
            _ => Err(elsewhere(op)),
        }
    }

    pub(super) fn candle(&self, op: &'static str) -> Result<&candle::Array> {
        match self {
            Self::Candle(array) => Ok(array),
            _ => Err(elsewhere(op)),
        }
    }
}

impl Vector {
    /// The numbers, copied from the device.
    pub fn to_vec(&self) -> Result<Vec<f32>> {
        match self {
            Self::Cpu(values) => Ok(values.clone()),
            #[cfg(feature = "cuda")]
            Self::Cuda(array) => Ok(array.to_rows()?.concat()),
            Self::Candle(values) => values.to_vec1(),
        }
    }

    pub(super) fn cpu(&self, op: &'static str) -> Result<&[f32]> {
        match self {
            Self::Cpu(values) => Ok(values),
            _ => Err(elsewhere(op)),
        }
    }

    #[cfg(feature = "cuda")]
    pub(super) fn cuda(&self, op: &'static str) -> Result<&cuda::Array> {
        match self {
            Self::Cuda(array) => Ok(array),
            _ => Err(elsewhere(op)),
        }
    }

    pub(super) fn candle(&self, op: &'static str) -> Result<&Tensor> {
        match self {
            Self::Candle(values) => Ok(values),
            _ => Err(elsewhere(op)),
        }
    }
}

impl Kernels {
    /// A zeroed array.
    pub fn zeros(&self, rows: usize, width: usize, used_as: Use) -> Result<Array> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return Ok(Array::Cuda(cuda.zeros(rows, width, used_as)?));
        }
        if let Some(candle) = &self.candle {
            return Ok(Array::Candle(candle.zeros(rows, width)));
        }
        let _ = used_as;
        zeros::<f32>(rows, width)
    }

    /// An array of these rows, each of `width` numbers, rounded where the device keeps another
    /// type.
    pub fn rows(&self, values: Vec<f32>, width: usize, used_as: Use) -> Result<Array> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return Ok(Array::Cuda(cuda.rows(&values, width, used_as)?));
        }
        if let Some(candle) = &self.candle {
            return Ok(Array::Candle(candle.rows(values, width)?));
        }
        let _ = used_as;
        let rows = values.len() / width.max(1);
        let tensor = Tensor::from_vec(values, (rows, width), &Device::Cpu)?;
        Ok(Array::Cpu(tensor))
    }

    /// Keys and values of a layer, in blocks of [`super::KV_BLOCK_SIZE`] tokens. Pages of a CPU
    /// that no token has reached are not backed by memory yet.
    pub fn kv_cache(
        &self,
        shape: AttentionShape,
        kv_type: KvType,
        num_blocks: usize,
    ) -> Result<Array> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return Ok(Array::Cuda(cuda.kv_cache(shape, kv_type, num_blocks)?));
        }
        if let Some(candle) = &self.candle {
            return Ok(Array::Candle(candle.kv_cache(shape, kv_type, num_blocks)?));
        }
        let block_len = PagedLayout::new(shape, kv_type).block_len();
        match kv_type {
            KvType::F32 => zeros::<f32>(num_blocks, block_len),
            KvType::Bf16 => zeros::<bf16>(num_blocks, block_len),
            KvType::Int8 => zeros::<u8>(num_blocks, block_len),
        }
    }

    /// Memory of a block of one layer, in bytes.
    pub fn kv_block_bytes(&self, shape: AttentionShape, kv_type: KvType) -> usize {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.kv_block_bytes(shape);
        }
        if let Some(candle) = &self.candle {
            return candle.kv_block_bytes(shape, kv_type);
        }
        PagedLayout::new(shape, kv_type).block_len() * kv_type.num_bytes()
    }

    /// Brings a model's numbers to the device.
    pub fn vector(&self, values: Vec<f32>) -> Result<Vector> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return Ok(Vector::Cuda(cuda.vector(&values)?));
        }
        if let Some(candle) = &self.candle {
            return Ok(Vector::Candle(candle.vector(&values)?));
        }
        Ok(Vector::Cpu(values))
    }
}

/// Pages of these are backed by the system when they are first written. What memory cannot hold
/// is an error and not the end of the process.
fn zeros<T: Zeroable + WithDType>(rows: usize, width: usize) -> Result<Array> {
    let refusal = || {
        Error::Msg(format!(
            "there is no memory for {rows} times {width} numbers"
        ))
        .bt()
    };
    let len = rows.checked_mul(width).ok_or_else(refusal)?;
    let data = bytemuck::allocation::try_zeroed_vec::<T>(len).map_err(|()| refusal())?;
    Ok(Array::Cpu(Tensor::from_vec(
        data,
        (rows, width),
        &Device::Cpu,
    )?))
}

pub(super) fn elsewhere(op: &'static str) -> Error {
    Error::Msg(format!("{op}: its arrays are not all on one device"))
}
