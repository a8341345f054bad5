// Attention of sequences that compute several tokens at once.
//
// A tile is up to T consecutive tokens of one sequence: [first row in qkv, position of that row,
// number of tokens, start of the block table in `tables`]. A block computes B = 128 query rows: a
// tile's tokens times the heads of one kv head's group, or of a part of the group where it is
// larger than B. So
//   parts = ceil(group / B), T = max(1, B / min(group, B)),
// and the grid is tiles, kv heads * parts. Tiles are started from the last to the first, so that
// those with the most to see come first where a list is in order of position.
//
//   D                        16     32     64    128     256
//   B, query rows           128    128    128    128     128
//   threads                 128    128    128    128     256
//   dynamic shared bytes  12288  24576  49152  98304  196608
//
// How tokens are cut into tiles changes no bit.
#include "attention.cuh"

template <int D> struct Prefill {
  static constexpr int ROWS = 128;
  // Tiles of 16 rows that a warp has. With two, keys and values are read from shared memory half as
  // often, which is what bounds the speed; at 256 there are no registers for it.
  static constexpr int M = D == 256 ? 1 : 2;
  static constexpr int THREADS = ROWS / (16 * M) * 32;
  // Pairs of tiles of eight columns of a chunk's output that are in registers at once.
  static constexpr int PAIRS = 2 / M;
  static constexpr int RESIDENT = D == 256 ? 1 : D == 16 ? 4 : 2;
};

// What a warp's rows, from its first to its last token, see of a chunk.
enum class View { NOTHING, SOME, ALL };

static __device__ __forceinline__ View view(int chunk, int first_token, int last_token,
                                            int window) {
  int start = chunk * CHUNK, end = start + CHUNK;
  if (start > last_token || end <= first_seen(first_token, window)) return View::NOTHING;
  bool all = end - 1 <= first_token && start >= first_seen(last_token, window);
  return all ? View::ALL : View::SOME;
}

// Rows without a token have zeros as queries and the last token's position, and are not written.
template <int D>
static __device__ __forceinline__ void prefill(const bf16 *qkv, const bf16 *cache, bf16 *out,
                                               const float *sinks, const uint32_t *tiles,
                                               const uint32_t *tables, int num_heads,
                                               int num_kv_heads, int head_dim, int out_stride,
                                               float scale, float softcap, int window) {
  using Shape = Prefill<D>;
  constexpr int M = Shape::M, ROWS = Shape::ROWS, THREADS = Shape::THREADS, PAIRS = Shape::PAIRS;
  extern __shared__ __align__(1024) unsigned char shared[];
  // Keys then values of a chunk, twice.
  bf16 *chunks = reinterpret_cast<bf16 *>(shared);
  bf16 *queries = chunks + 4 * CHUNK * D;

  let_next_kernel_start();
  wait_for_previous_kernel();
  const uint4 tile = reinterpret_cast<const uint4 *>(tiles)[gridDim.x - 1 - blockIdx.x];
  const int first_row = tile.x, start = tile.y, tokens = tile.z;
  const int group = num_heads / num_kv_heads, parts = (group + ROWS - 1) / ROWS;
  const int kv_head = blockIdx.y / parts, part = blockIdx.y % parts;
  const int first_head = kv_head * group + part * ROWS, heads = min(ROWS, group - part * ROWS);
  const int used_rows = tokens * heads, row_width = (num_heads + 2 * num_kv_heads) * head_dim;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const Scaling scaling(scale, softcap);
  const HeadCache history(cache, tables + tile.w, num_kv_heads, kv_head, D,
                          first_seen(start, window), start + tokens);
  const int first_chunk = history.first / CHUNK, last_chunk = (history.end - 1) / CHUNK;

  auto load = [&](int chunk, uint2 blocks) {
    bf16 *to = chunks + (chunk & 1) * (2 * CHUNK * D);
    history.load<D, THREADS>(to, chunk, blocks, 0);
    history.load<D, THREADS>(to + CHUNK * D, chunk, blocks, history.values());
  };
  load_queries<D, ROWS, THREADS>(queries, qkv, head_dim, [&](int row) {
    const bf16 *token = qkv + size_t(first_row + row / heads) * row_width;
    return row < used_rows ? token + (first_head + row % heads) * head_dim : nullptr;
  });
  load(first_chunk, history.blocks(first_chunk));
  commit_copies();
  uint2 blocks = history.blocks(first_chunk + 1);

  const int warp_row = warp * 16 * M;
  auto token_of = [&](int row) { return min(row / heads, tokens - 1); };
  const int first_token = start + token_of(warp_row);
  const int last_token = start + token_of(warp_row + 16 * M - 1);
  // The tokens of this lane's rows, a byte each, for registers are scarce.
  uint32_t row_tokens = 0;
  float total[M][D / 8][4], max[M][2], sum[M][2];
#pragma unroll
  for (int m = 0; m < M; m++) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      row_tokens |= token_of(warp_row + 16 * m + 8 * half + lane / 4) << (16 * m + 8 * half);
      max[m][half] = LOWEST, sum[m][half] = 0;
    }
#pragma unroll
    for (int i = 0; i < D / 2; i++) total[m][i / 4][i % 4] = 0;
  }
  const uint32_t queries_at = corner<D>(queries + warp_row * D, lane, true);
  const uint32_t keys_at = corner<D>(chunks, lane, false);
  const uint32_t values_at = corner<D>(chunks + CHUNK * D, lane, true);

  for (int chunk = first_chunk; chunk <= last_chunk; chunk++) {
    wait_for_copies<0>();
    // The chunk is there for all, and all are done with the one before it.
    __syncthreads();
    if (chunk < last_chunk) load(chunk + 1, blocks);
    commit_copies();
    blocks = history.blocks(chunk + 2);
    const View seen = view(chunk, first_token, last_token, window);
    if (seen == View::NOTHING || warp_row >= used_rows) continue;

    const uint32_t buffer = (chunk & 1) * (4 * CHUNK * D);
    float s[M][8][4];
    dot_keys<D, M, 4>(s, queries_at, keys_at + buffer);
    uint32_t p[M][4][4];
    Share by[M][2];
#pragma unroll
    for (int m = 0; m < M; m++) {
      scaling.soften(s[m]);
      if (seen == View::SOME) {
        const uint32_t two = opaque(row_tokens) >> 16 * m;
        const int position[2] = {start + int(two & 255), start + int(two >> 8 & 255)};
        hide(s[m], chunk, position, window, lane);
      }
      float chunk_max[2], chunk_sum[2];
      weigh(s[m], p[m], chunk_max, chunk_sum, scaling.to_log2);
#pragma unroll
      for (int half = 0; half < 2; half++) {
        float before = max[m][half];
        max[m][half] = fmaxf(before, chunk_max[half]);
        by[m][half] = share(before, max[m][half], chunk_max[half]);
        sum[m][half] = add_chunk(sum[m][half], chunk_sum[half], by[m][half]);
      }
    }
#pragma unroll
    for (int pair = 0; pair < D / 16; pair += PAIRS) {
      float o[M][2 * PAIRS][4];
      weigh_values<D, M, PAIRS>(o, p, values_at + buffer, pair);
#pragma unroll
      for (int i = 0; i < M * PAIRS * 8; i++) {
        int m = i / (PAIRS * 8), column = i / 4 % (2 * PAIRS), at = i % 4;
        float &sum_of = total[m][2 * pair + column][at];
        sum_of = add_chunk(sum_of, o[m][column][at], by[m][at / 2]);
      }
    }
  }

#pragma unroll
  for (int i = 0; i < 2 * M; i++) {
    const int m = i / 2, half = i % 2, row = warp_row + 16 * m + 8 * half + lane / 4;
    if (row >= used_rows) continue;
    const int head = first_head + row % heads;
    const float factor =
        last_factor(max[m][half], sum[m][half], sinks == nullptr ? LOWEST : sinks[head]);
    bf16 *to = out + size_t(first_row + row / heads) * out_stride + head * head_dim;
#pragma unroll
    for (int column = 0; column < D / 8; column++) {
      const int d = column * 8 + lane % 4 * 2;
      if (d >= head_dim) continue;
      *reinterpret_cast<uint32_t *>(to + d) =
          pack(__fmul_rn(total[m][column][half * 2], factor),
               __fmul_rn(total[m][column][half * 2 + 1], factor));
    }
  }
}

#define ATTENTION(D)                                                                               \
  extern "C" __global__ void __launch_bounds__(Prefill<D>::THREADS, Prefill<D>::RESIDENT)          \
      attention_prefill_##D(const bf16 *qkv, const bf16 *cache, bf16 *out, const float *sinks,     \
                            const uint32_t *tiles, const uint32_t *tables, int num_heads,          \
                            int num_kv_heads, int head_dim, int out_stride, float scale,           \
                            float softcap, int window) {                                           \
    prefill<D>(qkv, cache, out, sinks, tiles, tables, num_heads, num_kv_heads, head_dim,           \
               out_stride, scale, softcap, window);                                                \
  }

ATTENTION(16)
ATTENTION(32)
ATTENTION(64)
ATTENTION(128)
ATTENTION(256)
