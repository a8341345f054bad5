// Products of a few rows with bf16 weights.
#include "gemm_rows.cuh"

#define GEMM_ROWS(NT, NAME, MODE)                                                                  \
  extern "C" __global__ void __launch_bounds__(NUM_THREADS, 2) gemm_rows_##NT##_##NAME(            \
      const bf16 *weight, const bf16 *x, void *out, int num_rows, int n, int k_padded,             \
      int out_stride) {                                                                            \
    gemm_rows<Bf16Weights, NT, MODE>({weight}, x, out, num_rows, n, k_padded, out_stride);         \
  }

GEMM_ROWS(1, store_bf16, STORE_BF16)
GEMM_ROWS(1, store_f32, STORE_F32)
GEMM_ROWS(1, add_f32, ADD_F32)
GEMM_ROWS(1, swiglu, SWIGLU)
GEMM_ROWS(2, store_bf16, STORE_BF16)
GEMM_ROWS(2, store_f32, STORE_F32)
GEMM_ROWS(2, add_f32, ADD_F32)
GEMM_ROWS(2, swiglu, SWIGLU)
