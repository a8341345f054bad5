// Products with weights of 8 bits.
#include "gemm_quantized.cuh"

QUANTIZED(int8, Int8Weights, uint16_t)
