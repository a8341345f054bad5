use super::Candle;
use crate::kernels::{AttentionShape, KV_BLOCK_SIZE, KvType};
use candle_core::{DType, Device, Error, Result, Tensor};
use half::bf16;
use std::sync::{Arc, Mutex, PoisonError};

/// Rows of numbers that ops write.
///
/// An op puts a tensor of its rows where another was, instead of writing into it: candle's
/// operations make tensors. So what the op of a narrowed array writes is then all that there is.
#[derive(Clone)]
pub struct Array {
    /// Nothing stands for zeros.
    place: Arc<Mutex<Option<Tensor>>>,
    num_rows: usize,
    width: usize,
    device: Device,
}

impl Array {
    fn zeros(device: &Device, num_rows: usize, width: usize) -> Self {
        Self {
            place: Arc::default(),
            num_rows,
            width,
            device: device.clone(),
        }
    }

    fn of(tensor: Tensor) -> Result<Self> {
        let (num_rows, width) = tensor.dims2()?;
        Ok(Self {
            num_rows,
            width,
            device: tensor.device().clone(),
            place: Arc::new(Mutex::new(Some(tensor))),
        })
    }

    pub fn num_rows(&self) -> usize {
        self.num_rows
    }

    pub fn width(&self) -> usize {
        self.width
    }

    /// The first `rows` rows.
    pub fn narrow(&self, rows: usize) -> Result<Self> {
        if rows > self.num_rows {
            return Err(Error::Msg(format!(
                "{rows} rows of an array that has {}",
                self.num_rows
            )));
        }
        Ok(Self {
            num_rows: rows,
            ..self.clone()
        })
    }

    /// `[num_rows, width]`.
    pub fn tensor(&self) -> Result<Tensor> {
        match self.written() {
            None => Tensor::zeros((self.num_rows, self.width), DType::F32, &self.device),
            Some(tensor) => tensor.narrow(0, 0, self.num_rows),
        }
    }

    /// The rows that were written last, which for an array that an op has narrowed are not all.
    pub fn written(&self) -> Option<Tensor> {
        let place = self.place.lock();
        place.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes `rows` `[num_rows, width]`.
    pub fn put(&self, rows: Tensor) -> Result<()> {
        if rows.dims() != [self.num_rows, self.width] {
            return Err(Error::Msg(format!(
                "an op has written {:?} into an array of [{}, {}]",
                rows.dims(),
                self.num_rows,
                self.width
            )));
        }
        let place = self.place.lock();
        *place.unwrap_or_else(PoisonError::into_inner) = Some(rows);
        Ok(())
    }

    pub fn to_rows(&self) -> Result<Vec<Vec<f32>>> {
        if self.num_rows == 0 {
            return Ok(Vec::new());
        }
        self.tensor()?.to_dtype(DType::F32)?.to_vec2()
    }
}

impl Candle {
    /// The numbers of an array, row after row, copied from the device.
    pub fn read(&self, array: &Array) -> Result<Vec<f32>> {
        if array.num_rows == 0 {
            return Ok(Vec::new());
        }
        array.tensor()?.flatten_all()?.to_vec1()
    }

    pub fn zeros(&self, rows: usize, width: usize) -> Array {
        Array::zeros(&self.device, rows, width)
    }

    /// An array of these rows, each of `width` numbers.
    pub fn rows(&self, values: Vec<f32>, width: usize) -> Result<Array> {
        let rows = values.len() / width.max(1);
        Array::of(Tensor::from_vec(values, (rows, width), &self.device)?)
    }

    /// `[blocks, slots * 2 * kv_width]`: of each token all heads' keys, then all their values, as
    /// they stand in a row of queries, keys and values. Written in place, as nothing else is.
    pub fn kv_cache(
        &self,
        shape: AttentionShape,
        kv_type: KvType,
        num_blocks: usize,
    ) -> Result<Array> {
        let width = KV_BLOCK_SIZE * kv_width(shape);
        let refusal = || Error::Msg(format!("{num_blocks} KV blocks of {width} numbers"));
        let len = num_blocks.checked_mul(width).ok_or_else(refusal)?;
        // Of data, because Metal's memory for it is as large as it is; that for zeros is rounded up
        // to a power of two.
        let size = (num_blocks, width);
        let tensor = match kv_type {
            KvType::F32 => Tensor::from_vec(vec![0f32; len], size, &self.device)?,
            KvType::Bf16 => Tensor::from_vec(vec![bf16::ZERO; len], size, &self.device)?,
            KvType::Int8 => return Err(Error::Msg("here the KV cache is f32 or bf16".into())),
        };
        Array::of(tensor)
    }

    pub fn kv_block_bytes(&self, shape: AttentionShape, kv_type: KvType) -> usize {
        KV_BLOCK_SIZE * kv_width(shape) * kv_type.num_bytes()
    }
}

/// Numbers of a token's keys and values.
pub fn kv_width(shape: AttentionShape) -> usize {
    2 * shape.num_kv_heads * shape.head_dim
}
