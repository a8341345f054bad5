use crate::kernels::cpu::buffer::Plain;
use memmap2::MmapMut;
use std::alloc::{Layout, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What the system's huge pages are on every processor that we know kernels for.
const HUGE_PAGE: usize = 2 << 20;
/// Most weights are smaller than a huge page, so many of them share a region. What is left of the
/// last one is never touched, so it takes no memory.
const REGION: usize = 64 << 20;
const CACHE_LINE: usize = 64;

/// Memory of one weight, on a cache line's boundary, zero at first.
///
/// Weights are streamed through once a step; in huge pages the processor finds their addresses
/// for nothing. Where the system has none, nothing changes.
pub struct WeightMemory {
    start: NonNull<u8>,
    len: usize,
    /// Keeps the memory.
    _region: Arc<Region>,
}

// SAFETY: no two of them share a byte, and who holds one holds its region.
unsafe impl Send for WeightMemory {}
// SAFETY: as above; changing it takes `&mut`.
unsafe impl Sync for WeightMemory {}

/// Pages that several weights lie in, one behind the other.
struct Region {
    pages: MmapMut,
    /// Where the first huge page starts.
    start: usize,
    used: AtomicUsize,
}

/// The region that has room. It goes when the last weight in it does.
static CURRENT: Mutex<Weak<Region>> = Mutex::new(Weak::new());

impl WeightMemory {
    /// Memory for `len` bytes. Ends the process if the system has no more addresses, as a
    /// vector does.
    pub fn zeroed(len: usize) -> Self {
        let size = len.next_multiple_of(CACHE_LINE);
        let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = current.upgrade().and_then(|region| region.cut(size, len)) {
            return found;
        }
        let region = Arc::new(Region::new(size.max(REGION)));
        *current = Arc::downgrade(&region);
        region
            .cut(size, len)
            .expect("a new region has the room that it was made for")
    }

    pub fn num_bytes(&self) -> usize {
        self.len
    }

    pub fn as_slice<T: Plain>(&self) -> &[T] {
        // SAFETY: aligned to a cache line, initialised by the system, nobody else's, and any
        // bits are a valid `T`.
        unsafe { std::slice::from_raw_parts(self.start.cast().as_ptr(), self.len / size_of::<T>()) }
    }

    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Region {
    fn new(len: usize) -> Self {
        // One page more, for the first to begin on a boundary.
        let len = len.next_multiple_of(HUGE_PAGE) + HUGE_PAGE;
        let Ok(pages) = MmapMut::map_anon(len) else {
            handle_alloc_error(
                Layout::from_size_align(len, CACHE_LINE).unwrap_or(Layout::new::<u8>()),
            )
        };
        #[cfg(target_os = "linux")]
        {
            // Refused where the system was built without them.
            let _ = pages.advise(memmap2::Advice::HugePage);
        }
        let start = pages.as_ptr().align_offset(HUGE_PAGE);
        Self {
            pages,
            start,
            used: AtomicUsize::new(0),
        }
    }

    /// The next `len` bytes, `size` with what fills up a cache line, if there is room.
    fn cut(self: Arc<Self>, size: usize, len: usize) -> Option<WeightMemory> {
        // Only who holds the lock on `CURRENT` comes here.
        let used = self.used.load(Ordering::Relaxed);
        let at = self.start + used;
        if at + size > self.pages.len() {
            return None;
        }
        self.used.store(used + size, Ordering::Relaxed);
        // SAFETY: `at` lies inside the pages, which no reference leads to.
        let start = unsafe { self.pages.as_ptr().add(at).cast_mut() };
        Some(WeightMemory {
            start: NonNull::new(start)?,
            len,
            _region: self,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_lie_beside_each_other_and_never_in_each_other() {
        let sizes = [1, 64, 65, 3 << 20, 0, 70 << 20, 100];
        let mut all: Vec<WeightMemory> =
            sizes.iter().map(|len| WeightMemory::zeroed(*len)).collect();
        for (index, memory) in all.iter_mut().enumerate() {
            assert_eq!(memory.num_bytes(), sizes[index]);
            assert_eq!(memory.as_mut_slice().as_ptr().align_offset(CACHE_LINE), 0);
            assert!(memory.as_slice::<u8>().iter().all(|byte| *byte == 0));
            memory.as_mut_slice().fill(index as u8 + 1);
        }
        for (index, memory) in all.iter().enumerate() {
            assert!(
                memory
                    .as_slice::<u8>()
                    .iter()
                    .all(|byte| *byte == index as u8 + 1)
            );
        }
    }
}
