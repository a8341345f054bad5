//! Sums over the GPUs of one model, by NCCL: its library is looked for when a model is to have
//! several. Declarations are those of `nccl.h`, which have been the same since version 2.4.

use super::array::Type;
use super::device::{Address, Device, failed};
use super::{Cuda, Scratch};
use crate::kernels;
use candle_core::{Error, Result};
use cudarc::driver::result;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// `ncclFloat32` of `ncclDataType_t`.
const FLOAT32: c_int = 7;
/// `ncclSum` of `ncclRedOp_t`.
const SUM: c_int = 0;

/// The names under which the library is found: that of its package, and that of a development one.
const NAMES: [&CStr; 2] = [c"libnccl.so.2", c"libnccl.so"];

/// A rank that has been inside the library for so long does not come out by itself.
const PATIENCE: Duration = Duration::from_secs(1);

type Communicator = *mut c_void;
type Stream = *mut c_void;

/// The GPUs of one model.
pub struct Nccl {
    library: Library,
    /// Of each rank.
    ends: Vec<End>,
    /// Whether all numbers are added in the order of ranks, whatever a step holds.
    in_order: bool,
    has_ended: AtomicBool,
}

struct End {
    communicator: Communicator,
    /// Whether a thread is about to call the library with it, or does.
    is_used: AtomicBool,
    device: Arc<Device>,
}

// SAFETY: each communicator is used by the thread of its rank alone, but for `ncclCommAbort`, which
// may be called beside anything, and for the end, when nobody else has it.
unsafe impl Send for Nccl {}
unsafe impl Sync for Nccl {}

/// Functions of the library, which stays loaded.
struct Library {
    init_all: unsafe extern "C" fn(*mut Communicator, c_int, *const c_int) -> c_int,
    all_reduce: unsafe extern "C" fn(
        *const c_void,
        *mut c_void,
        usize,
        c_int,
        c_int,
        Communicator,
        Stream,
    ) -> c_int,
    all_gather: unsafe extern "C" fn(
        *const c_void,
        *mut c_void,
        usize,
        c_int,
        Communicator,
        Stream,
    ) -> c_int,
    abort: unsafe extern "C" fn(Communicator) -> c_int,
    destroy: unsafe extern "C" fn(Communicator) -> c_int,
    error_string: unsafe extern "C" fn(c_int) -> *const c_char,
}

impl Library {
    fn open() -> Result<Self> {
        let flags = libc::RTLD_NOW | libc::RTLD_LOCAL;
        let handle = NAMES
            .into_iter()
            // SAFETY: a name that ends with a zero; what the library does when it is loaded is its
            // maker's responsibility.
            .map(|name| unsafe { libc::dlopen(name.as_ptr(), flags) })
            .find(|handle| !handle.is_null())
            .ok_or_else(|| {
                Error::Msg(
                    "libnccl.so.2 is not found, which a model on several GPUs needs: install NCCL \
                     (docs/gpu.md), or set `tensor_parallel` to 1"
                        .into(),
                )
            })?;
        // SAFETY: each type is that of the function of this name in `nccl.h`.
        unsafe {
            Ok(Self {
                init_all: function(handle, c"ncclCommInitAll")?,
                all_reduce: function(handle, c"ncclAllReduce")?,
                all_gather: function(handle, c"ncclAllGather")?,
                abort: function(handle, c"ncclCommAbort")?,
                destroy: function(handle, c"ncclCommDestroy")?,
                error_string: function(handle, c"ncclGetErrorString")?,
            })
        }
    }

    fn check(&self, status: c_int) -> Result<()> {
        if status == 0 {
            return Ok(());
        }
        // SAFETY: the function takes any number.
        let text = unsafe { (self.error_string)(status) };
        let text = match text.is_null() {
            true => "an unknown error".into(),
            // SAFETY: a string that the library keeps.
            false => unsafe { CStr::from_ptr(text) }.to_string_lossy(),
        };
        Err(Error::Msg(format!("NCCL: {text}")))
    }
}

/// # Safety
/// `F` is the type of a pointer to the function of this name.
unsafe fn function<F: Copy>(handle: *mut c_void, name: &CStr) -> Result<F> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    // SAFETY: a library that is loaded.
    let address = unsafe { libc::dlsym(handle, name.as_ptr()) };
    if address.is_null() {
        let name = name.to_string_lossy();
        return Err(Error::Msg(format!("the NCCL that was found has no {name}")));
    }
    // SAFETY: by the caller's promise.
    Ok(unsafe { std::mem::transmute_copy(&address) })
}

impl Nccl {
    /// Connects GPUs, of which no two are the same.
    pub fn connect(gpus: &[Arc<Cuda>]) -> Result<Self> {
        let library = Library::open()?;
        let ordinals: Vec<c_int> = gpus.iter().map(|gpu| gpu.device.ordinal()).collect();
        let mut communicators = vec![std::ptr::null_mut(); gpus.len()];
        // All at once, so that no rank waits for one that does not come.
        // SAFETY: there is room for as many communicators as there are devices.
        let status = unsafe {
            (library.init_all)(
                communicators.as_mut_ptr(),
                ordinals.len() as c_int,
                ordinals.as_ptr(),
            )
        };
        library.check(status)?;
        let ends = communicators.into_iter().zip(gpus);
        Ok(Self {
            library,
            ends: ends
                .map(|(communicator, gpu)| End {
                    communicator,
                    is_used: AtomicBool::new(false),
                    device: Arc::clone(&gpu.device),
                })
                .collect(),
            in_order: gpus.iter().all(|gpu| gpu.is_deterministic()),
            has_ended: AtomicBool::new(false),
        })
    }

    /// Ends what ranks wait for, and lets them begin nothing more.
    pub fn end(&self) {
        if self.has_ended.swap(true, Ordering::SeqCst) {
            return;
        }
        for end in &self.ends {
            let began = Instant::now();
            while end.is_used.load(Ordering::SeqCst) && began.elapsed() < PATIENCE {
                std::thread::yield_now();
            }
            let _ = end.device.enter();
            // SAFETY: from here on nobody begins to use it. Who is inside still waits for another
            // rank, which is what this call is for.
            let _ = unsafe { (self.library.abort)(end.communicator) };
        }
    }

    /// Calls the library with a rank's communicator.
    fn with(&self, rank: usize, call: impl FnOnce(Communicator) -> c_int) -> Result<()> {
        let end = &self.ends[rank];
        end.is_used.store(true, Ordering::SeqCst);
        let status = match self.has_ended.load(Ordering::SeqCst) {
            true => None,
            false => Some(call(end.communicator)),
        };
        end.is_used.store(false, Ordering::SeqCst);
        match status {
            Some(status) => self.library.check(status),
            None => Err(Error::Msg("all_reduce: another rank has failed".into())),
        }
    }
}

impl Drop for Nccl {
    fn drop(&mut self) {
        if *self.has_ended.get_mut() {
            return;
        }
        for end in &self.ends {
            let _ = end.device.enter();
            let _ = end.device.wait();
            // SAFETY: nobody else has it, and its work is done.
            let _ = unsafe { (self.library.destroy)(end.communicator) };
        }
    }
}

impl Cuda {
    /// `x` = the sum of the `x` of all ranks.
    pub fn all_reduce(&self, nccl: &Nccl, rank: usize, x: &kernels::Array) -> Result<()> {
        let op = "all_reduce";
        let array = x.cuda(op)?;
        let address = array.expect(Type::F32, op)?;
        let count = array.num_rows() * array.stride;
        let stream: Stream = self.device.stream().cast();
        let at = |address: Address| address.0 as *mut c_void;
        // Two numbers have one sum. With more, the order in which the library adds depends on where
        // a number stands in the array, and so on how many rows a step has.
        if !nccl.in_order || nccl.ends.len() == 2 {
            return nccl.with(rank, |communicator| {
                let x = at(address);
                // SAFETY: an array of so many numbers, which nothing else writes in this stream.
                unsafe {
                    (nccl.library.all_reduce)(x, x, count, FLOAT32, SUM, communicator, stream)
                }
            });
        }
        let num_bytes = count * Type::F32.num_bytes();
        let parts = self.scratch(Scratch::Ranks, nccl.ends.len() * num_bytes)?;
        nccl.with(rank, |communicator| {
            // SAFETY: as above, and room for as much of every rank.
            unsafe {
                let (x, parts) = (at(address), at(parts));
                (nccl.library.all_gather)(x, parts, count, FLOAT32, communicator, stream)
            }
        })?;
        // SAFETY: both are memory of so many bytes.
        unsafe { result::memcpy_dtod_async(address.0, parts.0, num_bytes, self.device.stream()) }
            .map_err(failed(op))?;
        (1..nccl.ends.len()).try_for_each(|rank| {
            let part = parts.offset(rank * num_bytes);
            self.add_part(array, part)
        })
    }
}
