// The kernels as nvcc exports them.
#pragma once

#include "cuda/builtins.h"

#include "cuda/cuda_bf16.h"

typedef __nv_bfloat16 bf16;

// The index of a row's largest logit, that logit, and a sum or its logarithm.
struct alignas(16) Summary {
  uint32_t index;
  float max, sum;
  uint32_t unused;
};

// As src/kernels/cuda/choice.cuh says what each is.
struct alignas(16) Choice {
  uint32_t row, kind, known, num_top, has_mask, mask_start, num_edits, edits_start;
  float scale;
  uint32_t top_k;
  float top_p, min_weight, repetition, frequency, presence;
  uint32_t has_bans;
  double u;
  uint32_t unused[2];
};
struct alignas(16) Chosen {
  uint32_t id;
  float logit;
  uint32_t is_stuck, unused;
};
struct alignas(8) TopLogit {
  uint32_t id;
  float logit;
};

typedef void ProductKernel(const bf16 *weight, const bf16 *x, void *out, int num_rows, int n,
                           int k_padded, int out_stride);
typedef void QuantizedKernel(const uint8_t *codes, const void *scales, const bf16 *x, void *out,
                             int num_rows, int n, int k_padded, int out_stride);
typedef void ExpertsKernel(const bf16 *weights, const uint4 *tiles, const bf16 *x, void *out, int n,
                           int k_padded, int out_stride);
typedef void QuantizedExpertsKernel(const uint8_t *codes, const void *scales, const uint4 *tiles,
                                    const bf16 *x, void *out, int n, int k_padded, int out_stride);
typedef void DecodeKernel(const bf16 *qkv, const bf16 *cache, float *partials, const uint32_t *rows,
                          const uint32_t *lens, const uint32_t *table_starts,
                          const uint32_t *tables, const uint32_t *chunk_starts, int num_heads,
                          int num_kv_heads, int head_dim, float scale, float softcap, int window);
typedef void CombineKernel(const float *partials, bf16 *out, const float *sinks,
                           const uint32_t *rows, const uint32_t *lens,
                           const uint32_t *chunk_starts, int num_heads, int head_dim,
                           int out_stride, int window);
typedef void PrefillKernel(const bf16 *qkv, const bf16 *cache, bf16 *out, const float *sinks,
                           const uint32_t *tiles, const uint32_t *tables, int num_heads,
                           int num_kv_heads, int head_dim, int out_stride, float scale,
                           float softcap, int window);

extern "C" {

#define IN_ALL_MODES(NAME) \
  ProductKernel NAME##_store_bf16, NAME##_store_f32, NAME##_add_f32, NAME##_swiglu;
IN_ALL_MODES(gemm_rows_1)
IN_ALL_MODES(gemm_rows_2)
IN_ALL_MODES(gemm_tiles_small)
IN_ALL_MODES(gemm_tiles_medium)
IN_ALL_MODES(gemm_tiles_large)
IN_ALL_MODES(gemm_tiles_wide)
#undef IN_ALL_MODES

#define IN_ALL_MODES(NAME) \
  QuantizedKernel NAME##_store_bf16, NAME##_store_f32, NAME##_add_f32, NAME##_swiglu;
IN_ALL_MODES(gemm_int8_rows_1)
IN_ALL_MODES(gemm_int8_rows_2)
IN_ALL_MODES(gemm_int8_tiles_small)
IN_ALL_MODES(gemm_int4_rows_1)
IN_ALL_MODES(gemm_int4_rows_2)
IN_ALL_MODES(gemm_int4_tiles_small)
IN_ALL_MODES(gemm_fp8_rows_1)
IN_ALL_MODES(gemm_fp8_rows_2)
IN_ALL_MODES(gemm_fp8_tiles_small)
#undef IN_ALL_MODES

#define IN_ALL_MODES(TYPE, NAME) TYPE NAME##_store_bf16, NAME##_store_f32, NAME##_swiglu;
#define IN_ALL_SIZES(TYPE, NAME)                                                   \
  IN_ALL_MODES(TYPE, NAME##_rows_1)                                                \
  IN_ALL_MODES(TYPE, NAME##_rows_2)                                                \
  IN_ALL_MODES(TYPE, NAME##_single)                                                \
  IN_ALL_MODES(TYPE, NAME##_large)
IN_ALL_SIZES(ExpertsKernel, gemm_experts_bf16)
IN_ALL_SIZES(QuantizedExpertsKernel, gemm_experts_int8)
IN_ALL_SIZES(QuantizedExpertsKernel, gemm_experts_int4)
IN_ALL_SIZES(QuantizedExpertsKernel, gemm_experts_fp8)
#undef IN_ALL_SIZES
#undef IN_ALL_MODES

#define OF_FORM(NAME)                                                                           \
  void dequantize_##NAME(const uint8_t *codes, const void *scales, bf16 *out, int num_rows,     \
                         int k_padded);                                                         \
  void embedding_##NAME(const uint8_t *codes, const void *scales, const uint32_t *ids, float *x, \
                        int hidden, int k_padded);
OF_FORM(int8)
OF_FORM(int4)
OF_FORM(fp8)
#undef OF_FORM

#define OF_SIZE(D)                       \
  DecodeKernel attention_decode_##D;     \
  CombineKernel attention_combine_##D;   \
  PrefillKernel attention_prefill_##D;
OF_SIZE(16)
OF_SIZE(32)
OF_SIZE(64)
OF_SIZE(128)
OF_SIZE(256)
#undef OF_SIZE

void embedding(const bf16 *table, const uint32_t *ids, float *x, int hidden, int k_padded);
void rms_norm(const float *x, const float *weight, bf16 *out, int hidden, int k_padded, float eps);
void swiglu(const bf16 *gate_up, bf16 *out, int ffn, int in_stride, int out_stride);
void summarize(const float *logits, int vocab, int stride, Summary *partials);
void summarize_finish(const Summary *partials, int num_parts, Summary *out);
void choose(float *logits, int vocab, int stride, const Summary *summaries, uint32_t *words,
            Chosen *out, TopLogit *top);
void fill_random_weights(bf16 *out, int num_rows, int k, int k_padded, uint32_t seed, int first_row,
                         int first_column, int row_len);
void gather_rows(const float *x, const uint32_t *rows, float *out, int width);
void rope_write_kv(bf16 *qkv, bf16 *cache, const float *cos, const float *sin,
                   const uint32_t *positions, const uint32_t *slots, int num_heads,
                   int num_kv_heads, int head_dim, int padded_dim, int num_frequencies);
void add_bias_f32(float *x, const float *bias, int width);
void add_bias_bf16(bf16 *x, const float *bias, int width);
void norm_heads(bf16 *qkv, const float *q_weight, const float *k_weight, int q_len, int k_len,
                int q_width, int row_width, float eps);
void add_branch(float *x, const float *branch, const float *weight, int hidden, float eps,
                float scale);
void add_expert_bias_f32(float *x, const float *biases, const uint32_t *experts, int width);
void add_expert_bias_bf16(bf16 *x, const float *biases, const uint32_t *experts, int width);
void rms_norm_f32(const float *x, const float *weight, float *out, int hidden, float eps);
void clear_rows(float *x, int width, int stride, float unused);
void clamped_swiglu(const bf16 *gate_up, bf16 *out, int ffn, int in_stride, int out_stride,
                    float alpha, float limit);
void linear_f32(const float *weight, const float *x, float *out, int num_rows, int n, int k);
void route(const float *logits, uint32_t *experts, float *weights, int num_rows, int num_experts,
           int num_used, int of_used);
void group_by_expert(const uint32_t *experts, uint4 *tiles, uint32_t *order, uint32_t *rows,
                     uint32_t *expert_of, int num_places, int num_used, int num_experts,
                     int tile_rows, int num_tiles);
void gather_inputs(const float *x, const uint32_t *rows, bf16 *out, int k, int k_padded);
void add_experts(float *x, const float *y, const uint32_t *order, const float *weights, int width,
                 int num_used);
void gates(float *x, int count);
void scale_rows(float *x, int width, int stride, float scale);
void softcap_rows(float *x, int width, int stride, float cap);
void geglu(const bf16 *gate_up, bf16 *out, int ffn, int in_stride, int out_stride);
void xielu(bf16 *x, int width, int stride, float alpha_p, float alpha_n);
}
