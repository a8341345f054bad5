// Turns queries and keys by their position, and keeps keys and values in the cache. Of a head the
// first 2 * num_frequencies numbers are turned, all of them, some or none.
//
//   kernel          grid    threads   dynamic shared memory
//   rope_write_kv   rows    128       none
#include "common.cuh"

// Tokens in a block of the cache.
constexpr uint32_t BLOCK = 32;
// A row with this slot belongs to no sequence, and nothing of it is kept.
constexpr uint32_t NOWHERE = 0xffffffff;

// A head is turned as two halves, the two coordinates of each pair.
static __device__ __forceinline__ float2 turn(float x, float y, float cos, float sin) {
  return make_float2(__fmaf_rn(x, cos, -__fmul_rn(y, sin)), __fmaf_rn(y, cos, __fmul_rn(x, sin)));
}

// Where the heads of one row go: to the cache, or back to where they were.
struct Row {
  bf16 *heads;
  bf16 *keys;
  bool kept;
  int num_heads, num_kv_heads, head_dim, padded_dim;

  __device__ __forceinline__ Row(bf16 *qkv, bf16 *cache, uint32_t slot, int num_heads,
                                 int num_kv_heads, int head_dim, int padded_dim)
      : heads(qkv + size_t(blockIdx.x) * (num_heads + 2 * num_kv_heads) * head_dim),
        kept(slot != NOWHERE), num_heads(num_heads), num_kv_heads(num_kv_heads), head_dim(head_dim),
        padded_dim(padded_dim) {
    size_t block = kept ? slot / BLOCK : 0;
    keys = cache + (block * 2 * num_kv_heads * BLOCK + slot % BLOCK) * padded_dim;
  }

  __device__ __forceinline__ bf16 *key(int kv_head) const {
    return keys + size_t(kv_head) * BLOCK * padded_dim;
  }
  __device__ __forceinline__ bf16 *value(int kv_head) const { return key(num_kv_heads + kv_head); }
  // Of a query or a key.
  __device__ __forceinline__ bf16 *target(int head) const {
    return head < num_heads ? heads + head * head_dim : key(head - num_heads);
  }
  __device__ __forceinline__ bool skips(int head) const { return head >= num_heads && !kept; }
};

// Eight pairs, or eight elements, at a time, for whole heads whose halves are a multiple of eight.
static __device__ __forceinline__ void by_units(const Row &row, const float *cos,
                                                const float *sin) {
  int half = row.head_dim / 2, units = half / 8;
  for (int at = threadIdx.x; at < (row.num_heads + row.num_kv_heads) * units; at += blockDim.x) {
    int head = at / units, i = at % units * 8;
    if (row.skips(head)) continue;
    const bf16 *from = row.heads + head * row.head_dim + i;
    uint4 x = *reinterpret_cast<const uint4 *>(from);
    uint4 y = *reinterpret_cast<const uint4 *>(from + half);
    uint32_t *xs = &x.x, *ys = &y.x;
#pragma unroll
    for (int pair = 0; pair < 4; pair++) {
      float2 c = *reinterpret_cast<const float2 *>(cos + i + 2 * pair);
      float2 s = *reinterpret_cast<const float2 *>(sin + i + 2 * pair);
      float2 a = unpack(xs[pair]), b = unpack(ys[pair]);
      float2 low = turn(a.x, b.x, c.x, s.x), high = turn(a.y, b.y, c.y, s.y);
      xs[pair] = pack(low.x, high.x);
      ys[pair] = pack(low.y, high.y);
    }
    bf16 *to = row.target(head) + i;
    *reinterpret_cast<uint4 *>(to) = x;
    *reinterpret_cast<uint4 *>(to + half) = y;
  }
  if (!row.kept) return;
  const bf16 *values = row.heads + (row.num_heads + row.num_kv_heads) * row.head_dim;
  int width = row.padded_dim / 8;
  for (int at = threadIdx.x; at < row.num_kv_heads * width; at += blockDim.x) {
    int head = at / width, i = at % width * 8;
    bool padding = i >= row.head_dim;
    uint4 v = make_uint4(0, 0, 0, 0);
    if (padding) *reinterpret_cast<uint4 *>(row.key(head) + i) = v;
    else v = *reinterpret_cast<const uint4 *>(values + head * row.head_dim + i);
    *reinterpret_cast<uint4 *>(row.value(head) + i) = v;
  }
}

// The same for any even size, and for `half` pairs of a head.
static __device__ __forceinline__ void by_elements(const Row &row, const float *cos,
                                                   const float *sin, int half) {
  int rest = row.head_dim - 2 * half;
  for (int at = threadIdx.x; at < row.num_kv_heads * rest; at += blockDim.x) {
    int head = row.num_heads + at / rest, i = 2 * half + at % rest;
    if (!row.skips(head)) row.target(head)[i] = row.heads[head * row.head_dim + i];
  }
  for (int at = threadIdx.x; at < (row.num_heads + row.num_kv_heads) * half; at += blockDim.x) {
    int head = at / half, i = at % half;
    if (row.skips(head)) continue;
    const bf16 *from = row.heads + head * row.head_dim + i;
    float2 turned = turn(__bfloat162float(from[0]), __bfloat162float(from[half]), cos[i], sin[i]);
    bf16 *to = row.target(head) + i;
    to[0] = __float2bfloat16_rn(turned.x);
    to[half] = __float2bfloat16_rn(turned.y);
  }
  if (!row.kept) return;
  const bf16 *values = row.heads + (row.num_heads + row.num_kv_heads) * row.head_dim;
  for (int at = threadIdx.x; at < row.num_kv_heads * row.padded_dim; at += blockDim.x) {
    int head = at / row.padded_dim, i = at % row.padded_dim;
    bool padding = i >= row.head_dim;
    bf16 v = __float2bfloat16_rn(0.0f);
    if (padding) row.key(head)[i] = v;
    else v = values[head * row.head_dim + i];
    row.value(head)[i] = v;
  }
}

extern "C" __global__ void rope_write_kv(bf16 *qkv, bf16 *cache, const float *cos,
                                         const float *sin, const uint32_t *positions,
                                         const uint32_t *slots, int num_heads, int num_kv_heads,
                                         int head_dim, int padded_dim, int num_frequencies) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  Row row(qkv, cache, slots[blockIdx.x], num_heads, num_kv_heads, head_dim, padded_dim);
  size_t angles = size_t(positions[blockIdx.x]) * num_frequencies;
  bool is_whole = 2 * num_frequencies == head_dim;
  if (is_whole && head_dim % 16 == 0) by_units(row, cos + angles, sin + angles);
  else by_elements(row, cos + angles, sin + angles, num_frequencies);
}
