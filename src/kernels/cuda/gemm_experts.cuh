// Products of the rows of all experts at once, each with the weights of its expert: the same bits as
// gemm_rows.cuh. The experts' weights lie one behind the other.
//
// What experts.cu writes says which rows a tile has: [expert, first row, rows, 0], of which there are
// at most as many as a block computes; nothing is done where there are none. Launch: 256 threads,
// blocks of outputs in x, and tiles in y.
//
//   kernel                        rows   outputs, with SwiGLU   dynamic shared memory, of codes
//   gemm_experts_<form>_rows_1       8   16, 16                 none
//   gemm_experts_<form>_rows_2      16   32, 16                 none
//   gemm_experts_<form>_single      64   128, 64                98304, 67584
//   gemm_experts_<form>_large      128   128, 64                131072, 98304
#pragma once

#include "gemm_rows.cuh"
#include "gemm_tiles.cuh"

typedef Tile<64, 4, 4, 1> Single;

// One tile of a product.
template <class W> struct ExpertTile {
  W weight;
  const bf16 *x;
  void *out;
  int num_rows;
};

template <class W, int MODE>
static __device__ __forceinline__ ExpertTile<W> expert_tile(const W &weights, const uint4 *tiles,
                                                            const bf16 *x, void *out, int n,
                                                            int k_padded, int out_stride) {
  wait_for_previous_kernel();
  const uint4 tile = tiles[blockIdx.y];
  const size_t weight_row = static_cast<size_t>(tile.x) * (MODE == SWIGLU ? 2 * n : n);
  const size_t number_bytes = MODE == STORE_F32 ? sizeof(float) : sizeof(bf16);
  const size_t out_bytes = tile.y * static_cast<size_t>(out_stride) * number_bytes;
  return {weights.from(weight_row, k_padded), x + static_cast<size_t>(tile.y) * k_padded,
          static_cast<uint8_t *>(out) + out_bytes, static_cast<int>(tile.z)};
}

#define WEIGHTS(...) __VA_ARGS__

// PARAMETERS are those of the weights, which VALUES names.
#define GEMM_EXPERTS(FORM, W, NAME, ATTRIBUTES, MODE_NAME, MODE, PARAMETERS, VALUES, ...)          \
  extern "C" __global__ void ATTRIBUTES gemm_experts_##FORM##_##NAME##_##MODE_NAME(                \
      PARAMETERS, const uint4 *tiles, const bf16 *x, void *out, int n, int k_padded,               \
      int out_stride) {                                                                            \
    const ExpertTile<W> tile =                                                                     \
        expert_tile<W, MODE>({VALUES}, tiles, x, out, n, k_padded, out_stride);                    \
    if (tile.num_rows > 0) {                                                                       \
      __VA_ARGS__(tile.weight, tile.x, tile.out, tile.num_rows, n, k_padded, out_stride);          \
    }                                                                                              \
  }

#define EXPERTS_IN_MODE(FORM, W, MODE_NAME, MODE, PARAMETERS, VALUES)                              \
  GEMM_EXPERTS(FORM, W, rows_1, __launch_bounds__(NUM_THREADS, 2), MODE_NAME, MODE,                \
               WEIGHTS(PARAMETERS), WEIGHTS(VALUES), gemm_rows<W, 1, MODE>)                        \
  GEMM_EXPERTS(FORM, W, rows_2, __launch_bounds__(NUM_THREADS, 2), MODE_NAME, MODE,                \
               WEIGHTS(PARAMETERS), WEIGHTS(VALUES), gemm_rows<W, 2, MODE>)                        \
  GEMM_EXPERTS(FORM, W, single, __launch_bounds__(NUM_THREADS, 2), MODE_NAME, MODE,                \
               WEIGHTS(PARAMETERS), WEIGHTS(VALUES), gemm_tiles<W, Single, MODE>)                  \
  GEMM_EXPERTS(FORM, W, large, __launch_bounds__(NUM_THREADS, 1), MODE_NAME, MODE,                 \
               WEIGHTS(PARAMETERS), WEIGHTS(VALUES), gemm_tiles<W, Large, MODE>)

#define EXPERTS(FORM, W, PARAMETERS, VALUES)                                                       \
  EXPERTS_IN_MODE(FORM, W, store_bf16, STORE_BF16, WEIGHTS(PARAMETERS), WEIGHTS(VALUES))           \
  EXPERTS_IN_MODE(FORM, W, store_f32, STORE_F32, WEIGHTS(PARAMETERS), WEIGHTS(VALUES))             \
  EXPERTS_IN_MODE(FORM, W, swiglu, SWIGLU, WEIGHTS(PARAMETERS), WEIGHTS(VALUES))
