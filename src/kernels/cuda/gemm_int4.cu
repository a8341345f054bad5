// Products with weights of 4 bits.
#include "gemm_quantized.cuh"

QUANTIZED(int4, Int4Weights, uint32_t)
