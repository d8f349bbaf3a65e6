//! Asking for memory before it is needed.

/// The bytes that a processor fetches at a time.
const LINE: usize = 64;

/// Asks for these values to be fetched into the first cache. It changes nothing but when they arrive.
#[inline(always)]
pub(crate) fn prefetch<T>(values: &[T]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for line in values.chunks((LINE / size_of::<T>().max(1)).max(1)) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the instruction belongs to SSE, which every x86-64 processor has, and neither faults nor writes, whatever
        // the address; this one is of a value that is borrowed.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = (values, LINE);
}
