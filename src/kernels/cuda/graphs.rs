//! Steps that were recorded once and are launched whole: a step of a large model is hundreds of
//! kernels, and launching each costs the CPU more than a small one takes.

use super::Cuda;
use super::device::{Device, failed};
use super::step::StepInputs;
use crate::kernels::Array;
use cudarc::driver::{result, sys};
use std::collections::HashMap;
use std::sync::Arc;

/// The number of rows, and the memory of the cache.
type Key = (usize, u64);

/// What steps do, once they were recorded.
#[derive(Default)]
pub struct Graphs {
    graphs: HashMap<Key, Graph>,
}

enum Graph {
    /// It ran once, so all memory that it needs is there.
    Seen,
    Recorded(Recording),
}

struct Recording {
    graph: sys::CUgraphExec,
    device: Arc<Device>,
}

// SAFETY: as of the device's other handles.
unsafe impl Send for Recording {}

impl Graphs {
    /// Forgets all, because memory that they name has moved.
    pub fn clear(&mut self) {
        self.graphs.clear();
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.device.enter();
        let _ = self.device.wait();
        // SAFETY: the only owner gives it back once.
        let _ = unsafe { result::graph::exec_destroy(self.graph) };
    }
}

impl Cuda {
    /// Does what `compute` does, by a recording of it if the step is one that is recorded.
    pub fn run<E: From<candle_core::Error>>(
        &self,
        inputs: &StepInputs,
        cache: &Array,
        compute: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(rows) = inputs.recorded else {
            return compute();
        };
        let key = (rows, cache.cuda("run")?.memory_id());
        // Found before `compute` runs, which needs the state itself.
        let seen = match self.state().graphs.graphs.get(&key) {
            Some(Graph::Recorded(recording)) => return Ok(self.launch_graph(recording)?),
            Some(Graph::Seen) => true,
            None => false,
        };
        if !seen {
            compute()?;
            self.state().graphs.graphs.insert(key, Graph::Seen);
            return Ok(());
        }
        let recording = self.record(compute)?;
        self.launch_graph(&recording)?;
        let graph = Graph::Recorded(recording);
        self.state().graphs.graphs.insert(key, graph);
        Ok(())
    }

    fn launch_graph(&self, recording: &Recording) -> candle_core::Result<()> {
        // SAFETY: the recording is alive, and so is the memory that it names.
        unsafe { result::graph::launch(recording.graph, self.device.stream()) }
            .map_err(failed("a recorded step"))
    }

    fn record<E: From<candle_core::Error>>(
        &self,
        compute: impl FnOnce() -> Result<(), E>,
    ) -> Result<Recording, E> {
        let stream = self.device.stream();
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        let what = "recording a step";
        // SAFETY: the stream is alive.
        unsafe { result::stream::begin_capture(stream, mode) }.map_err(failed(what))?;
        let computed = compute();
        // Whatever happened, the stream must not stay in this state.
        // SAFETY: as above.
        let graph = unsafe { result::stream::end_capture(stream) };
        computed?;
        let graph = graph.map_err(failed(what))?;
        let flags = sys::CUgraphInstantiate_flags(0);
        // SAFETY: the graph was just made and is not needed once there is an executable one.
        let executable = unsafe { result::graph::instantiate(graph, flags) };
        let _ = unsafe { result::graph::destroy(graph) };
        Ok(Recording {
            graph: executable.map_err(failed(what))?,
            device: Arc::clone(&self.device),
        })
    }
}
