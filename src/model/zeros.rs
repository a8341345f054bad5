use super::ModelError;
use bytemuck::Zeroable;
use candle_core::{Device, Tensor, WithDType};

/// A zeroed `[rows, width]` tensor, whose pages the system backs when they are first
/// written. What memory cannot hold is an error and not the end of the process.
pub(super) fn zeros<T: Zeroable + WithDType>(
    rows: usize,
    width: usize,
) -> Result<Tensor, ModelError> {
    let refusal = || {
        ModelError::Unsupported(format!(
            "there is no memory for {rows} times {width} numbers"
        ))
    };
    let len = rows.checked_mul(width).ok_or_else(refusal)?;
    let data = bytemuck::allocation::try_zeroed_vec::<T>(len).map_err(|()| refusal())?;
    Ok(Tensor::from_vec(data, (rows, width), &Device::Cpu)?)
}
