// Products of experts with weights of 4 bits.
#include "gemm_experts.cuh"

EXPERTS(int4, Int4Weights, WEIGHTS(const uint8_t *codes, const uint32_t *scales),
        WEIGHTS(codes, scales))
