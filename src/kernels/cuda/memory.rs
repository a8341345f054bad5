//! Memory of a device, and memory that it shares with the CPU.

use super::device::{Address, Device, failed};
use candle_core::{Error, Result};
use cudarc::driver::result;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// Memory of a device, given back when it is dropped.
pub struct Memory {
    address: Address,
    num_bytes: usize,
    id: u64,
    device: Arc<Device>,
}

/// Memory of the CPU that a device reads and writes by itself.
pub struct Pinned {
    data: *mut c_void,
    num_bytes: usize,
    device: Arc<Device>,
}

// SAFETY: as of any memory that is owned.
unsafe impl Send for Pinned {}
unsafe impl Sync for Pinned {}

impl Memory {
    /// Zeroed memory.
    pub fn zeroed(device: &Arc<Device>, num_bytes: usize) -> Result<Self> {
        device.enter()?;
        let size = num_bytes.max(1);
        // SAFETY: given back when the value is dropped.
        let address = unsafe { result::malloc_sync(size) }.map_err(|error| {
            let free = result::mem_get_info().map_or(0, |(free, _)| free);
            let text = error.error_string().map(|text| text.to_string_lossy());
            let text = text.unwrap_or_else(|_| "no memory".into());
            Error::Msg(format!(
                "{num_bytes} bytes of the device's memory, of which {free} are free: {text}"
            ))
        })?;
        let memory = Self {
            address: Address(address),
            num_bytes,
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            device: Arc::clone(device),
        };
        // SAFETY: the memory was just made.
        unsafe { result::memset_d8_async(address, 0, size, device.stream()) }
            .map_err(failed("zeroing memory of the device"))?;
        Ok(memory)
    }

    /// Tells this memory from all others of the process, past ones too.
    pub fn id(&self) -> u64 {
        self.id
    }

    pub fn address(&self) -> Address {
        self.address
    }

    pub fn num_bytes(&self) -> usize {
        self.num_bytes
    }

    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let _ = self.device.enter();
        // SAFETY: the only owner gives it back once, after what still uses it.
        unsafe {
            let _ = result::stream::synchronize(self.device.stream());
            let _ = result::free_sync(self.address.0);
        }
    }
}

impl Pinned {
    pub fn new(device: &Arc<Device>, num_bytes: usize) -> Result<Self> {
        device.enter()?;
        // SAFETY: given back when the value is dropped.
        let data = unsafe { result::malloc_host(num_bytes.max(1), 0) }
            .map_err(failed("memory that the device reads"))?;
        // SAFETY: the memory was just made.
        unsafe { std::ptr::write_bytes(data.cast::<u8>(), 0, num_bytes) };
        Ok(Self {
            data,
            num_bytes,
            device: Arc::clone(device),
        })
    }

    pub fn num_bytes(&self) -> usize {
        self.num_bytes
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: initialised, and this value's own.
        unsafe { std::slice::from_raw_parts(self.data.cast(), self.num_bytes) }
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`.
        unsafe { std::slice::from_raw_parts_mut(self.data.cast(), self.num_bytes) }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = self.device.enter();
        let _ = self.device.wait();
        // SAFETY: the only owner gives it back once.
        let _ = unsafe { result::free_host(self.data) };
    }
}
