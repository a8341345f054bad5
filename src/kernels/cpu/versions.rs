/// Compiles one body for each kernel set and picks at run time.
///
/// `versions!(pub fn name(args) = body)` makes `name(set, args)`; `body` is a function
/// generic over `const FMA: bool`, marked `#[inline(always)]`, so that the compiler
/// vectorises it anew with the features of each version.
macro_rules! versions {
    ($(#[$meta:meta])* $vis:vis fn $name:ident $(<$generic:ident : $bound:path>)? ($($arg:ident : $ty:ty),* $(,)?) $(-> $ret:ty)? = $body:ident) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name $(<$generic: $bound>)? (set: $crate::kernels::cpu::KernelSet, $($arg: $ty),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2 $(<$generic: $bound>)? ($($arg: $ty),*) $(-> $ret)? {
                $body::<true $(, $generic)?>($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512 $(<$generic: $bound>)? ($($arg: $ty),*) $(-> $ret)? {
                $body::<true $(, $generic)?>($($arg),*)
            }
            match set {
                // SAFETY: a set is only selected where `KernelSet::is_supported` holds.
                #[cfg(target_arch = "x86_64")]
                $crate::kernels::cpu::KernelSet::Avx512Bf16
                | $crate::kernels::cpu::KernelSet::Avx512Vnni => unsafe { avx512 $(::<$generic>)? ($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                $crate::kernels::cpu::KernelSet::Avx2 => unsafe { avx2 $(::<$generic>)? ($($arg),*) },
                // Every aarch64 processor has NEON and fused multiply-add.
                #[cfg(target_arch = "aarch64")]
                $crate::kernels::cpu::KernelSet::Neon => $body::<true $(, $generic)?>($($arg),*),
                _ => $body::<false $(, $generic)?>($($arg),*),
            }
        }
    };
}

pub(super) use versions;
