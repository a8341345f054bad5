// Weights that are made and not loaded, and rows that are taken from others.
//
//   kernel                grid               threads   dynamic shared memory
//   fill_random_weights   any                256       none
//   gather_rows           one a row of out   256       none
#include "common.cuh"

constexpr int NUM_THREADS = 256;

// The same number as `random_weight` in cpu/packed/random.rs.
static __device__ __forceinline__ float random_weight(uint32_t seed, uint64_t at) {
  uint32_t hash = seed ^ static_cast<uint32_t>(at);
  hash += static_cast<uint32_t>(at >> 32) * 0x9e3779b9u;
  hash ^= hash >> 16;
  hash *= 0x7feb352du;
  hash ^= hash >> 15;
  hash *= 0x846ca68bu;
  hash ^= hash >> 16;
  const uint32_t sum = (hash & 255) + (hash >> 8 & 255) + (hash >> 16 & 255) + (hash >> 24);
  return __fmul_rn(static_cast<float>(sum) - 510.0f, 0.02f / 147.8f);
}

// Rows of k numbers, each in the memory of k_padded: those of a matrix with rows of row_len numbers,
// from row first_row and column first_column on.
extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    fill_random_weights(bf16 *out, int num_rows, int k, int k_padded, uint32_t seed, int first_row,
                        int first_column, int row_len) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  for (int row = blockIdx.x; row < num_rows; row += gridDim.x) {
    for (int i = threadIdx.x; i < k; i += NUM_THREADS) {
      const uint64_t at = (static_cast<uint64_t>(first_row) + row) * row_len + first_column + i;
      out[static_cast<size_t>(row) * k_padded + i] = __float2bfloat16_rn(random_weight(seed, at));
    }
  }
}

// out[i] = x[rows[i]], rows of `width` numbers.
extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    gather_rows(const float *x, const uint32_t *rows, float *out, int width) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const float *from = x + static_cast<size_t>(rows[blockIdx.x]) * width;
  float *to = out + static_cast<size_t>(blockIdx.x) * width;
  for (int i = threadIdx.x; i < width; i += NUM_THREADS) {
    to[i] = from[i];
  }
}
