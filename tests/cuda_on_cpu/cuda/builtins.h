// What nvcc knows without an #include: keywords, vectors, where a thread stands, how threads meet,
// and arithmetic. Only what the kernels use.
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include <algorithm>

#include "../machine.h"

#define __global__
#define __device__
#define __constant__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
// What is local to a thread of this program is the shared memory of the block that it runs, and
// nothing else is: machine.cpp finds all of it in one place.
#define __shared__ thread_local

using std::max;
using std::min;

struct alignas(8) uint2 {
  uint32_t x, y;
};
struct alignas(16) uint4 {
  uint32_t x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};

static inline uint2 make_uint2(uint32_t x, uint32_t y) { return {x, y}; }
static inline uint4 make_uint4(uint32_t x, uint32_t y, uint32_t z, uint32_t w) {
  return {x, y, z, w};
}
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

using machine::blockDim;
using machine::blockIdx;
using machine::gridDim;
using machine::threadIdx;

static inline void __syncthreads() { machine::meet_in_block(); }

static inline void __syncwarp() { machine::meet_in_warp(nullptr, [](void *const *) {}); }

template <class T> struct Shuffle {
  T given, taken;
  int from;
};

// Every lane takes what lane `from` gives.
template <class T> static T take_from_lane(T value, int from) {
  Shuffle<T> own = {value, value, from};
  machine::meet_in_warp(&own, [](void *const *lanes) {
    for (int lane = 0; lane < 32; lane++) {
      Shuffle<T> &taker = *static_cast<Shuffle<T> *>(lanes[lane]);
      taker.taken = static_cast<const Shuffle<T> *>(lanes[taker.from])->given;
    }
  });
  return own.taken;
}

template <class T> static inline T __shfl_sync(unsigned, T value, int from) {
  return take_from_lane(value, from % 32);
}
template <class T> static inline T __shfl_xor_sync(unsigned, T value, int distance) {
  return take_from_lane(value, static_cast<int>(threadIdx.x % 32) ^ distance);
}
template <class T> static inline T __shfl_up_sync(unsigned, T value, int distance) {
  const int lane = threadIdx.x % 32;
  return take_from_lane(value, lane < distance ? lane : lane - distance);
}

// One bit a lane: whether what it gives holds.
static inline uint32_t __ballot_sync(unsigned, bool holds) {
  Shuffle<uint32_t> own = {holds, 0, 0};
  machine::meet_in_warp(&own, [](void *const *lanes) {
    uint32_t bits = 0;
    for (int lane = 0; lane < 32; lane++) {
      bits |= static_cast<Shuffle<uint32_t> *>(lanes[lane])->given << lane;
    }
    for (int lane = 0; lane < 32; lane++) {
      static_cast<Shuffle<uint32_t> *>(lanes[lane])->taken = bits;
    }
  });
  return own.taken;
}

// Threads change places only where they meet, so nothing comes between.
template <class T> static inline T atomicAdd(T *at, T number) {
  const T before = *at;
  *at += number;
  return before;
}
template <class T> static inline void atomicMin(T *at, T number) { *at = min(*at, number); }
template <class T> static inline void atomicMax(T *at, T number) { *at = max(*at, number); }

static inline int __ffs(uint32_t bits) { return __builtin_ffs(static_cast<int>(bits)); }
static inline int __clz(uint32_t bits) { return bits == 0 ? 32 : __builtin_clz(bits); }

static inline uint32_t __float_as_uint(float number) {
  uint32_t bits;
  __builtin_memcpy(&bits, &number, sizeof bits);
  return bits;
}
static inline float __uint_as_float(uint32_t bits) {
  float number;
  __builtin_memcpy(&number, &bits, sizeof number);
  return number;
}

static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __frcp_rn(float a) { return 1.0f / a; }
static inline float __fdividef(float a, float b) { return a / b; }
static inline float rsqrtf(float a) { return 1.0f / sqrtf(a); }
// The C library declares a function of this name for itself.
#define __expf expf
