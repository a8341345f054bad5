// What the matrix products share, so that all of them compute the same bits: how K is cut, how a
// chunk is multiplied, and what becomes of a total.
//
// out[r][o] = sum over k of weight[o][k] * x[r][k], both bf16 with rows of k_padded numbers, of
// which the padding is zero. K is cut into chunks of 32, and the chunks go to eight splits, each
// summed in order from zero. The total is the first split's sum, then plus the second's, and so on.
#pragma once

#include "common.cuh"

// What becomes of a total: stored, added to what is there, or, where weight holds the rows of the
// gate and below them as many of the up projection, combined with its partner.
enum Mode { STORE_BF16, STORE_F32, ADD_F32, SWIGLU };

constexpr int NUM_SPLITS = 8;
constexpr int CHUNK = 32;
constexpr int NUM_THREADS = 256;

// The first chunk of a split; a split ends where the next one begins.
static __device__ __forceinline__ int split_start(int split, int num_chunks) {
  return split * num_chunks / NUM_SPLITS;
}

// Half of a chunk's products for 16 outputs and 8 rows. Of lane l, with g = l / 4 and t = l % 4,
// `low` and `high` are numbers 8t .. 8t + 7 of the chunk of outputs g and g + 8, and `x` those of
// row g: 16 bytes that lie together, where the tensor core's own order would scatter them. Which k
// stands where in a product does not matter as long as both sides agree.
template <int HALF>
static __device__ __forceinline__ void multiply_half(float (&sum)[4], const uint4 &low,
                                                     const uint4 &high, const uint4 &x) {
  if (HALF == 0) {
    mma(sum, low.x, high.x, low.y, high.y, x.x, x.y);
  } else {
    mma(sum, low.z, high.z, low.w, high.w, x.z, x.w);
  }
}

// What is stored of a total; `up` is the partner's total with SWIGLU.
template <int MODE> static __device__ __forceinline__ float finish(float total, float up) {
  if (MODE == SWIGLU) {
    return total / (1.0f + __expf(-total)) * up;
  }
  return total;
}

static __device__ __forceinline__ float4 add(float4 a, float4 b) {
  return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

// Stores four neighbouring outputs of a row, those below n.
template <int MODE>
static __device__ __forceinline__ void store4(void *out, size_t row_start, int output, int n,
                                              bool is_aligned, float4 v) {
  const size_t at = row_start + output;
  if (is_aligned && output + 4 <= n) {
    if (MODE == STORE_BF16 || MODE == SWIGLU) {
      *reinterpret_cast<uint2 *>(static_cast<bf16 *>(out) + at) =
          make_uint2(pack(v.x, v.y), pack(v.z, v.w));
    } else {
      float4 *to = reinterpret_cast<float4 *>(static_cast<float *>(out) + at);
      *to = MODE == ADD_F32 ? add(*to, v) : v;
    }
    return;
  }
  const float values[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
  for (int i = 0; i < 4; i++) {
    if (output + i < n) {
      if (MODE == STORE_BF16 || MODE == SWIGLU) {
        static_cast<bf16 *>(out)[at + i] = __float2bfloat16_rn(values[i]);
      } else {
        float *to = static_cast<float *>(out) + at + i;
        *to = MODE == ADD_F32 ? *to + values[i] : values[i];
      }
    }
  }
}
