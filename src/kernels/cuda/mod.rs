//! CUDA forms of the ops.
//!
//! Owns one GPU's stream, memory and kernels, as one model uses them. The kernels are in the `.cu`
//! files beside this, compiled when the binary is built; the driver, cuBLASLt where sums need not be
//! in order, and NCCL where a model has several GPUs, are found when it runs. Refuses to know models, like all of [`super`].
//!
//! Activations that feed a product are bf16, the residual stream and logits f32. The host only
//! adds to the stream; it waits where results are read, and before a step's numbers are written
//! over the last one's.

mod array;
mod attention;
mod blocks;
mod choices;
mod device;
mod experts;
mod functions;
mod graphs;
mod library;
mod logits;
mod memory;
mod nccl;
mod product;
mod quantized;
mod rows;
mod step;
mod variants;
mod weight;

pub use array::Array;
pub use choices::CHOICE_LIMITS;
pub use device::{Address, Device};
pub use experts::Routing;
pub use logits::ROWS_AT_ONCE;
pub use nccl::Nccl;
pub use step::{RECORDED, SpanInputs, StepInputs};
pub use weight::Weight;

use candle_core::Result;
use graphs::Graphs;
use library::Library;
use memory::{Memory, Pinned};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use step::Inputs;

/// Arrays have memory for so many rows at a time, so that a product may compute a round number.
pub const ROW_ALIGNMENT: usize = 64;

/// How a GPU is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CudaOptions {
    pub ordinal: usize,
    /// Whether each row is summed in one order, whatever else a step holds.
    pub deterministic: bool,
}

/// A GPU as one model uses it.
pub struct Cuda {
    device: Arc<Device>,
    /// There where sums may be in any order.
    library: Option<Library>,
    state: Mutex<State>,
}

/// What one step leaves for the next.
struct State {
    // Dropped before what they name.
    graphs: Graphs,
    inputs: Inputs,
    scratch: HashMap<Scratch, Memory>,
    /// Choices on their way to the device.
    choices: Pinned,
    choice_words: Vec<u32>,
    /// Where results are read to.
    results: Pinned,
}

/// What an op needs beside its arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Scratch {
    /// What a norm lets through.
    Normed,
    /// Gate and up of rows, before they meet.
    GateUp,
    /// bf16 weights that are made of codes.
    Numbers,
    /// Which rows go through which experts.
    Routing,
    /// Attention of chunks, before they are added up.
    Partials,
    /// Summaries of parts of rows of logits.
    Parts,
    /// Summaries of rows of logits.
    Summaries,
    /// What each rank adds to a sum.
    Ranks,
    /// What is to be chosen from rows of logits.
    Choices,
    /// What was chosen.
    Chosen,
    /// The most probable tokens of rows.
    Top,
}

impl Cuda {
    pub fn open(options: CudaOptions) -> Result<Self> {
        let device = Device::open(options.ordinal)?;
        let library = match options.deterministic {
            true => None,
            false => Some(Library::open(&device)?),
        };
        Ok(Self {
            state: Mutex::new(State {
                graphs: Graphs::default(),
                inputs: Inputs::new(&device)?,
                scratch: HashMap::new(),
                choices: Pinned::new(&device, 1 << 16)?,
                choice_words: Vec::new(),
                results: Pinned::new(&device, 1 << 16)?,
            }),
            library,
            device,
        })
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    pub fn is_deterministic(&self) -> bool {
        self.library.is_none()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Memory of at least so many bytes, the same at each call until more is asked for.
    fn scratch(&self, what: Scratch, num_bytes: usize) -> Result<Address> {
        let mut state = self.state();
        match state.scratch.get(&what) {
            Some(memory) if memory.num_bytes() >= num_bytes => Ok(memory.address()),
            _ => {
                // Recorded steps name the memory that is now given back.
                state.graphs.clear();
                state.scratch.remove(&what);
                let memory = Memory::zeroed(&self.device, num_bytes)?;
                let address = memory.address();
                state.scratch.insert(what, memory);
                Ok(address)
            }
        }
    }
}
