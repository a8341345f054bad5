// Products of experts with weights of 8 bits.
#include "gemm_experts.cuh"

EXPERTS(int8, Int8Weights, WEIGHTS(const uint8_t *codes, const uint16_t *scales),
        WEIGHTS(codes, scales))
