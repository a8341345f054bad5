// What the kernels share: number types, and the instructions of instructions.cuh.
//
// Everything here is for compute capability 8.0 and up. Nothing depends on what a launch's other
// rows hold: see ARCHITECTURE.md, "One recipe a row".
#pragma once

#include <cuda_bf16.h>
#include <stdint.h>

#include "instructions.cuh"

typedef __nv_bfloat16 bf16;

static __device__ __forceinline__ uint32_t pack(float low, float high) {
  __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<uint32_t *>(&pair);
}

static __device__ __forceinline__ float2 unpack(uint32_t pair) {
  return __bfloat1622float2(*reinterpret_cast<__nv_bfloat162 *>(&pair));
}
