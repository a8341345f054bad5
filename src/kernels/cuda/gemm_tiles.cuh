// The matrix product for many rows: the same bits as gemm_rows.cuh.
//
// A block makes a tile of 128 weight rows by NUM_ROWS rows, through a ring of stages in shared
// memory of 64 numbers of K each. Where few tiles would leave processors idle, a cluster of four
// blocks shares a tile: each takes two of the eight splits, and then a quarter of the rows, for
// which it collects the sums from the others' shared memory. Launch: 256 threads, blocks in one
// dimension, cluster size times tiles; a tile has 128 outputs, or 64 with SwiGLU.
#pragma once

#include "gemm_weights.cuh"

constexpr int TILE_M = 128;
constexpr int LINE = 128;           // bytes of a row of x in a stage
constexpr int PITCH = TILE_M + 4;   // floats of a row of finished sums
constexpr int ROWS_A_COPY = 32;     // rows of x that the block's threads copy at a time
constexpr int TILES_IN_GROUP = 8;

// How a tile is computed. Warps lie in a grid over it, WARPS_M of them along the weight rows.
template <int ROWS, int WARPS, int STAGES, int BLOCKS> struct Tile {
  static constexpr int NUM_ROWS = ROWS;
  static constexpr int WARPS_M = WARPS;
  static constexpr int NUM_STAGES = STAGES;
  static constexpr int CLUSTER = BLOCKS;
  static constexpr int WARP_M = TILE_M / WARPS;
  static constexpr int WARP_ROWS = ROWS * WARPS * 32 / NUM_THREADS;
  // Sums of one split are in registers, and so is the total so far, if there is room.
  static constexpr bool TOTALS_IN_SHARED = WARP_M * WARP_ROWS > 2048;
};

typedef Tile<64, 4, 4, 4> Small;
typedef Tile<128, 2, 4, 4> Medium;
typedef Tile<128, 2, 4, 1> Large;
typedef Tile<256, 2, 2, 1> Wide;

template <class W, class T, int MODE>
static __device__ __forceinline__ void gemm_tiles(const W &weight, const bf16 *x, void *out,
                                                  int num_rows, int n, int k_padded,
                                                  int out_stride) {
  extern __shared__ __align__(128) uint8_t shared[];
#if __CUDA_ARCH__ >= 900
  constexpr int CLUSTER = T::CLUSTER;
#else
  // Without clusters a tile's first block computes all of it.
  constexpr int CLUSTER = 1;
  if (blockIdx.x % T::CLUSTER > 0) {
    return;
  }
#endif
  constexpr int ROWS = T::NUM_ROWS, STAGES = T::NUM_STAGES;
  constexpr int MT = T::WARP_M / 16, NT = T::WARP_ROWS / 8;
  constexpr int SPLITS_A_BLOCK = NUM_SPLITS / CLUSTER;
  static_assert(CLUSTER == 1 || SPLITS_A_BLOCK == 2, "sums are held for two splits at most");
  constexpr int NUM_OUTPUTS = MODE == SWIGLU ? TILE_M / 2 : TILE_M;
  let_next_kernel_start();

  // Tiles in flight at the same time should share weights and rows in the cache: they go through
  // the outputs in groups of a few row tiles, row tiles first.
  const int rank = CLUSTER > 1 ? cluster_rank() : 0;
  const int tile = blockIdx.x / T::CLUSTER;
  const int num_row_tiles = (num_rows + ROWS - 1) / ROWS;
  const int tiles_a_group = (n + NUM_OUTPUTS - 1) / NUM_OUTPUTS * TILES_IN_GROUP;
  const int first_row_tile = tile / tiles_a_group * TILES_IN_GROUP;
  const int height = min(TILES_IN_GROUP, num_row_tiles - first_row_tile);
  const int first_row = (first_row_tile + tile % tiles_a_group % height) * ROWS;
  const int first_output = tile % tiles_a_group / height * NUM_OUTPUTS;

  const int num_chunks = k_padded / CHUNK;
  int split = rank * SPLITS_A_BLOCK;
  const int last_split = split + SPLITS_A_BLOCK;
  const int begin = split_start(split, num_chunks), end = split_start(last_split, num_chunks);
  // A step has two chunks; it begins where a unit does.
  const int first_chunk = begin - begin % W::CHUNKS;
  const int num_steps = (end - first_chunk + 1) / 2;

  // Copies of weights: as many threads as it takes for the bytes of a row's step. With SwiGLU, 16
  // gate rows and the 16 up rows of the same outputs take turns, so that a warp has both.
  constexpr int PARTS = W::STEP_BYTES / 16, LINES_A_COPY = NUM_THREADS / PARTS;
  constexpr int OUTPUT_STEP = MODE == SWIGLU ? LINES_A_COPY / 2 : LINES_A_COPY;
  auto output_of = [&](int line) {
    return first_output + (MODE == SWIGLU ? line / 32 * 16 + line % 16 : line);
  };
  auto weight_row_of = [&](int output, int line) {
    return static_cast<size_t>(output) + (MODE == SWIGLU && line % 32 >= 16 ? n : 0);
  };
  const int weight_line = threadIdx.x / PARTS, part = threadIdx.x % PARTS;
  const int output = output_of(weight_line);
  const uint8_t *weight_from = reinterpret_cast<const uint8_t *>(
      weight.units(weight_row_of(output, weight_line), k_padded));
  weight_from += first_chunk * (W::STEP_BYTES / 2) + part * 16;
  const int row_bytes = k_padded / 64 * W::STEP_BYTES;
  const int weight_to = weight_line * W::STEP_BYTES + W::place(weight_line, part / 4, part % 4) * 16;

  // Copies of x: eight threads take the 128 bytes of a line. Odd lines have their halves exchanged,
  // as those of bf16 weights.
  constexpr int X_FROM = TILE_M * W::STEP_BYTES, STAGE_BYTES = X_FROM + ROWS * LINE;
  const int line = threadIdx.x / 8, unit = threadIdx.x % 8;
  const bf16 *x_from =
      x + static_cast<size_t>(first_row + line) * k_padded + first_chunk * CHUNK + unit * 8;
  const int x_to = X_FROM + line * LINE + (unit ^ line % 2 * 4) * 16;
  auto fetch_weights = [&](int step) {
    // A unit of two chunks never lies across the end of a row.
    const bool is_inside = W::CHUNKS == 2 || first_chunk + 2 * step + part / 4 < end;
#pragma unroll
    for (int i = 0; i < TILE_M / LINES_A_COPY; i++) {
      copy_async(shared + step % STAGES * STAGE_BYTES + weight_to + i * LINES_A_COPY * W::STEP_BYTES,
                 weight_from + static_cast<size_t>(i) * OUTPUT_STEP * row_bytes +
                     step * W::STEP_BYTES,
                 is_inside && output + i * OUTPUT_STEP < n);
    }
  };
  auto fetch_rows = [&](int step) {
    const bool is_inside = first_chunk + 2 * step + unit / 4 < end;
#pragma unroll
    for (int i = 0; i < ROWS / ROWS_A_COPY; i++) {
      copy_async(shared + step % STAGES * STAGE_BYTES + x_to + i * ROWS_A_COPY * LINE,
                 x_from + i * ROWS_A_COPY * k_padded + step * 2 * CHUNK,
                 is_inside && first_row + line + i * ROWS_A_COPY < num_rows);
    }
  };

#pragma unroll
  for (int step = 0; step < STAGES - 1; step++) {
    if (step < num_steps) {
      fetch_weights(step);
    }
  }
  __shared__ typename W::Table table;
  table.fill();
  wait_for_previous_kernel();
#pragma unroll
  for (int step = 0; step < STAGES - 1; step++) {
    if (step < num_steps) {
      fetch_rows(step);
    }
    commit_copies();
  }

  // `held` is the total so far, or in a cluster the block's first split; -0 + p is p, bit for bit.
  float sum[MT][NT][4] = {};
  constexpr int NUM_HELD = T::TOTALS_IN_SHARED ? 1 : MT;
  float held[NUM_HELD][NT][4];
  float4 *const totals =
      reinterpret_cast<float4 *>(shared + STAGES * STAGE_BYTES) + threadIdx.x;
#pragma unroll
  for (int i = 0; i < MT * NT; i++) {
    if (T::TOTALS_IN_SHARED) {
      totals[i * NUM_THREADS] = make_float4(-0.0f, -0.0f, -0.0f, -0.0f);
    } else {
#pragma unroll
      for (int j = 0; j < 4; j++) {
        held[i / NT % NUM_HELD][i % NT][j] = -0.0f;
      }
    }
  }
  auto end_split = [&] {
#pragma unroll
    for (int i = 0; i < MT * NT; i++) {
      float(&ended)[4] = sum[i / NT][i % NT];
      if (T::TOTALS_IN_SHARED) {
        float4 *const total = totals + i * NUM_THREADS;
        *total = add(*total, make_float4(ended[0], ended[1], ended[2], ended[3]));
        if (i % 4 == 3) {
          __syncwarp();  // Or the compiler would fetch all totals at once and run out of registers.
        }
      }
#pragma unroll
      for (int j = 0; j < 4; j++) {
        if (!T::TOTALS_IN_SHARED) {
          held[i / NT % NUM_HELD][i % NT][j] += ended[j];
        }
        ended[j] = 0.0f;
      }
    }
  };

  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int g = lane / 4, t = lane % 4;
  const int warp_m = warp % T::WARPS_M * T::WARP_M, warp_row = warp / T::WARPS_M * T::WARP_ROWS;
  const bool has_rows = first_row + warp_row < num_rows;
  // Scales of the lane's weight rows, those of the next step on their way.
  typename W::Scales scales[MT][2], next_scales[MT][2];
  auto fetch_scales = [&](int step) {
#pragma unroll
    for (int i = 0; i < 2 * MT; i++) {
      const int of = warp_m + i / 2 * 16 + i % 2 * 8 + g;
      const size_t row = weight_row_of(min(output_of(of), n - 1), of);
      next_scales[i / 2][i % 2] = weight.scales_of(row, k_padded, first_chunk / 2 + step);
    }
  };
  if (num_steps > 0) {
    fetch_scales(0);
  }
  int split_end = split_start(split + 1, num_chunks);
  for (int step = 0; step < num_steps; step++) {
    wait_for_copies<STAGES - 2>();
    __syncthreads();
    if (step + STAGES - 1 < num_steps) {
      fetch_weights(step + STAGES - 1);
      fetch_rows(step + STAGES - 1);
    }
    commit_copies();
#pragma unroll
    for (int i = 0; i < 2 * MT; i++) {
      scales[i / 2][i % 2] = next_scales[i / 2][i % 2];
    }
    if (step + 1 < num_steps) {
      fetch_scales(step + 1);
    }
    const uint8_t *const stage = shared + step % STAGES * STAGE_BYTES;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int chunk = first_chunk + 2 * step + half;
      while (chunk == split_end && chunk < end) {
        end_split();
        split += 1;
        split_end = split_start(split + 1, num_chunks);
      }
      if (has_rows && chunk >= begin && chunk < end) {
        uint4 w[MT][2];
#pragma unroll
        for (int i = 0; i < 2 * MT; i++) {
          const int of = warp_m + i / 2 * 16 + i % 2 * 8 + g;
          const typename W::Unit *const units =
              reinterpret_cast<const typename W::Unit *>(stage + of * W::STEP_BYTES);
          w[i / 2][i % 2] = W::dequantize(units[W::place(of, half, t)], scales[i / 2][i % 2], half,
                                          table.of_lane());
        }
        const uint8_t *const from =
            stage + X_FROM + g * LINE + ((half ^ g % 2) * 4 + t) * 16;
        // Eight products that do not wait for each other, in as few registers as that takes.
        constexpr int TOGETHER = 8 / MT;
#pragma unroll
        for (int first = 0; first < NT; first += TOGETHER) {
          uint4 xs[TOGETHER];
#pragma unroll
          for (int i = 0; i < TOGETHER; i++) {
            const int row = warp_row + 8 * (first + i);
            xs[i] = *reinterpret_cast<const uint4 *>(from + row * LINE);
          }
#pragma unroll
          for (int i = 0; i < 8; i++) {
            multiply_half<0>(sum[i % MT][first + i / MT], w[i % MT][0], w[i % MT][1], xs[i / MT]);
          }
#pragma unroll
          for (int i = 0; i < 8; i++) {
            multiply_half<1>(sum[i % MT][first + i / MT], w[i % MT][0], w[i % MT][1], xs[i / MT]);
          }
        }
      }
    }
  }
  // In a cluster the block's second split stays in `sum`.
  for (; split < last_split - (CLUSTER > 1 ? 1 : 0); split++) {
    end_split();
  }
  if (T::TOTALS_IN_SHARED) {
#pragma unroll
    for (int i = 0; i < MT * NT; i++) {
      const float4 total = totals[i * NUM_THREADS];
      sum[i / NT][i % NT][0] = total.x;
      sum[i / NT][i % NT][1] = total.y;
      sum[i / NT][i % NT][2] = total.z;
      sum[i / NT][i % NT][3] = total.w;
    }
  }

  // Through shared memory, so that what is written lies together.
  wait_for_copies<0>();
  __syncthreads();
  float *const sums = reinterpret_cast<float *>(shared);
#pragma unroll
  for (int i = 0; i < MT * NT; i++) {
#pragma unroll
    for (int j = 0; j < 4; j++) {
      const int row = warp_row + i % NT * 8 + 2 * t + j % 2;
      const int at = row * PITCH + warp_m + i / NT * 16 + g + j / 2 * 8;
      if (CLUSTER > 1) {
        sums[at + ROWS * PITCH] = sum[i / NT][i % NT][j];
      }
      const bool is_held = !T::TOTALS_IN_SHARED;
      sums[at] = is_held ? held[i / NT % NUM_HELD][i % NT][j] : sum[i / NT][i % NT][j];
    }
  }
  if (CLUSTER > 1) {
    cluster_barrier();
  } else {
    __syncthreads();
  }

  auto total = [&](int row, int column) {
    const float *const own = sums + row * PITCH + column;
    if constexpr (CLUSTER == 1) {
      return *reinterpret_cast<const float4 *>(own);
    } else {
      float4 parts[NUM_SPLITS];
#pragma unroll
      for (int s = 0; s < NUM_SPLITS; s++) {
        parts[s] = load_of_rank(own + s % SPLITS_A_BLOCK * ROWS * PITCH, s / SPLITS_A_BLOCK);
      }
#pragma unroll
      for (int s = 1; s < NUM_SPLITS; s++) {
        parts[0] = add(parts[0], parts[s]);
      }
      return parts[0];
    }
  };
  constexpr int QUADS = NUM_OUTPUTS / 4;
  const bool is_aligned = out_stride % 4 == 0;
  for (int i = threadIdx.x; i < ROWS / CLUSTER * QUADS; i += NUM_THREADS) {
    const int row = i / QUADS * CLUSTER + rank, column = i % QUADS * 4;
    if (first_row + row >= num_rows || first_output + column >= n) {
      continue;
    }
    float4 v;
    if (MODE == SWIGLU) {
      const int gate_column = column / 16 * 32 + column % 16;
      const float4 gate = total(row, gate_column), up = total(row, gate_column + 16);
      v = make_float4(finish<MODE>(gate.x, up.x), finish<MODE>(gate.y, up.y),
                      finish<MODE>(gate.z, up.z), finish<MODE>(gate.w, up.w));
    } else {
      v = total(row, column);
    }
    store4<MODE>(out, static_cast<size_t>(first_row + row) * out_stride, first_output + column, n,
                 is_aligned, v);
  }
  if (CLUSTER > 1) {
    cluster_barrier();  // A block's shared memory must last until the others have read it.
  }
}

#if __CUDA_ARCH__ >= 900
#define CLUSTER_OF(SIZE) __cluster_dims__(SIZE, 1, 1)
#else
#define CLUSTER_OF(SIZE)
#endif
