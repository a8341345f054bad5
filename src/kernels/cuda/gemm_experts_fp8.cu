// Products of experts with weights that are FP8 E4M3.
#include "gemm_experts.cuh"

EXPERTS(fp8, Fp8Weights, WEIGHTS(const uint8_t *codes, const float *scales),
        WEIGHTS(codes, scales))
