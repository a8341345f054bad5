// Attention of sequences that compute one token each: parts of it chunk by chunk, then their total.
//
// One call of attention_decode writes a record for every chunk a row sees, and attention_combine
// adds a row's records up in order. Records are [unit][head][RECORD floats]: O of D floats, m, l,
// and two floats unused so that records stay aligned. Sequence i owns units chunk_starts[i] and
// following, one for each chunk from the first it sees. A sequence of length zero is padding.
//
//   kernel                 grid                                               threads
//   attention_decode_D     workers, kv heads * ceil(group / 16), sequences    32 * min(4, D / 16)
//   attention_combine_D    heads, sequences                                   max(32, D)
//
//   D                                             16     32     64    128    256
//   attention_decode_D: threads                   32     64    128    128    128
//   attention_decode_D: dynamic shared bytes    8704  13312  22528  40960  77824
//   attention_combine_D: threads                  32     32     64    128    256
//   attention_combine_D: dynamic shared bytes      0      0      0      0      0
//
// Workers share out a sequence's chunks among themselves; their number changes no bit.
#include "attention.cuh"

template <int D> constexpr int RECORD = D + 4;

// A chunk is computed by up to four warps: of the scores each does its share of the keys, of the
// output its share of the columns; between them they exchange scores, and each has all weights.
template <int D> struct Decode {
  static constexpr int WARPS = D / 16 < 4 ? D / 16 : 4;
  static constexpr int THREADS = 32 * WARPS;
  // Pairs of eight keys, or columns, that a warp has.
  static constexpr int KEY_PAIRS = 4 / WARPS;
  static constexpr int PAIRS = D / 16 / WARPS;
  // Blocks that shared memory lets reside on a multiprocessor of compute 9.0.
  static constexpr int RESIDENT = D == 256 ? 2 : D == 128 ? 5 : 8;
};

// A warp's lanes hold of a tile of scores or output the rows lane / 4 and lane / 4 + 8.
template <int D>
static __device__ __forceinline__ void decode(
    const bf16 *qkv, const bf16 *cache, float *partials, const uint32_t *rows, const uint32_t *lens,
    const uint32_t *table_starts, const uint32_t *tables, const uint32_t *chunk_starts,
    int num_heads, int num_kv_heads, int head_dim, float scale, float softcap, int window) {
  using Shape = Decode<D>;
  constexpr int THREADS = Shape::THREADS, PAIRS = Shape::PAIRS, KEY_PAIRS = Shape::KEY_PAIRS;
  extern __shared__ __align__(1024) unsigned char shared[];
  bf16 *keys = reinterpret_cast<bf16 *>(shared);
  bf16 *values = keys + CHUNK * D;
  bf16 *queries = values + CHUNK * D;
  float4 *scores = reinterpret_cast<float4 *>(queries + 16 * D);

  let_next_kernel_start();
  wait_for_previous_kernel();
  const int sequence = blockIdx.z, len = lens[sequence];
  if (len == 0) return;
  const int position[2] = {len - 1, len - 1};
  const int first = first_seen(len - 1, window);
  const int first_chunk = first / CHUNK, last_chunk = (len - 1) / CHUNK;
  int chunk = first_chunk + blockIdx.x;
  if (chunk > last_chunk) return;

  const int group = num_heads / num_kv_heads, parts = (group + 15) / 16;
  const int kv_head = blockIdx.y / parts, part = blockIdx.y % parts;
  const int first_head = kv_head * group + part * 16, heads = min(16, group - part * 16);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const Scaling scaling(scale, softcap);
  const HeadCache history(cache, tables + table_starts[sequence], num_kv_heads, kv_head, D, first,
                          len);
  const bf16 *row =
      qkv + (size_t(rows[sequence]) * (num_heads + 2 * num_kv_heads) + first_head) * head_dim;
  load_queries<D, 16, THREADS>(queries, qkv, head_dim, [&](int head) {
    return head < heads ? row + head * head_dim : nullptr;
  });
  uint2 blocks = history.blocks(chunk);
  history.load<D, THREADS>(keys, chunk, blocks, 0);
  commit_copies();
  history.load<D, THREADS>(values, chunk, blocks, history.values());
  commit_copies();

  const uint32_t queries_at = corner<D>(queries, lane, true);
  const uint32_t keys_at = corner<D>(keys, lane, false) + warp * KEY_PAIRS * 32 * D;
  const uint32_t values_at = corner<D>(values, lane, true);
  for (; chunk <= last_chunk; chunk += gridDim.x) {
    const int next = chunk + gridDim.x;
    blocks = history.blocks(next);

    wait_for_copies<1>();
    __syncthreads();
    float own[1][2 * KEY_PAIRS][4];
    dot_keys<D, 1, KEY_PAIRS>(own, queries_at, keys_at);
#pragma unroll
    for (int i = 0; i < 2 * KEY_PAIRS; i++) {
      scores[(warp * 2 * KEY_PAIRS + i) * 32 + lane] =
          make_float4(own[0][i][0], own[0][i][1], own[0][i][2], own[0][i][3]);
    }

    wait_for_copies<0>();
    __syncthreads();
    // Nobody reads the keys any more.
    if (next <= last_chunk) history.load<D, THREADS>(keys, next, blocks, 0);
    commit_copies();
    float s[8][4];
#pragma unroll
    for (int i = 0; i < 8; i++) {
      float4 four = scores[i * 32 + lane];
      s[i][0] = four.x, s[i][1] = four.y, s[i][2] = four.z, s[i][3] = four.w;
    }
    scaling.soften(s);
    if (chunk == first_chunk || chunk == last_chunk) hide(s, chunk, position, window, lane);
    uint32_t p[1][4][4];
    float max[2], sum[2];
    weigh(s, p[0], max, sum, scaling.to_log2);
    float o[1][2 * PAIRS][4];
    weigh_values<D, 1, PAIRS>(o, p, values_at, warp * PAIRS);

    const size_t unit = chunk_starts[sequence] + (chunk - first_chunk);
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int head = lane / 4 + half * 8;
      if (head >= heads) continue;
      float *record = partials + (unit * num_heads + first_head + head) * RECORD<D>;
      float *columns = record + warp * PAIRS * 16 + lane % 4 * 2;
#pragma unroll
      for (int i = 0; i < 2 * PAIRS; i++) {
        *reinterpret_cast<float2 *>(columns + i * 8) =
            make_float2(o[0][i][half * 2], o[0][i][half * 2 + 1]);
      }
      if (warp == 0 && lane % 4 == 0) {
        *reinterpret_cast<float2 *>(record + D) = make_float2(max[half], sum[half]);
      }
    }

    __syncthreads();
    if (next <= last_chunk) history.load<D, THREADS>(values, next, blocks, history.values());
    commit_copies();
  }
}

// 32 records of a row, of which a thread has one column.
template <int D> struct Batch {
  static constexpr int SIZE = 32;
  float column[SIZE];
  // Of the record with this lane's number.
  float max, sum;

  __device__ __forceinline__ void load(const float *row, size_t stride, int start, int end) {
    const int lane = threadIdx.x % 32, d = min(int(threadIdx.x), D - 1);
#pragma unroll
    for (int i = 0; i < SIZE; i++) {
      column[i] = start + i < end ? row[(start + i) * stride + d] : 0;
    }
    float2 ml = make_float2(LOWEST, 0);
    if (start + lane < end) {
      ml = *reinterpret_cast<const float2 *>(row + (start + lane) * stride + D);
    }
    max = ml.x, sum = ml.y;
  }
};

// Only products and sums follow one another from record to record: the largest score up to each is
// found for a batch at once, and the next batch is on its way while one is added.
template <int D>
static __device__ __forceinline__ void combine(const float *partials, bf16 *out, const float *sinks,
                                               const uint32_t *rows, const uint32_t *lens,
                                               const uint32_t *chunk_starts, int num_heads,
                                               int head_dim, int out_stride, int window) {
  constexpr int SIZE = Batch<D>::SIZE;
  const int head = blockIdx.x, sequence = blockIdx.y, lane = threadIdx.x % 32;
  let_next_kernel_start();
  wait_for_previous_kernel();
  const int len = lens[sequence];
  if (len == 0) return;
  const int end = (len - 1) / CHUNK - first_seen(len - 1, window) / CHUNK + 1;
  const size_t stride = size_t(num_heads) * RECORD<D>;
  const float *row = partials + chunk_starts[sequence] * stride + head * RECORD<D>;

  float total = 0, max = LOWEST, sum = 0;
  Batch<D> batch;
  batch.load(row, stride, 0, end);
  for (int start = 0; start < end; start += SIZE) {
    Batch<D> next;
    next.load(row, stride, start + SIZE, end);
    float after = batch.max;
#pragma unroll
    for (int step = 1; step < SIZE; step *= 2) {
      float other = __shfl_up_sync(~0u, after, step);
      after = lane >= step ? fmaxf(after, other) : after;
    }
    after = fmaxf(after, max);
    float before = __shfl_up_sync(~0u, after, 1);
    Share own = share(lane == 0 ? max : before, after, batch.max);
    max = __shfl_sync(~0u, after, SIZE - 1);
#pragma unroll
    for (int eight = 0; eight < SIZE; eight += 8) {
      if (start + eight >= end) break;
#pragma unroll
      for (int i = eight; i < eight + 8; i++) {
        Share by = {__shfl_sync(~0u, own.total, i), __shfl_sync(~0u, own.chunk, i)};
        sum = add_chunk(sum, __shfl_sync(~0u, batch.sum, i), by);
        total = add_chunk(total, batch.column[i], by);
      }
    }
    batch = next;
  }
  float factor = last_factor(max, sum, sinks == nullptr ? LOWEST : sinks[head]);
  if (threadIdx.x < head_dim) {
    out[size_t(rows[sequence]) * out_stride + head * head_dim + threadIdx.x] =
        __float2bfloat16_rn(__fmul_rn(total, factor));
  }
}

#define ATTENTION(D)                                                                               \
  extern "C" __global__ void __launch_bounds__(Decode<D>::THREADS, Decode<D>::RESIDENT)            \
      attention_decode_##D(const bf16 *qkv, const bf16 *cache, float *partials,                    \
                           const uint32_t *rows, const uint32_t *lens,                             \
                           const uint32_t *table_starts, const uint32_t *tables,                   \
                           const uint32_t *chunk_starts, int num_heads, int num_kv_heads,          \
                           int head_dim, float scale, float softcap, int window) {                 \
    decode<D>(qkv, cache, partials, rows, lens, table_starts, tables, chunk_starts, num_heads,     \
              num_kv_heads, head_dim, scale, softcap, window);                                     \
  }                                                                                                \
  extern "C" __global__ void __launch_bounds__(D < 32 ? 32 : D)                                    \
      attention_combine_##D(const float *partials, bf16 *out, const float *sinks,                  \
                            const uint32_t *rows, const uint32_t *lens,                            \
                            const uint32_t *chunk_starts, int num_heads, int head_dim,             \
                            int out_stride, int window) {                                          \
    combine<D>(partials, out, sinks, rows, lens, chunk_starts, num_heads, head_dim, out_stride,    \
               window);                                                                            \
  }

ATTENTION(16)
ATTENTION(32)
ATTENTION(64)
ATTENTION(128)
ATTENTION(256)
