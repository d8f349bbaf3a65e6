//! What of lastro needs `unsafe`: dot products over many rows with the instructions of the processor at hand, and files
//! mapped into memory. The interface is safe; what it asks of its callers beyond types stands at [`map`].
//!
//! Every `unsafe` block performs one operation and says why it is sound. The kernels are compared with plain Rust over
//! random lengths and values, and the plain paths run under Miri.

mod coded;
mod dispatch;
mod kinds;
mod level;
pub mod map;
#[cfg(target_arch = "aarch64")]
mod neon;
mod plain;
mod prefetch;
mod rows;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_endian = "big")]
compile_error!("files are read as the processor has its numbers: least significant byte first");

pub use coded::{Coded, I8Query, code, code_fine};
pub use half::f16;
pub use kinds::{F16Rows, F32Rows, FineRows, I8Rows};
pub use level::Level;
pub use map::Map;
pub use rows::Rows;
