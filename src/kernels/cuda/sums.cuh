// Sums over blocks of NUM_THREADS threads, in an order that depends on nothing but their number.
#pragma once

#include "common.cuh"

constexpr int NUM_THREADS = 256;
constexpr int NUM_WARPS = NUM_THREADS / 32;

// The block's sum, known to all of its threads.
static __device__ __forceinline__ float sum_of_block(float value) {
  __shared__ float sums[NUM_WARPS];
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    value += __shfl_xor_sync(~0u, value, distance);
  }
  if (threadIdx.x % 32 == 0) {
    sums[threadIdx.x / 32] = value;
  }
  __syncthreads();
  float sum = sums[0];
#pragma unroll
  for (int warp = 1; warp < NUM_WARPS; warp++) {
    sum += sums[warp];
  }
  return sum;
}
