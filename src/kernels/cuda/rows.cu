// What is done to rows one by one: embedding, RMSNorm, SwiGLU, and what sampling needs of a row of
// logits.
//
// Sums are taken in an order that depends on a row's length alone.
#include <math_constants.h>

#include "summary.cuh"
#include "sums.cuh"

// Four neighbouring numbers of a row of `len`, zeros past its end. QUADS says that the row is whole
// quads and lies so that each can be read at once.
template <bool QUADS>
static __device__ __forceinline__ float4 load4(const float *row, int i, int len) {
  if constexpr (QUADS) {
    return i < len ? *reinterpret_cast<const float4 *>(row + i)
                   : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  } else {
    return make_float4(i < len ? row[i] : 0.0f, i + 1 < len ? row[i + 1] : 0.0f,
                       i + 2 < len ? row[i + 2] : 0.0f, i + 3 < len ? row[i + 3] : 0.0f);
  }
}

// Stores those of four neighbouring numbers that are within a row of `len`.
template <bool QUADS>
static __device__ __forceinline__ void store4(bf16 *row, int i, int len, float4 v) {
  if constexpr (QUADS) {
    if (i < len) {
      *reinterpret_cast<uint2 *>(row + i) = make_uint2(pack(v.x, v.y), pack(v.z, v.w));
    }
  } else {
    const float values[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int j = 0; j < 4; j++) {
      if (i + j < len) {
        row[i + j] = __float2bfloat16_rn(values[j]);
      }
    }
  }
}

// x[row] = table[ids[row]]. One block a row.
extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    embedding(const bf16 *table, const uint32_t *ids, float *x, int hidden, int k_padded) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const uint32_t *from = reinterpret_cast<const uint32_t *>(
      table + static_cast<size_t>(ids[blockIdx.x]) * k_padded);
  float *to = x + static_cast<size_t>(blockIdx.x) * hidden;
  for (int i = threadIdx.x; i < hidden / 2; i += NUM_THREADS) {
    const float2 pair = unpack(from[i]);
    if (hidden % 2 == 0) {
      *reinterpret_cast<float2 *>(to + 2 * i) = pair;
    } else {
      to[2 * i] = pair.x;
      to[2 * i + 1] = pair.y;
    }
  }
  if (hidden % 2 != 0 && threadIdx.x == 0) {
    to[hidden - 1] = unpack(from[hidden / 2]).x;
  }
}

static __device__ __forceinline__ float add_squares(float4 v, float sum) {
  return fmaf(v.w, v.w, fmaf(v.z, v.z, fmaf(v.y, v.y, fmaf(v.x, v.x, sum))));
}

// out = x / rms(x) * weight, by one block. The weights, and then the row, stay in registers if they
// fit.
template <bool QUADS>
static __device__ __forceinline__ void rms_norm_row(const float *x, const float *weight, bf16 *out,
                                                    int hidden, int k_padded, float eps) {
  constexpr int NUM_HELD = 4;
  constexpr int STEP = 4 * NUM_THREADS;
  let_next_kernel_start();
  const int first = 4 * threadIdx.x;
  float4 weights[NUM_HELD], held[NUM_HELD];
#pragma unroll
  for (int i = 0; i < NUM_HELD; i++) {
    weights[i] = load4<QUADS>(weight, first + i * STEP, hidden);
  }
  wait_for_previous_kernel();
  const float *row = x + static_cast<size_t>(blockIdx.x) * hidden;
  bf16 *to = out + static_cast<size_t>(blockIdx.x) * k_padded;
#pragma unroll
  for (int i = 0; i < NUM_HELD; i++) {
    held[i] = load4<QUADS>(row, first + i * STEP, hidden);
  }
  float sum = 0.0f;
#pragma unroll
  for (int i = 0; i < NUM_HELD; i++) {
    sum = add_squares(held[i], sum);
  }
  for (int i = first + NUM_HELD * STEP; i < hidden; i += STEP) {
    sum = add_squares(load4<QUADS>(row, i, hidden), sum);
  }
  const float scale = rsqrtf(sum_of_block(sum) / static_cast<float>(hidden) + eps);
  auto normed = [&](float4 v, float4 w) {
    return make_float4(v.x * scale * w.x, v.y * scale * w.y, v.z * scale * w.z, v.w * scale * w.w);
  };
#pragma unroll
  for (int i = 0; i < NUM_HELD; i++) {
    store4<QUADS>(to, first + i * STEP, hidden, normed(held[i], weights[i]));
  }
  for (int i = first + NUM_HELD * STEP; i < hidden; i += STEP) {
    const float4 v = load4<QUADS>(row, i, hidden), w = load4<QUADS>(weight, i, hidden);
    store4<QUADS>(to, i, hidden, normed(v, w));
  }
}

// One block a row.
extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    rms_norm(const float *x, const float *weight, bf16 *out, int hidden, int k_padded, float eps) {
  if (hidden % 4 == 0) {
    rms_norm_row<true>(x, weight, out, hidden, k_padded, eps);
  } else {
    rms_norm_row<false>(x, weight, out, hidden, k_padded, eps);
  }
}

// out = silu(gate) * up, where a row of gate_up holds ffn numbers of each. Blocks: rows, and in y
// as many as it takes to cover ffn with four numbers a thread, or fewer.
extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    swiglu(const bf16 *gate_up, bf16 *out, int ffn, int in_stride, int out_stride) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const bf16 *gates = gate_up + static_cast<size_t>(blockIdx.x) * in_stride;
  const bf16 *ups = gates + ffn;
  bf16 *to = out + static_cast<size_t>(blockIdx.x) * out_stride;
  const bool is_aligned = ffn % 4 == 0 && in_stride % 4 == 0 && out_stride % 4 == 0;
  auto product = [](float gate, float up) { return gate / (1.0f + __expf(-gate)) * up; };
  const int step = 4 * NUM_THREADS * gridDim.y;
  for (int i = 4 * (blockIdx.y * NUM_THREADS + threadIdx.x); i < ffn; i += step) {
    if (is_aligned) {
      const uint2 gate = *reinterpret_cast<const uint2 *>(gates + i);
      const uint2 up = *reinterpret_cast<const uint2 *>(ups + i);
      const float2 g0 = unpack(gate.x), g1 = unpack(gate.y), u0 = unpack(up.x), u1 = unpack(up.y);
      store4<true>(to, i, ffn,
                   make_float4(product(g0.x, u0.x), product(g0.y, u0.y), product(g1.x, u1.x),
                               product(g1.y, u1.y)));
    } else {
      for (int j = i; j < min(i + 4, ffn); j++) {
        to[j] =
            __float2bfloat16_rn(product(__bfloat162float(gates[j]), __bfloat162float(ups[j])));
      }
    }
  }
}

// A row of logits is summarised by parts of this many, so that the order of its sum depends on its
// length alone.
constexpr int PART = 8192;
constexpr uint32_t NONE = ~0u;

// The largest number seen and where it was first; NONE while all were NaN, which is never larger.
struct Largest {
  float max;
  uint32_t index;
};

static __device__ __forceinline__ Largest larger(Largest a, Largest b) {
  return b.max > a.max || (b.max == a.max && b.index < a.index) ? b : a;
}

static __device__ __forceinline__ Largest largest_of_warp(Largest largest) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    const Largest other = {__shfl_xor_sync(~0u, largest.max, distance),
                           __shfl_xor_sync(~0u, largest.index, distance)};
    largest = larger(largest, other);
  }
  return largest;
}

template <bool QUADS>
static __device__ __forceinline__ void summarize_part(const float *logits, int vocab, int stride,
                                                      Summary *partials) {
  __shared__ Largest of_warps[NUM_WARPS];
  constexpr int NUM_HELD = PART / 4 / NUM_THREADS;
  let_next_kernel_start();
  wait_for_previous_kernel();
  const float *row = logits + static_cast<size_t>(blockIdx.y) * stride;
  const int first = blockIdx.x * PART + 4 * threadIdx.x;
  float held[NUM_HELD][4];
#pragma unroll
  for (int i = 0; i < NUM_HELD; i++) {
    const float4 v = load4<QUADS>(row, first + i * 4 * NUM_THREADS, vocab);
    held[i][0] = v.x;
    held[i][1] = v.y;
    held[i][2] = v.z;
    held[i][3] = v.w;
  }
  Largest largest = {-CUDART_INF_F, NONE};
#pragma unroll
  for (int i = 0; i < NUM_HELD; i++) {
#pragma unroll
    for (int j = 0; j < 4; j++) {
      const int index = first + i * 4 * NUM_THREADS + j;
      if (index < vocab) {
        largest = larger(largest, {held[i][j], static_cast<uint32_t>(index)});
      } else {
        held[i][j] = -CUDART_INF_F;
      }
    }
  }
  largest = largest_of_warp(largest);
  if (threadIdx.x % 32 == 0) {
    of_warps[threadIdx.x / 32] = largest;
  }
  __syncthreads();
  largest = of_warps[0];
#pragma unroll
  for (int warp = 1; warp < NUM_WARPS; warp++) {
    largest = larger(largest, of_warps[warp]);
  }
  // A part of nothing but -inf adds nothing; e^(-inf - -inf) would be NaN.
  const float shift = largest.max == -CUDART_INF_F ? 0.0f : largest.max;
  float sum = 0.0f;
#pragma unroll
  for (int i = 0; i < NUM_HELD; i++) {
#pragma unroll
    for (int j = 0; j < 4; j++) {
      sum += expf(held[i][j] - shift);
    }
  }
  sum = sum_of_block(sum);
  if (threadIdx.x == 0) {
    partials[static_cast<size_t>(blockIdx.y) * gridDim.x + blockIdx.x] = {largest.index,
                                                                          largest.max, sum, 0};
  }
}

// Blocks: parts of a row, rows. The sum is NaN where the part holds a NaN or +inf.
extern "C" __global__ void __launch_bounds__(NUM_THREADS)
    summarize(const float *logits, int vocab, int stride, Summary *partials) {
  if (vocab % 4 == 0 && stride % 4 == 0) {
    summarize_part<true>(logits, vocab, stride, partials);
  } else {
    summarize_part<false>(logits, vocab, stride, partials);
  }
}

// One block of a warp a row, of which there are num_parts records. A row of nothing but NaN has its
// largest logit at 0; the log of a sum is NaN where the row holds a NaN or +inf or only -inf.
extern "C" __global__ void __launch_bounds__(32)
    summarize_finish(const Summary *partials, int num_parts, Summary *out) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const Summary *parts = partials + static_cast<size_t>(blockIdx.x) * num_parts;
  Largest largest = {-CUDART_INF_F, NONE};
  for (int i = threadIdx.x; i < num_parts; i += 32) {
    largest = larger(largest, {parts[i].max, parts[i].index});
  }
  largest = largest_of_warp(largest);
  float sum = 0.0f;
  for (int i = threadIdx.x; i < num_parts; i += 32) {
    sum = fmaf(parts[i].sum, expf(parts[i].max - largest.max), sum);
  }
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    sum += __shfl_xor_sync(~0u, sum, distance);
  }
  if (threadIdx.x == 0) {
    out[blockIdx.x] = {largest.index == NONE ? 0 : largest.index, largest.max,
                       largest.max + logf(sum), 0};
  }
}
