// The matrix product for a few rows: decoding, where reading the weights takes all the time.
//
// A warp takes one split of K for all of its block's outputs. It reads weights from memory straight
// into the registers from which the tensor core takes them, several chunks ahead, and starts with
// that before the previous kernel has ended. Launch: 256 threads, one block for 16 outputs, or for
// 32 with 16 rows and no SwiGLU.
#include "gemm.cuh"

template <int MODE>
static __device__ __forceinline__ void store(void *out, size_t at, float value, float before) {
  if (MODE == STORE_F32) {
    static_cast<float *>(out)[at] = value;
  } else if (MODE == ADD_F32) {
    static_cast<float *>(out)[at] = before + value;
  } else {
    static_cast<bf16 *>(out)[at] = __float2bfloat16_rn(value);
  }
}

// NT tiles of 8 rows. Outputs past n and rows past num_rows are computed from the last ones, which
// costs no memory traffic, and not stored.
template <int NT, int MODE>
static __device__ __forceinline__ void gemm_rows(const bf16 *weight, const bf16 *x, void *out,
                                                 int num_rows, int n, int k_padded,
                                                 int out_stride) {
  // Tiles of 16 weight rows. With more rows a block needs more outputs, or it would read more of x
  // than of the weights.
  constexpr int MT = NT > 1 || MODE == SWIGLU ? 2 : 1;
  constexpr int NUM_OUTPUTS = MODE == SWIGLU ? 16 : 16 * MT;
  // How many chunks of weights are on their way; x comes from a cache.
  constexpr int AHEAD = MT == 1 ? 8 : 4;
  constexpr int X_AHEAD = AHEAD / 2;
  // Of these steps from row to row, four lanes that differ in t fall into different banks.
  constexpr int PITCH = 20;
  __shared__ float sums[NUM_SPLITS][MT][8 * NT][PITCH];

  let_next_kernel_start();
  const int lane = threadIdx.x % 32, split = threadIdx.x / 32;
  const int g = lane / 4, t = lane % 4;
  const int num_chunks = k_padded / CHUNK;
  const int begin = split_start(split, num_chunks), end = split_start(split + 1, num_chunks);
  const int first_output = blockIdx.x * NUM_OUTPUTS;

  // Where this lane reads next; a chunk is four times 16 bytes of a row.
  const uint4 *weights[MT][2], *rows[NT];
#pragma unroll
  for (int m = 0; m < MT; m++) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int output = first_output + (MODE == SWIGLU ? 0 : 16 * m) + 8 * half + g;
      const size_t row = min(output, n - 1) + (MODE == SWIGLU ? m * n : 0);
      weights[m][half] = reinterpret_cast<const uint4 *>(weight + row * k_padded) + 4 * begin + t;
    }
  }
#pragma unroll
  for (int i = 0; i < NT; i++) {
    const size_t row = min(8 * i + g, num_rows - 1);
    rows[i] = reinterpret_cast<const uint4 *>(x + row * k_padded) + 4 * begin + t;
  }

  uint4 w[AHEAD][MT][2] = {}, xs[X_AHEAD][NT] = {};
  auto fetch_weights = [&](int slot, int chunk) {
#pragma unroll
    for (int m = 0; m < MT; m++) {
      w[slot][m][0] = load_weights(weights[m][0] + 4 * chunk);
      w[slot][m][1] = load_weights(weights[m][1] + 4 * chunk);
    }
  };
  auto fetch_rows = [&](int slot, int chunk) {
#pragma unroll
    for (int i = 0; i < NT; i++) {
      xs[slot][i] = load_row(rows[i] + 4 * chunk);
    }
  };

  int num_left = end - begin;
#pragma unroll
  for (int u = 0; u < AHEAD; u++) {
    if (u < num_left) {
      fetch_weights(u, u);
    }
  }
  wait_for_previous_kernel();
#pragma unroll
  for (int u = 0; u < X_AHEAD; u++) {
    if (u < num_left) {
      fetch_rows(u, u);
    }
  }

  // Which results this thread will store, and what is there before: fetched now, used at the end.
  constexpr int NUM_RESULTS = NUM_OUTPUTS * 8 * NT;
  constexpr int PER_THREAD = (NUM_RESULTS + NUM_THREADS - 1) / NUM_THREADS;
  auto row_of = [&](int i) { return i / 16 % (8 * NT); };
  auto output_of = [&](int i) { return first_output + i / (128 * NT) * 16 + i % 16; };
  auto is_wanted = [&](int i) {
    return i < NUM_RESULTS && row_of(i) < num_rows && output_of(i) < n;
  };
  float before[PER_THREAD] = {};
#pragma unroll
  for (int j = 0; j < PER_THREAD; j++) {
    const int i = threadIdx.x + j * NUM_THREADS;
    if (MODE == ADD_F32 && is_wanted(i)) {
      before[j] = static_cast<const float *>(out)[(size_t)row_of(i) * out_stride + output_of(i)];
    }
  }

  float sum[MT][NT][4] = {};
  for (; num_left > 0; num_left -= AHEAD) {
#pragma unroll
    for (int u = 0; u < AHEAD; u++) {
      if (u < num_left) {
#pragma unroll
        for (int m = 0; m < MT; m++) {
#pragma unroll
          for (int i = 0; i < NT; i++) {
            multiply_half<0>(sum[m][i], w[u][m][0], w[u][m][1], xs[u % X_AHEAD][i]);
          }
        }
#pragma unroll
        for (int m = 0; m < MT; m++) {
#pragma unroll
          for (int i = 0; i < NT; i++) {
            multiply_half<1>(sum[m][i], w[u][m][0], w[u][m][1], xs[u % X_AHEAD][i]);
          }
        }
        if (u + AHEAD < num_left) {
          fetch_weights(u, u + AHEAD);
        }
        if (u + X_AHEAD < num_left) {
          fetch_rows(u % X_AHEAD, u + X_AHEAD);
        }
      }
    }
#pragma unroll
    for (int m = 0; m < MT; m++) {
      weights[m][0] += 4 * AHEAD;
      weights[m][1] += 4 * AHEAD;
    }
#pragma unroll
    for (int i = 0; i < NT; i++) {
      rows[i] += 4 * AHEAD;
    }
  }

#pragma unroll
  for (int m = 0; m < MT; m++) {
#pragma unroll
    for (int i = 0; i < NT; i++) {
#pragma unroll
      for (int j = 0; j < 4; j++) {
        sums[split][m][8 * i + 2 * t + j % 2][g + j / 2 * 8] = sum[m][i][j];
      }
    }
  }
  __syncthreads();

  auto total = [&](int m, int row, int output) {
    float total = sums[0][m][row][output];
#pragma unroll
    for (int s = 1; s < NUM_SPLITS; s++) {
      total += sums[s][m][row][output];
    }
    return total;
  };
#pragma unroll
  for (int j = 0; j < PER_THREAD; j++) {
    const int i = threadIdx.x + j * NUM_THREADS;
    if (is_wanted(i)) {
      const int row = row_of(i), m = i / (128 * NT);
      const float up = MODE == SWIGLU ? total(MT - 1, row, i % 16) : 0.0f;
      const float value = finish<MODE>(total(m, row, i % 16), up);
      store<MODE>(out, (size_t)row * out_stride + output_of(i), value, before[j]);
    }
  }
}

#define GEMM_ROWS(NT, NAME, MODE)                                                                  \
  extern "C" __global__ void __launch_bounds__(NUM_THREADS, 2) gemm_rows_##NT##_##NAME(            \
      const bf16 *weight, const bf16 *x, void *out, int num_rows, int n, int k_padded,             \
      int out_stride) {                                                                            \
    gemm_rows<NT, MODE>(weight, x, out, num_rows, n, k_padded, out_stride);                        \
  }

GEMM_ROWS(1, store_bf16, STORE_BF16)
GEMM_ROWS(1, store_f32, STORE_F32)
GEMM_ROWS(1, add_f32, ADD_F32)
GEMM_ROWS(1, swiglu, SWIGLU)
GEMM_ROWS(2, store_bf16, STORE_BF16)
GEMM_ROWS(2, store_f32, STORE_F32)
GEMM_ROWS(2, add_f32, ADD_F32)
GEMM_ROWS(2, swiglu, SWIGLU)
