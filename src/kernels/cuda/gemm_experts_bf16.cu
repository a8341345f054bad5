// Products of experts with bf16 weights.
#include "gemm_experts.cuh"

EXPERTS(bf16, Bf16Weights, const bf16 *weights, weights)
