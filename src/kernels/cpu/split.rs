use std::marker::PhantomData;

/// A slice whose disjoint parts are written by different threads.
pub(crate) struct SplitMut<'a, T> {
    ptr: *mut T,
    len: usize,
    _slice: PhantomData<&'a mut [T]>,
}

// SAFETY: the ways to the elements are `part` and `part_ptr`, whose callers promise that threads
// write disjoint elements.
unsafe impl<T: Send> Sync for SplitMut<'_, T> {}

impl<'a, T> SplitMut<'a, T> {
    pub fn new(slice: &'a mut [T]) -> Self {
        Self {
            ptr: slice.as_mut_ptr(),
            len: slice.len(),
            _slice: PhantomData,
        }
    }

    /// # Safety
    /// No two parts that are alive at once may overlap.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn part(&self, start: usize, len: usize) -> &mut [T] {
        // SAFETY: in bounds by the assertion in `part_ptr`, disjoint by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.part_ptr(start, len), len) }
    }

    /// The start of a part, for who writes single elements of it.
    pub fn part_ptr(&self, start: usize, len: usize) -> *mut T {
        assert!(
            start <= self.len && len <= self.len - start,
            "a part lies outside its slice"
        );
        // SAFETY: in bounds by the assertion.
        unsafe { self.ptr.add(start) }
    }

    /// Asks for the cache line of an element that is going to be written; outside of the slice
    /// it does nothing that anyone could see.
    pub fn prefetch(&self, at: usize) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: a prefetch reads nothing, whatever the address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(self.ptr.wrapping_add(at).cast()) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = at;
    }
}
