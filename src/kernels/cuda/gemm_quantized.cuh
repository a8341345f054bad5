// The kernels of weights that are codes with scales, for any form of them.
//
//   kernel                     grid                      threads   dynamic shared memory
//   gemm_<form>_rows_*         as gemm_rows.cuh          256       none
//   gemm_<form>_tiles_small_*  as gemm_tiles.cuh         256       67584
//   dequantize_<form>          any                       256       none
//   embedding_<form>           one a row of x            256       none
//
// More rows than the small tiles are made for are multiplied with bf16 weights that `dequantize`
// writes, a part of the outputs at a time: then taking each weight apart once costs least.
#pragma once

#include "gemm_rows.cuh"
#include "gemm_tiles.cuh"

// Calls `with` with each of the 16 inputs of a unit by eights: the first of them, and the eight.
template <class W, class F>
static __device__ __forceinline__ void for_eights(const W &weight, size_t row, int k_padded, int at,
                                                  const uint32_t *table, F with) {
  const int step = at / 4, t = at % 4;
  const typename W::Unit unit = load_weights(weight.units(row, k_padded) + at);
  const typename W::Scales scales = weight.scales_of(row, k_padded, step);
#pragma unroll
  for (int half = 0; half < 2; half++) {
    with(64 * step + CHUNK * half + 8 * t, W::dequantize(unit, scales, half, table));
  }
}

// out[row][i] = the bf16 weight of row and input.
template <class W>
static __device__ __forceinline__ void dequantize(const W &weight, bf16 *out, int num_rows,
                                                  int k_padded) {
  __shared__ typename W::Table table;
  let_next_kernel_start();
  table.fill();
  wait_for_previous_kernel();
  __syncthreads();
  const int num_units = k_padded / 16;
  const size_t end = static_cast<size_t>(num_rows) * num_units;
  for (size_t i = static_cast<size_t>(blockIdx.x) * NUM_THREADS + threadIdx.x; i < end;
       i += static_cast<size_t>(gridDim.x) * NUM_THREADS) {
    const size_t row = i / num_units;
    for_eights(weight, row, k_padded, i % num_units, table.of_lane(), [&](int at, uint4 eight) {
      *reinterpret_cast<uint4 *>(out + row * k_padded + at) = eight;
    });
  }
}

// x[row] = the bf16 weights of row ids[row]. One block a row.
template <class W>
static __device__ __forceinline__ void embedding(const W &weight, const uint32_t *ids, float *x,
                                                 int hidden, int k_padded) {
  __shared__ typename W::Table table;
  let_next_kernel_start();
  table.fill();
  wait_for_previous_kernel();
  __syncthreads();
  const size_t row = ids[blockIdx.x];
  float *const to = x + static_cast<size_t>(blockIdx.x) * hidden;
  for (int i = threadIdx.x; i < k_padded / 16; i += NUM_THREADS) {
    for_eights(weight, row, k_padded, i, table.of_lane(), [&](int at, uint4 eight) {
      const uint32_t pairs[4] = {eight.x, eight.y, eight.z, eight.w};
#pragma unroll
      for (int j = 0; j < 8; j++) {
        const float2 pair = unpack(pairs[j / 2]);
        if (at + j < hidden) {
          to[at + j] = j % 2 == 0 ? pair.x : pair.y;
        }
      }
    });
  }
}

#define GEMM_ROWS(FORM, W, SCALES, NT, NAME, MODE)                                                 \
  extern "C" __global__ void __launch_bounds__(NUM_THREADS, 2) gemm_##FORM##_rows_##NT##_##NAME(   \
      const uint8_t *codes, const SCALES *scales, const bf16 *x, void *out, int num_rows, int n,   \
      int k_padded, int out_stride) {                                                              \
    gemm_rows<W, NT, MODE>({codes, scales}, x, out, num_rows, n, k_padded, out_stride);            \
  }

#define GEMM_TILES(FORM, W, SCALES, NAME, MODE)                                                    \
  extern "C" __global__ void CLUSTER_OF(4) __launch_bounds__(NUM_THREADS, 2)                       \
      gemm_##FORM##_tiles_small_##NAME(const uint8_t *codes, const SCALES *scales, const bf16 *x,  \
                                       void *out, int num_rows, int n, int k_padded,               \
                                       int out_stride) {                                           \
    gemm_tiles<W, Small, MODE>({codes, scales}, x, out, num_rows, n, k_padded, out_stride);        \
  }

#define IN_MODE(FORM, W, SCALES, NAME, MODE)                                                       \
  GEMM_ROWS(FORM, W, SCALES, 1, NAME, MODE)                                                        \
  GEMM_ROWS(FORM, W, SCALES, 2, NAME, MODE)                                                        \
  GEMM_TILES(FORM, W, SCALES, NAME, MODE)

#define QUANTIZED(FORM, W, SCALES)                                                                 \
  IN_MODE(FORM, W, SCALES, store_bf16, STORE_BF16)                                                 \
  IN_MODE(FORM, W, SCALES, store_f32, STORE_F32)                                                   \
  IN_MODE(FORM, W, SCALES, add_f32, ADD_F32)                                                       \
  IN_MODE(FORM, W, SCALES, swiglu, SWIGLU)                                                         \
  extern "C" __global__ void __launch_bounds__(NUM_THREADS)                                        \
      dequantize_##FORM(const uint8_t *codes, const SCALES *scales, bf16 *out, int num_rows,       \
                        int k_padded) {                                                            \
    dequantize<W>({codes, scales}, out, num_rows, k_padded);                                       \
  }                                                                                                \
  extern "C" __global__ void __launch_bounds__(NUM_THREADS)                                        \
      embedding_##FORM(const uint8_t *codes, const SCALES *scales, const uint32_t *ids, float *x,  \
                       int hidden, int k_padded) {                                                 \
    embedding<W>({codes, scales}, ids, x, hidden, k_padded);                                       \
  }
