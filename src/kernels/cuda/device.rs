//! A GPU as this process sees it: its context, one stream and its kernels.

use super::functions::Functions;
use super::memory::Pinned;
use candle_core::{Error, Result};
use cudarc::driver::{result, sys};
use std::ffi::c_void;
use std::sync::Arc;

/// Where something lies in the memory of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(pub u64);

/// One GPU and the stream on which everything that Guichet asks of it happens in order.
pub struct Device {
    context: sys::CUcontext,
    device: sys::CUdevice,
    stream: sys::CUstream,
    functions: Functions,
    /// Whether a kernel may start while the one before it ends.
    overlaps_kernels: bool,
    max_shared: usize,
}

// SAFETY: the driver's handles may be used by any thread; whichever uses them makes the context
// its own first (`Device::enter`).
unsafe impl Send for Device {}
unsafe impl Sync for Device {}

/// How a kernel is launched.
pub struct Launch<'a> {
    pub name: &'a str,
    pub grid: [usize; 3],
    pub threads: usize,
    /// Dynamic shared memory of a block, in bytes.
    pub shared: usize,
}

/// An argument of a kernel.
#[derive(Clone, Copy)]
pub enum Argument {
    Address(Address),
    /// Where nothing is.
    Null,
    Int(usize),
    Float(f32),
}

const MAX_ARGUMENTS: usize = 24;

pub fn failed(what: &str) -> impl FnOnce(result::DriverError) -> Error + '_ {
    move |error| {
        let text = error.error_string().map(|text| text.to_string_lossy());
        let text = text.unwrap_or_else(|_| format!("{error:?}").into());
        Error::Msg(format!("{what}: {text}"))
    }
}

impl Device {
    /// Whether a driver is installed; it says nothing of a device.
    pub fn has_driver() -> bool {
        // SAFETY: loads a library and asks nothing of it.
        unsafe { sys::is_culib_present() }
    }

    /// Devices that the driver shows to this process.
    pub fn count() -> Result<usize> {
        if !Self::has_driver() {
            return Ok(0);
        }
        result::init().map_err(failed("the CUDA driver"))?;
        let count = result::device::get_count().map_err(failed("the CUDA driver"))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Opens the device of this number.
    pub fn open(ordinal: usize) -> Result<Arc<Self>> {
        let count = Self::count()?;
        if ordinal >= count {
            return Err(Error::Msg(format!(
                "there is no CUDA device {ordinal}: the driver shows {count}"
            )));
        }
        let what = "the CUDA device";
        let device = result::device::get(ordinal as i32).map_err(failed(what))?;
        // SAFETY: `device` is valid.
        let attribute = |attribute| unsafe { result::device::get_attribute(device, attribute) };
        use sys::CUdevice_attribute_enum as Attribute;
        let major = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
            .map_err(failed(what))?;
        if major < 8 {
            return Err(Error::Msg(format!(
                "the CUDA device {ordinal} has compute capability {major}.x; Guichet needs 8.0"
            )));
        }
        let max_shared =
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)
                .map_err(failed(what))?;
        // SAFETY: `device` is valid, and the context is given back when this is dropped.
        let context = unsafe { result::primary_ctx::retain(device) }.map_err(failed(what))?;
        // SAFETY: `context` was just made.
        unsafe { result::ctx::set_current(context) }.map_err(failed(what))?;
        let stream = result::stream::create(result::stream::StreamKind::NonBlocking)
            .map_err(failed(what))?;
        Ok(Arc::new(Self {
            context,
            device,
            stream,
            functions: Functions::load()?,
            overlaps_kernels: major >= 9,
            max_shared: usize::try_from(max_shared).unwrap_or(0),
        }))
    }

    /// Makes the context that of the calling thread.
    pub fn enter(&self) -> Result<()> {
        // SAFETY: the context lives as long as `self`.
        unsafe { result::ctx::set_current(self.context) }.map_err(failed("the CUDA context"))
    }

    /// Its number among those that the driver shows.
    pub fn ordinal(&self) -> i32 {
        self.device
    }

    /// Shared memory that a block may have, in bytes.
    pub fn max_shared(&self) -> usize {
        self.max_shared
    }

    pub fn stream(&self) -> sys::CUstream {
        self.stream
    }

    pub fn name(&self) -> String {
        result::device::get_name(self.device).unwrap_or_else(|_| "a CUDA device".into())
    }

    /// Memory that nobody has yet, and all, in bytes.
    pub fn free_memory(&self) -> Result<(usize, usize)> {
        self.enter()?;
        result::mem_get_info().map_err(failed("the memory of the CUDA device"))
    }

    /// Waits until everything that was asked for is done.
    pub fn wait(&self) -> Result<()> {
        // SAFETY: the stream lives as long as `self`.
        unsafe { result::stream::synchronize(self.stream) }.map_err(failed("the CUDA device"))
    }

    /// Adds a kernel to the stream. Its arguments must be what the kernel takes, and its memory
    /// large enough: that is what the modules of ops are responsible for.
    pub fn launch(&self, launch: &Launch<'_>, arguments: &[Argument]) -> Result<()> {
        if launch.grid.contains(&0) {
            return Ok(());
        }
        let function = self.functions.get(launch.name, launch.shared)?;
        let mut values = [0u64; MAX_ARGUMENTS];
        let mut places = [std::ptr::null_mut::<c_void>(); MAX_ARGUMENTS];
        assert!(arguments.len() <= MAX_ARGUMENTS, "{}", launch.name);
        for ((value, place), argument) in values.iter_mut().zip(&mut places).zip(arguments) {
            // A kernel reads as many of the bytes as its argument has, the low ones first.
            *value = match *argument {
                Argument::Address(Address(address)) => address,
                Argument::Null => 0,
                Argument::Int(int) => {
                    let int = i32::try_from(int)
                        .map_err(|_| Error::Msg(format!("{}: {int} is too large", launch.name)))?;
                    u64::from(int as u32)
                }
                Argument::Float(float) => u64::from(float.to_bits()),
            };
            *place = std::ptr::from_mut(value).cast();
        }
        let mut attributes = [sys::CUlaunchAttribute_st {
            id: sys::CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION,
            pad: [0; 4],
            value: sys::CUlaunchAttributeValue_union {
                programmaticStreamSerializationAllowed: 1,
            },
        }];
        let grid = launch.grid.map(|n| n as u32);
        let config = sys::CUlaunchConfig_st {
            gridDimX: grid[0],
            gridDimY: grid[1],
            gridDimZ: grid[2],
            blockDimX: launch.threads as u32,
            blockDimY: 1,
            blockDimZ: 1,
            sharedMemBytes: launch.shared as u32,
            hStream: self.stream,
            attrs: attributes.as_mut_ptr(),
            numAttrs: u32::from(self.overlaps_kernels),
        };
        // SAFETY: configuration and arguments live until the call returns, and the driver copies
        // them; what the kernel does with them is its module's responsibility.
        unsafe {
            sys::cuLaunchKernelEx(&config, function, places.as_mut_ptr(), std::ptr::null_mut())
        }
        .result()
        .map_err(failed(launch.name))
    }

    /// Copies bytes to the device and waits until they are there.
    pub fn write(&self, to: Address, bytes: &[u8]) -> Result<()> {
        self.enter()?;
        self.wait()?;
        // SAFETY: the callers in this module's children ask for memory of theirs.
        unsafe { result::memcpy_htod_sync(to.0, bytes) }.map_err(failed("a copy to the device"))
    }

    /// Copies bytes from the device, after everything that was asked for before.
    pub fn read(&self, from: Address, bytes: &mut [u8]) -> Result<()> {
        self.enter()?;
        self.wait()?;
        // SAFETY: as in `write`.
        unsafe { result::memcpy_dtoh_sync(bytes, from.0) }.map_err(failed("a copy from the device"))
    }

    /// Adds a copy to the stream. `from` must stay as it is until the stream has come there.
    pub fn write_later(&self, to: Address, from: &Pinned, num_bytes: usize) -> Result<()> {
        let bytes = &from.bytes()[..num_bytes];
        // SAFETY: as in `write`.
        unsafe { result::memcpy_htod_async(to.0, bytes, self.stream) }
            .map_err(failed("a copy to the device"))
    }

    /// Adds a copy of `num_bytes` to `to`, from its byte `at` on, to the stream.
    pub fn read_later(
        &self,
        to: &mut Pinned,
        at: usize,
        from: Address,
        num_bytes: usize,
    ) -> Result<()> {
        let bytes = &mut to.bytes_mut()[at..at + num_bytes];
        // SAFETY: as in `write`.
        unsafe { result::memcpy_dtoh_async(bytes, from.0, self.stream) }
            .map_err(failed("a copy from the device"))
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = self.enter();
        // SAFETY: nobody has the device any more. A driver that refuses has lost it anyway.
        unsafe {
            let _ = result::stream::destroy(self.stream);
            let _ = result::primary_ctx::release(self.device);
        }
    }
}

impl Address {
    /// So many bytes further.
    pub fn offset(self, num_bytes: usize) -> Self {
        Self(self.0 + num_bytes as u64)
    }
}

impl From<Address> for Argument {
    fn from(address: Address) -> Self {
        Self::Address(address)
    }
}

impl From<usize> for Argument {
    fn from(int: usize) -> Self {
        Self::Int(int)
    }
}

impl From<f32> for Argument {
    fn from(float: f32) -> Self {
        Self::Float(float)
    }
}
