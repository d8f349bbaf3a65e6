//! Which instructions the processor has.

/// A set of instructions that the kernels are written for.
///
/// Only [`Level::all`] and [`Level::best`] make one, and they look at the processor: who holds a level may run its
/// instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(pub(crate) Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// Plain Rust.
    Plain,
    /// AVX2, FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 with its byte, word and neural network instructions, and what [`Set::Avx2`] has.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// NEON, which every 64-bit Arm processor has.
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Level {
    /// Plain Rust, which runs everywhere and under Miri.
    pub const PLAIN: Self = Self(Set::Plain);

    /// The fastest level of this processor.
    #[inline]
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if has_avx512() {
                return Self(Set::Avx512);
            }
            if has_avx2() {
                return Self(Set::Avx2);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            return Self(Set::Neon);
        }
        Self::PLAIN
    }

    /// All levels of this processor, for tests that compare them.
    pub fn all() -> Vec<Self> {
        let mut levels = vec![Self::PLAIN];
        #[cfg(target_arch = "x86_64")]
        if has_avx2() && Self::best() == Self(Set::Avx512) {
            levels.push(Self(Set::Avx2));
        }
        if Self::best() != Self::PLAIN {
            levels.push(Self::best());
        }
        levels
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
}

/// Processors with AVX-512 and without VNNI slow down when they use it: they are served by AVX2.
#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vnni")
}
