use std::fmt;
use std::str::FromStr;

/// A family of CPU kernels. Each has its own rounding, so that the set is part of what an
/// answer can be replayed on; it can be pinned by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KernelSet {
    /// AVX-512 with BF16 dot products: activations are rounded to bf16 for bf16 weights.
    Avx512Bf16,
    /// AVX-512 with VNNI and without BF16 (Cascade Lake, Ice Lake): bf16 weights are widened in
    /// registers, activations stay f32.
    Avx512Vnni,
    /// AVX2 with FMA: as above.
    Avx2,
    /// What the compiler makes of the portable form for aarch64, with fused multiply-add. Nobody
    /// has run it yet.
    Neon,
    /// Plain Rust without fused multiply-add, the specification of the others.
    Portable,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownKernelSet {
    #[error(
        "`{0}` is not a kernel set; known are avx512-bf16, avx512-vnni, avx2, neon and portable"
    )]
    Name(String),
    #[error("the kernel set `{0}` does not run on this processor")]
    Unsupported(KernelSet),
}

impl KernelSet {
    pub const ALL: [Self; 5] = [
        Self::Avx512Bf16,
        Self::Avx512Vnni,
        Self::Avx2,
        Self::Neon,
        Self::Portable,
    ];

    /// The fastest set that this processor runs.
    pub fn best() -> Self {
        Self::ALL
            .into_iter()
            .find(|set| set.is_supported())
            .unwrap_or(Self::Portable)
    }

    pub fn is_supported(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 => {
                Self::Avx512Vnni.is_supported() && is_x86_feature_detected!("avx512bf16")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => {
                Self::Avx2.is_supported()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vnni")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512Vnni | Self::Avx512Bf16 => false,
            Self::Neon => cfg!(target_arch = "aarch64"),
        }
    }

    /// The set of this name, or the best one for `auto`.
    pub fn select(name: &str) -> Result<Self, UnknownKernelSet> {
        if name == "auto" {
            return Ok(Self::best());
        }
        let set: Self = name.parse()?;
        if set.is_supported() {
            Ok(set)
        } else {
            Err(UnknownKernelSet::Unsupported(set))
        }
    }
}

impl fmt::Display for KernelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Avx512Bf16 => "avx512-bf16",
            Self::Avx512Vnni => "avx512-vnni",
            Self::Avx2 => "avx2",
            Self::Neon => "neon",
            Self::Portable => "portable",
        })
    }
}

impl FromStr for KernelSet {
    type Err = UnknownKernelSet;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|set| set.to_string() == name)
            .ok_or_else(|| UnknownKernelSet::Name(name.to_owned()))
    }
}
