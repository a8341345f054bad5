//! Apple's GPUs: the only lines that need one.

use candle_core::{Device, Error, MetalDevice, Result};
use std::ops::Deref;

/// What Metal calls a device, below candle's.
type Gpu = <MetalDevice as Deref>::Target;

pub fn is_there() -> bool {
    !Gpu::all().is_empty()
}

/// The first GPU. There are others in some Macs with Intel processors only.
pub fn open() -> Result<Device> {
    // candle does not ask, and panics.
    if !is_there() {
        return Err(Error::Msg("this machine has no GPU for Metal".into()));
    }
    Device::new_metal(0)
}

/// As Metal calls its architecture.
pub fn name(device: &MetalDevice) -> String {
    format!("Metal ({})", device.metal_device().architecture_name())
}

/// Half of the memory that Metal recommends to use and nobody does, in bytes. The other half is for
/// the tensors of steps, whose sizes candle rounds up to powers of two, and for the rest of the
/// machine, which has the same memory.
pub fn free_memory(device: &MetalDevice) -> u64 {
    let gpu = device.metal_device();
    let free = gpu
        .recommended_max_working_set_size()
        .saturating_sub(gpu.current_allocated_size());
    free as u64 / 2
}
