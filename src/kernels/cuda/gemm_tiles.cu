// Products of many rows with bf16 weights.
#include "gemm_tiles.cuh"

#define GEMM_TILES(TILE, NAME, MODE, ATTRIBUTES)                                                   \
  extern "C" __global__ void ATTRIBUTES gemm_tiles_##NAME(                                         \
      const bf16 *weight, const bf16 *x, void *out, int num_rows, int n, int k_padded,             \
      int out_stride) {                                                                            \
    gemm_tiles<Bf16Weights, TILE, MODE>({weight}, x, out, num_rows, n, k_padded, out_stride);      \
  }

#define ALL_MODES(TILE, NAME, ATTRIBUTES)                                                          \
  GEMM_TILES(TILE, NAME##_store_bf16, STORE_BF16, ATTRIBUTES)                                      \
  GEMM_TILES(TILE, NAME##_store_f32, STORE_F32, ATTRIBUTES)                                        \
  GEMM_TILES(TILE, NAME##_add_f32, ADD_F32, ATTRIBUTES)                                            \
  GEMM_TILES(TILE, NAME##_swiglu, SWIGLU, ATTRIBUTES)

ALL_MODES(Small, small, CLUSTER_OF(4) __launch_bounds__(NUM_THREADS, 2))
ALL_MODES(Medium, medium, CLUSTER_OF(4) __launch_bounds__(NUM_THREADS, 1))
ALL_MODES(Large, large, __launch_bounds__(NUM_THREADS, 1))
ALL_MODES(Wide, wide, __launch_bounds__(NUM_THREADS, 1))
