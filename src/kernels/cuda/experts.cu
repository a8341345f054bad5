// Mixtures of experts: which experts a token goes through, and the rows of all experts in groups, so
// that one product computes all of them. Nothing is decided on the host, and every number has its
// place whatever else a step holds.
//
// A token has `num_used` places, in the order of its experts' numbers. All places together are
// ordered by expert and then by token; that order is what grouped products (gemm_experts.cuh) see.
//
//   kernel            grid                              threads
//   linear_f32        outputs / 8, rows / 8             256
//   route             rows / 8                          256
//   group_by_expert   experts                           256
//   gather_inputs     places                            256
//   add_experts       rows, parts of a row              256
//   gates             rows / 256                        256
#include "sums.cuh"

constexpr int MAX_EXPERTS = 512;
constexpr int EXPERTS_A_LANE = MAX_EXPERTS / 32;
constexpr uint32_t NONE = ~0u;

template <bool QUADS>
static __device__ __forceinline__ float4 load_quad(const float *row, int i, int len) {
  if constexpr (QUADS) {
    return *reinterpret_cast<const float4 *>(row + i);
  } else {
    return make_float4(row[i], i + 1 < len ? row[i + 1] : 0.0f, i + 2 < len ? row[i + 2] : 0.0f,
                       i + 3 < len ? row[i + 3] : 0.0f);
  }
}

// A warp computes one output of eight rows, its lanes a quad of inputs each at a time.
template <bool QUADS>
static __device__ __forceinline__ void linear_f32(const float *weight, const float *x, float *out,
                                                  int num_rows, int n, int k) {
  constexpr int ROWS = 8;
  const int lane = threadIdx.x % 32, output = blockIdx.x * NUM_WARPS + threadIdx.x / 32;
  const int first_row = blockIdx.y * ROWS;
  if (output >= n) return;
  const float *const of_output = weight + static_cast<size_t>(output) * k;
  float sums[ROWS] = {};
  for (int i = 4 * lane; i < k; i += 128) {
    const float4 w = load_quad<QUADS>(of_output, i, k);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      const size_t row = min(first_row + r, num_rows - 1);
      const float4 v = load_quad<QUADS>(x + row * k, i, k);
      sums[r] = fmaf(w.w, v.w, fmaf(w.z, v.z, fmaf(w.y, v.y, fmaf(w.x, v.x, sums[r]))));
    }
  }
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) {
      sums[r] += __shfl_xor_sync(~0u, sums[r], distance);
    }
    if (lane == r && first_row + r < num_rows) {
      out[static_cast<size_t>(first_row + r) * n + output] = sums[r];
    }
  }
}

// out[row][o] = the sum of weight[o][i] * x[row][i], all in f32, for what decides on experts.
extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    linear_f32(const float *weight, const float *x, float *out, int num_rows, int n, int k) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  if (k % 4 == 0) {
    linear_f32<true>(weight, x, out, num_rows, n, k);
  } else {
    linear_f32<false>(weight, x, out, num_rows, n, k);
  }
}

// Numbers in the order in which f32 is ordered as a whole: -NaN, -inf, ..., inf, NaN.
static __device__ __forceinline__ uint32_t order_of(float x) {
  const uint32_t bits = *reinterpret_cast<uint32_t *>(&x);
  return bits >> 31 == 0 ? bits | 0x80000000u : ~bits;
}

// The experts of each row, those with the largest logits, the first of equals, by their numbers, and
// their probabilities: among those used where `of_used` is set, else among all. A warp a row.
extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    route(const float *logits, uint32_t *experts, float *weights, int num_rows, int num_experts,
          int num_used, int of_used) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const int lane = threadIdx.x % 32, row = blockIdx.x * NUM_WARPS + threadIdx.x / 32;
  if (row >= num_rows) return;
  const float *const of_row = logits + static_cast<size_t>(row) * num_experts;
  float held[EXPERTS_A_LANE];
#pragma unroll
  for (int i = 0; i < EXPERTS_A_LANE; i++) {
    held[i] = lane + 32 * i < num_experts ? of_row[lane + 32 * i] : 0.0f;
  }
  // Which of its experts a lane has given; and, of the choice with its number, expert and logit.
  uint32_t given = 0, chosen = NONE;
  float logit = 0.0f;
  for (int choice = 0; choice < num_used; choice++) {
    uint32_t best = NONE, order = 0;
#pragma unroll
    for (int i = 0; i < EXPERTS_A_LANE; i++) {
      const bool is_free = lane + 32 * i < num_experts && (given >> i & 1) == 0;
      if (is_free && (best == NONE || order_of(held[i]) > order)) {
        best = lane + 32 * i, order = order_of(held[i]);
      }
    }
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) {
      const uint32_t other = __shfl_xor_sync(~0u, best, distance);
      const uint32_t other_order = __shfl_xor_sync(~0u, order, distance);
      if (other_order > order || (other_order == order && other < best)) {
        best = other, order = other_order;
      }
    }
    given |= best % 32 == lane ? 1u << best / 32 : 0;
    if (lane == choice) {
      chosen = best, logit = of_row[best];
    }
  }
  const float max = __shfl_sync(~0u, logit, 0);
  float weight = lane < num_used ? expf(logit - max) : 0.0f;
  float sum = 0.0f;
  if (of_used) {
    for (int choice = 0; choice < num_used; choice++) {
      sum += __shfl_sync(~0u, weight, choice);
    }
  } else {
#pragma unroll
    for (int i = 0; i < EXPERTS_A_LANE; i++) {
      sum += lane + 32 * i < num_experts ? expf(held[i] - max) : 0.0f;
    }
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) {
      sum += __shfl_xor_sync(~0u, sum, distance);
    }
  }
  int rank = 0;
  for (int choice = 0; choice < num_used; choice++) {
    rank += __shfl_sync(~0u, chosen, choice) < chosen;
  }
  if (lane < num_used) {
    const size_t at = static_cast<size_t>(row) * num_used + rank;
    experts[at] = chosen;
    weights[at] = weight / sum;
  }
}

// The sum of the values of the threads before this one, and of all.
struct Scan {
  uint32_t before, all;
};

static __device__ __forceinline__ Scan scan_block(uint32_t value) {
  __shared__ uint32_t sums[NUM_WARPS];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  uint32_t sum = value;
#pragma unroll
  for (int distance = 1; distance < 32; distance *= 2) {
    const uint32_t other = __shfl_up_sync(~0u, sum, distance);
    sum += lane >= distance ? other : 0;
  }
  if (lane == 31) {
    sums[warp] = sum;
  }
  __syncthreads();
  Scan scan = {sum - value, 0};
#pragma unroll
  for (int i = 0; i < NUM_WARPS; i++) {
    scan.before += i < warp ? sums[i] : 0;
    scan.all += sums[i];
  }
  __syncthreads();  // Before the next scan writes.
  return scan;
}

// Orders all places by expert. Of each place its expert is given; where it comes is written, and for
// each that is ordered the row of its token and its expert. A block does this for one expert, and
// writes its tiles [expert, first place, places, 0] of `tile_rows` places each; the last block fills
// the list up to `num_tiles` with tiles of nothing.
extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    group_by_expert(const uint32_t *experts, uint4 *tiles, uint32_t *order, uint32_t *rows,
                    uint32_t *expert_of, int num_places, int num_used, int num_experts,
                    int tile_rows, int num_tiles) {
  __shared__ uint32_t counts[MAX_EXPERTS];
  const uint32_t own = blockIdx.x;
  let_next_kernel_start();
  for (int i = threadIdx.x; i < num_experts; i += NUM_THREADS) {
    counts[i] = 0;
  }
  wait_for_previous_kernel();
  __syncthreads();
  const int part = (num_places + NUM_THREADS - 1) / NUM_THREADS;
  const int first = min(static_cast<int>(threadIdx.x) * part, num_places);
  const int end = min(first + part, num_places);
  uint32_t num_found = 0;
  for (int i = first; i < end; i++) {
    atomicAdd(&counts[experts[i]], 1u);
    num_found += experts[i] == own;
  }
  __syncthreads();
  auto tiles_of = [&](uint32_t places) { return (places + tile_rows - 1) / tile_rows; };
  uint32_t places_before = 0, tiles_before = 0;
  for (uint32_t i = threadIdx.x; i < own; i += NUM_THREADS) {
    places_before += counts[i];
    tiles_before += tiles_of(counts[i]);
  }
  places_before = scan_block(places_before).all;
  tiles_before = scan_block(tiles_before).all;
  uint32_t place = places_before + scan_block(num_found).before;
  for (int i = first; i < end; i++) {
    if (experts[i] == own) {
      order[i] = place;
      rows[place] = i / num_used;
      expert_of[place] = own;
      place += 1;
    }
  }
  const uint32_t count = counts[own];
  for (uint32_t i = threadIdx.x; i < tiles_of(count); i += NUM_THREADS) {
    const uint32_t from = i * tile_rows;
    const uint32_t places = min(count - from, static_cast<uint32_t>(tile_rows));
    tiles[tiles_before + i] = make_uint4(own, places_before + from, places, 0);
  }
  if (own == num_experts - 1) {
    const uint32_t used = tiles_before + tiles_of(count);
    for (uint32_t i = used + threadIdx.x; i < num_tiles; i += NUM_THREADS) {
      tiles[i] = make_uint4(0, 0, 0, 0);
    }
  }
}

// out[i] = x[rows[i]] as bf16, or x[i] without rows; what is behind k numbers stays as it is.
extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    gather_inputs(const float *x, const uint32_t *rows, bf16 *out, int k, int k_padded) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const size_t row = rows == nullptr ? blockIdx.x : rows[blockIdx.x];
  const float *const from = x + row * k;
  bf16 *const to = out + static_cast<size_t>(blockIdx.x) * k_padded;
  if (k % 4 == 0) {
    for (int i = 4 * threadIdx.x; i < k; i += 4 * NUM_THREADS) {
      const float4 v = *reinterpret_cast<const float4 *>(from + i);
      *reinterpret_cast<uint2 *>(to + i) = make_uint2(pack(v.x, v.y), pack(v.z, v.w));
    }
  } else {
    for (int i = threadIdx.x; i < k; i += NUM_THREADS) {
      to[i] = __float2bfloat16_rn(from[i]);
    }
  }
}

// x[row] += weights[row][j] * y[order[row][j]] for each j in turn; without an order y[row], of one.
extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    add_experts(float *x, const float *y, const uint32_t *order, const float *weights, int width,
                int num_used) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const size_t row = blockIdx.x;
  const int step = NUM_THREADS * gridDim.y;
  for (int i = blockIdx.y * NUM_THREADS + threadIdx.x; i < width; i += step) {
    float sum = x[row * width + i];
    for (int j = 0; j < num_used; j++) {
      const size_t place = order == nullptr ? row : order[row * num_used + j];
      sum = fmaf(weights[row * num_used + j], y[place * width + i], sum);
    }
    x[row * width + i] = sum;
  }
}

// x = sigmoid(x), of so many numbers.
extern "C" __global__ void __launch_bounds__(NUM_THREADS) gates(float *x, int count) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const int i = blockIdx.x * NUM_THREADS + threadIdx.x;
  if (i < count) {
    x[i] = 1.0f / (1.0f + expf(-x[i]));
  }
}
