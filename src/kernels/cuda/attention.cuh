// Attention over one chunk of the cache, and how chunks add up: the recipe that prefill and decode
// share, so that a row's bits do not depend on which of them computes it.
//
// A query row is one head of one token. Sixteen rows make a tile of the tensor core. A chunk is 64
// absolute positions, and a row's chunks are computed one by one from nothing and then added up in
// order, so it does not matter who computed them, nor where a launch's rows begin. Scores are kept
// as the logarithm to base two of the weights.
//
// The cache of a layer is [block][keys, values][kv head][32 slots][D]; D is the head's size padded
// to what the kernels are built for, and the padding holds zeros.
#pragma once

#include "common.cuh"

constexpr int CHUNK = 64;
// Tokens in a block of the cache.
constexpr int BLOCK = 32;
constexpr float LOG2_E = 1.4426950408889634f;
constexpr float LOWEST = -__builtin_huge_valf();

// Where 16-byte `unit` of `row` stands in a shared array of rows of D, in elements. Units of a row
// trade places so that the same unit of eight consecutive rows covers all banks.
template <int D> static __device__ __forceinline__ int place(int row, int unit) {
  constexpr int UNITS = D / 8;
  constexpr int ROWS_A_LINE = UNITS < 8 ? 8 / UNITS : 1;
  constexpr int TURNS = UNITS < 8 ? UNITS : 8;
  return row * D + (unit ^ (row / ROWS_A_LINE % TURNS)) * 8;
}

// The address this lane gives for the 16x16 elements at the start of `rows`. The 16 columns `step`
// further stand at `corner ^ step * 32`, because an array starts at a multiple of its rows' size.
// With `down_first`, matrices 0 and 1 lie one above the other, otherwise side by side.
template <int D>
static __device__ __forceinline__ uint32_t corner(const bf16 *rows, int lane, bool down_first) {
  int first = lane / 8 % 2, second = lane / 16;
  int down = down_first ? first : second, right = down_first ? second : first;
  return shared_address(rows + place<D>(lane % 8 + 8 * down, right));
}

static __device__ __forceinline__ int first_seen(int position, int window) {
  return window > 0 && position + 1 > window ? position + 1 - window : 0;
}

// A sequence's keys and values of one head, of which positions first to end - 1 are needed.
struct HeadCache {
  const bf16 *keys;
  uint32_t block_stride;
  const uint32_t *table;
  int first, end;

  __device__ __forceinline__ HeadCache(const bf16 *cache, const uint32_t *table, int num_kv_heads,
                                       int kv_head, int padded_dim, int first, int end)
      : keys(cache + size_t(kv_head) * BLOCK * padded_dim),
        block_stride(2 * num_kv_heads * BLOCK * padded_dim), table(table), first(first), end(end) {}

  // How far a head's values are behind its keys.
  __device__ __forceinline__ uint32_t values() const { return block_stride / 2; }

  // A block that holds nothing needed is not looked up: its entry may be stale or absent.
  __device__ __forceinline__ uint32_t block(int index) const {
    bool needed = index * BLOCK < end && index * BLOCK + BLOCK > first;
    return needed ? table[index] : 0;
  }

  // The blocks that a chunk lies in.
  __device__ __forceinline__ uint2 blocks(int chunk) const {
    return make_uint2(block(2 * chunk), block(2 * chunk + 1));
  }

  // Starts to copy a chunk's keys, or values, into shared memory. What is not needed becomes zero,
  // for a slot that is not in use may hold NaN, which a weight of zero would not silence.
  template <int D, int THREADS>
  __device__ __forceinline__ void load(bf16 *to, int chunk, uint2 blocks, uint32_t part) const {
    // The threads copy ROWS rows at a time. Where the places of units repeat after ROWS rows, all
    // of a thread's addresses are at fixed distances, and need no registers.
    constexpr int UNITS = D / 8, ROWS = THREADS / UNITS;
    const int row = threadIdx.x / UNITS, unit = threadIdx.x % UNITS;
    const bf16 *here = keys + (part + row % BLOCK * D + unit * 8);
    const bf16 *low = here + size_t(blocks.x) * block_stride;
    const bf16 *high = here + size_t(blocks.y) * block_stride;
    const uint32_t at = chunk * CHUNK + row - first, needed = end - first;
    bf16 *start = to + place<D>(row, unit);
#pragma unroll
    for (int i = 0; i < CHUNK; i += ROWS) {
      if (ROWS > CHUNK && row >= CHUNK) break;
      const bf16 *from = (ROWS > BLOCK ? row >= BLOCK : i >= BLOCK) ? high : low;
      bf16 *target = ROWS % 8 == 0 ? start + i * D : to + place<D>(row + i, unit);
      copy_async(target, from + i % BLOCK * D, at + i < needed);
    }
  }
};

// Starts to bring ROWS query rows into shared memory; `source(row)` is where a row's head lies, or
// null for a row of zeros. The caller commits the copies.
template <int D, int ROWS, int THREADS, class Source>
static __device__ __forceinline__ void load_queries(bf16 *to, const bf16 *qkv, int head_dim,
                                                    Source source) {
  // A head of another size begins at odd places, and comes in pairs.
  bool by_units = head_dim % 8 == 0;
  int width = by_units ? D / 8 : D / 2;
  for (int at = threadIdx.x; at < ROWS * width; at += THREADS) {
    int row = at / width, column = at % width;
    const bf16 *from = source(row);
    if (by_units) {
      bool valid = from != nullptr && column * 8 < head_dim;
      copy_async(to + place<D>(row, column), valid ? from + column * 8 : qkv, valid);
    } else {
      bool valid = from != nullptr && column * 2 < head_dim;
      uint32_t pair = valid ? *reinterpret_cast<const uint32_t *>(from + column * 2) : 0;
      *reinterpret_cast<uint32_t *>(to + place<D>(row, column / 4) + column % 4 * 2) = pair;
    }
  }
}

// s = q · k for M tiles of 16 rows and PAIRS times 16 keys, both given by their corners.
template <int D, int M, int PAIRS>
static __device__ __forceinline__ void dot_keys(float (&s)[M][2 * PAIRS][4], uint32_t queries,
                                                uint32_t keys) {
#pragma unroll
  for (int i = 0; i < M * 2 * PAIRS * 4; i++) s[i / (8 * PAIRS)][i / 4 % (2 * PAIRS)][i % 4] = 0;
#pragma unroll
  for (int step = 0; step < D / 16; step++) {
    uint32_t a[M][4];
#pragma unroll
    for (int m = 0; m < M; m++) load_matrices(a[m], (queries ^ step * 32) + m * 32 * D);
#pragma unroll
    for (int pair = 0; pair < PAIRS; pair++) {
      uint32_t b[4];
      load_matrices(b, (keys ^ step * 32) + pair * 32 * D);
#pragma unroll
      for (int m = 0; m < M; m++) {
        mma(s[m][2 * pair], a[m][0], a[m][1], a[m][2], a[m][3], b[0], b[1]);
        mma(s[m][2 * pair + 1], a[m][0], a[m][1], a[m][2], a[m][3], b[2], b[3]);
      }
    }
  }
}

// o = p · v over a chunk's keys in order, for PAIRS times 16 columns of v from `first_pair` on.
template <int D, int M, int PAIRS>
static __device__ __forceinline__ void weigh_values(float (&o)[M][2 * PAIRS][4],
                                                    const uint32_t (&p)[M][4][4], uint32_t values,
                                                    int first_pair) {
#pragma unroll
  for (int i = 0; i < M * 2 * PAIRS * 4; i++) o[i / (8 * PAIRS)][i / 4 % (2 * PAIRS)][i % 4] = 0;
#pragma unroll
  for (int step = 0; step < CHUNK / 16; step++) {
#pragma unroll
    for (int pair = 0; pair < PAIRS; pair++) {
      uint32_t b[4];
      load_transposed(b, (values ^ (first_pair + pair) * 32) + step * 32 * D);
#pragma unroll
      for (int m = 0; m < M; m++) {
        const uint32_t(&a)[4] = p[m][step];
        mma(o[m][2 * pair], a[0], a[1], a[2], a[3], b[0], b[1]);
        mma(o[m][2 * pair + 1], a[0], a[1], a[2], a[3], b[2], b[3]);
      }
    }
  }
}

// What turns q · k into the logarithm of a weight.
struct Scaling {
  float to_log2, cap, bend;

  __device__ __forceinline__ Scaling(float scale, float softcap) {
    cap = softcap;
    to_log2 = softcap > 0 ? LOG2_E : __fmul_rn(scale, LOG2_E);
    bend = softcap > 0 ? __fmul_rn(__fdiv_rn(scale, softcap), 2 * LOG2_E) : 0;
  }

  // cap · tanh(s · scale / cap), by tanh(x) = 1 - 2 / (e^2x + 1).
  __device__ __forceinline__ void soften(float (&s)[8][4]) const {
    if (cap <= 0) return;
#pragma unroll
    for (int i = 0; i < 32; i++) {
      float &x = s[i / 4][i % 4];
      float e = exp2_fast(__fmul_rn(x, bend));
      x = __fmul_rn(cap, __fadd_rn(1.0f, -__fdividef(2.0f, __fadd_rn(e, 1.0f))));
    }
  }
};

// Hides what this lane's two rows, at `position`, do not see of the chunk.
static __device__ __forceinline__ void hide(float (&s)[8][4], int chunk, const int (&position)[2],
                                            int window, int lane) {
#pragma unroll
  for (int half = 0; half < 2; half++) {
    int column = chunk * CHUNK + lane % 4 * 2;
    int last = position[half] - column;
    int first = first_seen(position[half], window) - column;
#pragma unroll
    for (int i = 0; i < 16; i++) {
      int key = i / 2 * 8 + i % 2;
      float &x = s[i / 2][half * 2 + i % 2];
      x = key >= first && key <= last ? x : LOWEST;
    }
  }
}

// Turns a tile's scores into weights p, and gives each row's largest score and sum of weights. A
// row that sees nothing has LOWEST and zero.
static __device__ __forceinline__ void weigh(const float (&s)[8][4], uint32_t (&p)[4][4],
                                             float (&max)[2], float (&sum)[2], float to_log2) {
#pragma unroll
  for (int half = 0; half < 2; half++) {
    float m = LOWEST;
#pragma unroll
    for (int i = 0; i < 16; i++) m = fmaxf(m, s[i / 2][half * 2 + i % 2]);
    m = fmaxf(m, __shfl_xor_sync(~0u, m, 1));
    m = fmaxf(m, __shfl_xor_sync(~0u, m, 2));
    max[half] = __fmul_rn(m, to_log2);
    float offset = m == LOWEST ? 0 : -max[half];
    float l = 0;
#pragma unroll
    for (int tile = 0; tile < 8; tile++) {
      float x = exp2_fast(__fmaf_rn(s[tile][half * 2], to_log2, offset));
      float y = exp2_fast(__fmaf_rn(s[tile][half * 2 + 1], to_log2, offset));
      l = __fadd_rn(l, __fadd_rn(x, y));
      p[tile / 2][tile % 2 * 2 + half] = pack(x, y);
    }
    l = __fadd_rn(l, __shfl_xor_sync(~0u, l, 1));
    sum[half] = __fadd_rn(l, __shfl_xor_sync(~0u, l, 2));
  }
}

// What a total and the next chunk are multiplied by when they are added.
struct Share {
  float total, chunk;
};

// `before` and `after` are the largest score without and with the chunk, which has `chunk`. A chunk
// of which nothing is seen adds minus zero, which changes no number, not even minus zero.
static __device__ __forceinline__ Share share(float before, float after, float chunk) {
  if (chunk == LOWEST) return {1.0f, -0.0f};
  return {exp2_fast(__fadd_rn(before, -after)), exp2_fast(__fadd_rn(chunk, -after))};
}

static __device__ __forceinline__ float add_chunk(float total, float chunk, Share by) {
  return __fmaf_rn(chunk, by.chunk, __fmul_rn(total, by.total));
}

// What a row's total is multiplied by at the end. A sink is a score that takes its share of the
// weights and has no value; without sinks it is LOWEST.
static __device__ __forceinline__ float last_factor(float max, float sum, float sink) {
  if (sink == LOWEST) return __frcp_rn(sum);
  float score = __fmul_rn(sink, LOG2_E), after = fmaxf(max, score);
  float own = exp2_fast(__fadd_rn(max, -after));
  return __fdiv_rn(own, __fmaf_rn(sum, own, exp2_fast(__fadd_rn(score, -after))));
}
