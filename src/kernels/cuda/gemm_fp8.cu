// Products with weights that are FP8 E4M3.
#include "gemm_quantized.cuh"

QUANTIZED(fp8, Fp8Weights, float)
