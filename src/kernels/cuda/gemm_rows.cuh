// The matrix product for a few rows: decoding, where reading the weights takes all the time.
//
// A warp takes one split of K for all of its block's outputs. It reads weights from memory straight
// into the registers from which the tensor core takes them, several chunks ahead, and starts with
// that before the previous kernel has ended. Launch: 256 threads, one block for 16 outputs, or for
// 32 with 16 rows and no SwiGLU.
#pragma once

#include "gemm_weights.cuh"

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
template <class W, int NT, int MODE>
static __device__ __forceinline__ void gemm_rows(const W &weight, const bf16 *x, void *out,
                                                 int num_rows, int n, int k_padded,
                                                 int out_stride) {
  // Tiles of 16 weight rows. With more rows a block needs more outputs, or it would read more of x
  // than of the weights.
  constexpr int MT = NT > 1 || MODE == SWIGLU ? 2 : 1;
  constexpr int NUM_OUTPUTS = MODE == SWIGLU ? 16 : 16 * MT;
  // How many units of weights are on their way, and chunks of x, which comes from a cache.
  constexpr int CHUNKS = W::CHUNKS;
  constexpr int AHEAD = (MT == 1 ? 8 : 4) / CHUNKS;
  constexpr int X_AHEAD = AHEAD * CHUNKS / 2;
  // Of these steps from row to row, four lanes that differ in t fall into different banks.
  constexpr int PITCH = 20;
  __shared__ float sums[NUM_SPLITS][MT][8 * NT][PITCH];
  __shared__ typename W::Table table;

  let_next_kernel_start();
  const int lane = threadIdx.x % 32, split = threadIdx.x / 32;
  const int g = lane / 4, t = lane % 4;
  const int num_chunks = k_padded / CHUNK;
  const int begin = split_start(split, num_chunks), end = split_start(split + 1, num_chunks);
  const int first_output = blockIdx.x * NUM_OUTPUTS;

  // The split's units; of the first and the last it may have one chunk alone.
  const int first_unit = begin / CHUNKS;
  int num_left = (end + CHUNKS - 1) / CHUNKS - first_unit;

  // Where this lane reads next; a chunk of x is four times 16 bytes of a row.
  const typename W::Unit *weights[MT][2];
  size_t weight_rows[MT][2];
  const uint4 *rows[NT];
#pragma unroll
  for (int m = 0; m < MT; m++) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int output = first_output + (MODE == SWIGLU ? 0 : 16 * m) + 8 * half + g;
      weight_rows[m][half] = min(output, n - 1) + (MODE == SWIGLU ? m * n : 0);
      weights[m][half] = weight.units(weight_rows[m][half], k_padded) + 4 * first_unit + t;
    }
  }
#pragma unroll
  for (int i = 0; i < NT; i++) {
    const size_t row = min(8 * i + g, num_rows - 1);
    rows[i] = reinterpret_cast<const uint4 *>(x + row * k_padded) + 4 * CHUNKS * first_unit + t;
  }

  typename W::Unit w[AHEAD][MT][2] = {};
  typename W::Scales scales[AHEAD][MT][2] = {};
  uint4 xs[X_AHEAD][NT] = {};
  // Units of the row that are behind the pointers.
  int unit = first_unit;
  auto fetch_weights = [&](int slot, int ahead) {
#pragma unroll
    for (int m = 0; m < MT; m++) {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        w[slot][m][half] = load_weights(weights[m][half] + 4 * ahead);
        scales[slot][m][half] = weight.scales_of(weight_rows[m][half], k_padded, unit + ahead);
      }
    }
  };
  auto fetch_rows = [&](int slot, int chunk) {
#pragma unroll
    for (int i = 0; i < NT; i++) {
      xs[slot][i] = load_row(rows[i] + 4 * chunk);
    }
  };

#pragma unroll
  for (int u = 0; u < AHEAD; u++) {
    if (u < num_left) {
      fetch_weights(u, u);
    }
  }
  table.fill();
  wait_for_previous_kernel();
#pragma unroll
  for (int c = 0; c < X_AHEAD; c++) {
    if (c < num_left * CHUNKS) {
      fetch_rows(c, c);
    }
  }
  if (sizeof(typename W::Table) > 1) {
    __syncthreads();  // The table is whole.
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
        for (int half = 0; half < CHUNKS; half++) {
          const int ahead = u * CHUNKS + half, slot = ahead % X_AHEAD;
          const int chunk = unit * CHUNKS + ahead;
          if (CHUNKS == 1 || (chunk >= begin && chunk < end)) {
            uint4 of_chunk[MT][2];
#pragma unroll
            for (int i = 0; i < 2 * MT; i++) {
              of_chunk[i / 2][i % 2] = W::dequantize(w[u][i / 2][i % 2], scales[u][i / 2][i % 2],
                                                     half, table.of_lane());
            }
#pragma unroll
            for (int m = 0; m < MT; m++) {
#pragma unroll
              for (int i = 0; i < NT; i++) {
                multiply_half<0>(sum[m][i], of_chunk[m][0], of_chunk[m][1], xs[slot][i]);
              }
            }
#pragma unroll
            for (int m = 0; m < MT; m++) {
#pragma unroll
              for (int i = 0; i < NT; i++) {
                multiply_half<1>(sum[m][i], of_chunk[m][0], of_chunk[m][1], xs[slot][i]);
              }
            }
          }
          if (half == CHUNKS - 1 && u + AHEAD < num_left) {
            fetch_weights(u, u + AHEAD);
          }
          if (ahead + X_AHEAD < num_left * CHUNKS) {
            fetch_rows(slot, ahead + X_AHEAD);
          }
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
      rows[i] += 4 * AHEAD * CHUNKS;
    }
    unit += AHEAD;
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
