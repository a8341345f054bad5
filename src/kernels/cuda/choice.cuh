// What is asked of a row of logits and answered, and the row as a choice sees it: edited and masked.
//
// The order in which wishes take effect, and what each means, are those of src/engine/sampling.
#pragma once

#include <float.h>
#include <math_constants.h>

#include "common.cuh"

constexpr int CHOICE_THREADS = 1024;
constexpr int CHOICE_WARPS = CHOICE_THREADS / 32;

// Of the most probable tokens, those that can be reported.
constexpr int MAX_TOP = 20;

// Ids of a row are below this.
constexpr uint32_t MAX_VOCAB = 1 << 20;

enum Kind : uint32_t { LARGEST, DRAW, KNOWN };

// As `pack` in src/kernels/cuda/choices.rs writes it. Places are counted in words from the first
// choice on.
struct __align__(16) Choice {
  uint32_t row;
  Kind kind;
  uint32_t known;  // The id, where it is known.
  uint32_t num_top;
  uint32_t has_mask, mask_start;
  uint32_t num_edits, edits_start;
  float scale;  // 1 / temperature.
  uint32_t top_k;  // 0: all.
  float top_p;
  float min_weight;
  float repetition, frequency, presence;
  uint32_t has_bans;
  double u;
  uint32_t unused[2];
};

// What changes a logit. A row has one for each id at most.
struct __align__(16) Edit {
  uint32_t id;  // With BANNED and REPEATED.
  float bias;
  uint32_t count;
  float original;  // Room for the logit as the model gave it.
};

constexpr uint32_t BANNED = 1u << 31, REPEATED = 1u << 30;

struct __align__(16) Chosen {
  uint32_t id;
  float logit;  // As the model gave it.
  uint32_t is_stuck;  // The mask leaves no token.
  uint32_t unused;
};

struct __align__(8) TopLogit {
  uint32_t id;
  float logit;
};

struct Row {
  float *logits;
  int vocab;
  // Four neighbours can be read at once.
  bool has_quads;
  // One bit an id, the first in the lowest; null where all are allowed.
  const uint32_t *mask;
};

// Which of four neighbouring ids there are and are allowed, the first in the lowest bit.
static __device__ __forceinline__ uint32_t allowed_of(const Row &row, int first) {
  if (first >= row.vocab) return 0;
  const uint32_t there = row.vocab - first < 4 ? (1u << (row.vocab - first)) - 1 : 15;
  return row.mask == nullptr ? there : there & row.mask[first / 32] >> (first % 32);
}

// The logits of four neighbouring ids; of those that are not wanted, any numbers.
static __device__ __forceinline__ float4 quad_of(const Row &row, int first, uint32_t wanted) {
  const float *from = row.logits + first;
  if (wanted == 0) return make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  if (row.has_quads) return *reinterpret_cast<const float4 *>(from);
  return make_float4(wanted & 1 ? from[0] : 0.0f, wanted & 2 ? from[1] : 0.0f,
                     wanted & 4 ? from[2] : 0.0f, wanted & 8 ? from[3] : 0.0f);
}

// Calls `visit` with each id that is allowed and its logit. Two quads are on their way at a time.
template <class Visit>
static __device__ __forceinline__ void for_each_logit(const Row &row, Visit visit) {
  constexpr int NUM_HELD = 2, STEP = 4 * CHOICE_THREADS;
  for (int begin = 4 * threadIdx.x; begin < row.vocab; begin += NUM_HELD * STEP) {
    uint32_t wanted[NUM_HELD];
    float4 held[NUM_HELD];
#pragma unroll
    for (int i = 0; i < NUM_HELD; i++) {
      wanted[i] = allowed_of(row, begin + i * STEP);
      held[i] = quad_of(row, begin + i * STEP, wanted[i]);
    }
#pragma unroll
    for (int i = 0; i < NUM_HELD; i++) {
      const float values[4] = {held[i].x, held[i].y, held[i].z, held[i].w};
#pragma unroll
      for (int j = 0; j < 4; j++) {
        if (wanted[i] >> j & 1) visit(begin + i * STEP + j, values[j]);
      }
    }
  }
}

// What a bias or a penalty makes of a logit: -inf stays, everything else stays finite.
static __device__ __forceinline__ float changed(float before, float after) {
  if (before == -CUDART_INF_F || after != after) return before;
  return fminf(fmaxf(after, -FLT_MAX), FLT_MAX);
}

static __device__ __forceinline__ void keep_originals(const Row &row, const Choice &choice,
                                                      Edit *edits) {
  for (int i = threadIdx.x; i < static_cast<int>(choice.num_edits); i += CHOICE_THREADS) {
    edits[i].original = row.logits[edits[i].id & (MAX_VOCAB - 1)];
  }
}

// Nothing is contracted, so that a logit has the bits that the CPU gives it.
static __device__ __forceinline__ void edit(const Row &row, const Choice &choice,
                                            const Edit *edits, bool with_bans) {
  for (int i = threadIdx.x; i < static_cast<int>(choice.num_edits); i += CHOICE_THREADS) {
    const Edit own = edits[i];
    float logit = with_bans && own.id & BANNED ? -CUDART_INF_F : own.original;
    logit = changed(logit, __fadd_rn(logit, own.bias));
    if (own.id & REPEATED) {
      logit = changed(logit, logit > 0.0f ? __fdiv_rn(logit, choice.repetition)
                                          : __fmul_rn(logit, choice.repetition));
    }
    if (own.count > 0) {
      const float penalty =
          __fadd_rn(__fmul_rn(static_cast<float>(own.count), choice.frequency), choice.presence);
      logit = changed(logit, __fadd_rn(logit, -penalty));
    }
    row.logits[own.id & (MAX_VOCAB - 1)] = logit;
  }
}

static __device__ __forceinline__ void restore_originals(const Row &row, const Choice &choice,
                                                         const Edit *edits) {
  for (int i = threadIdx.x; i < static_cast<int>(choice.num_edits); i += CHOICE_THREADS) {
    row.logits[edits[i].id & (MAX_VOCAB - 1)] = edits[i].original;
  }
}

// e^x with the bits of `exp` in src/kernels/cpu/math.rs, where products and sums are fused.
static __device__ __forceinline__ float exp_of_cpu(float x) {
  constexpr float ROUND = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer.
  const float clamped = fminf(fmaxf(x, -87.0f), 88.0f);
  const float shifted = __fadd_rn(__fmul_rn(clamped, 1.44269504f), ROUND);
  const float n = __fadd_rn(shifted, -ROUND);
  const float power =
      __uint_as_float((__float_as_uint(shifted) - __float_as_uint(ROUND) + 127) << 23);
  float r = __fmaf_rn(n, -0.6933594f, clamped);
  r = __fmaf_rn(n, 2.1219444e-4f, r);
  float p = 1.9875691e-4f;
  p = __fmaf_rn(p, r, 1.3982e-3f);
  p = __fmaf_rn(p, r, 8.333452e-3f);
  p = __fmaf_rn(p, r, 4.1665796e-2f);
  p = __fmaf_rn(p, r, 1.6666665e-1f);
  p = __fmaf_rn(p, r, 0.5f);
  const float y = __fmul_rn(__fadd_rn(__fmaf_rn(p, __fmul_rn(r, r), r), 1.0f), power);
  return x < -87.0f ? 0.0f : x > 88.0f ? CUDART_INF_F : y;
}

// Probabilities times a constant that makes the largest 1.
struct Weights {
  float max, scale;

  __device__ __forceinline__ float weight(float logit) const {
    return exp_of_cpu(__fmul_rn(__fadd_rn(logit, -max), scale));
  }
};
