// What stands in assembly in src/kernels/cuda/instructions.cuh, for the machine of machine.h. What
// each does is said there.
#pragma once

#include <string.h>

static inline void wait_for_previous_kernel() { machine::wait_for_previous_kernel(); }

static inline void let_next_kernel_start() {}

static inline uint32_t shared_address(const void *p) { return machine::shared_address(p); }

struct Product {
  float *d;
  uint32_t a[4], b[2];
};

// Half of a pair of bf16, the lower or the upper.
static inline float half_of(uint32_t pair, int half) {
  const uint32_t bits = half == 0 ? pair << 16 : pair & 0xffff0000;
  float number;
  memcpy(&number, &bits, sizeof number);
  return number;
}

// Each product is added in order of k and rounded, so that sums in another order have other bits.
static inline void multiply(void *const *lanes) {
  float a[16][16], b[16][8];
  for (int lane = 0; lane < 32; lane++) {
    const Product &own = *static_cast<const Product *>(lanes[lane]);
    const int g = lane / 4, t = lane % 4;
    for (int half = 0; half < 2; half++) {
      for (int i = 0; i < 4; i++) {
        a[g + i % 2 * 8][2 * t + i / 2 * 8 + half] = half_of(own.a[i], half);
      }
      for (int i = 0; i < 2; i++) {
        b[2 * t + i * 8 + half][g] = half_of(own.b[i], half);
      }
    }
  }
  float d[16][8];
  for (int lane = 0; lane < 32; lane++) {
    for (int i = 0; i < 4; i++) {
      d[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2] = static_cast<Product *>(lanes[lane])->d[i];
    }
  }
  for (int m = 0; m < 16; m++) {
    for (int k = 0; k < 16; k++) {
      for (int n = 0; n < 8; n++) {
        d[m][n] += a[m][k] * b[k][n];
      }
    }
  }
  for (int lane = 0; lane < 32; lane++) {
    for (int i = 0; i < 4; i++) {
      static_cast<Product *>(lanes[lane])->d[i] = d[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
    }
  }
}

static inline void mma(float (&d)[4], uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3,
                       uint32_t b0, uint32_t b1) {
  Product own = {d, {a0, a1, a2, a3}, {b0, b1}};
  machine::meet_in_warp(&own, multiply);
}

struct Matrices {
  uint32_t *r;
  uint32_t address;
};

template <bool TRANSPOSED> static void load_four(void *const *lanes) {
  auto row = [&](int matrix, int row) {
    const uint32_t address = static_cast<Matrices *>(lanes[8 * matrix + row])->address;
    return static_cast<const uint16_t *>(machine::shared_memory(address, 16));
  };
  for (int matrix = 0; matrix < 4; matrix++) {
    unsigned banks = 0;
    for (int i = 0; i < 8; i++) {
      banks |= 1u << static_cast<Matrices *>(lanes[8 * matrix + i])->address / 16 % 8;
    }
    if (banks != 0xff) {
      machine::fail("the rows of a matrix lie in the same banks");
    }
    for (int lane = 0; lane < 32; lane++) {
      const int g = lane / 4, t = lane % 4;
      const uint32_t low = TRANSPOSED ? row(matrix, 2 * t)[g] : row(matrix, g)[2 * t];
      const uint32_t high = TRANSPOSED ? row(matrix, 2 * t + 1)[g] : row(matrix, g)[2 * t + 1];
      static_cast<Matrices *>(lanes[lane])->r[matrix] = low | high << 16;
    }
  }
}

static inline void load_matrices(uint32_t (&r)[4], uint32_t address) {
  Matrices own = {r, address};
  machine::meet_in_warp(&own, load_four<false>);
}

static inline void load_transposed(uint32_t (&r)[4], uint32_t address) {
  Matrices own = {r, address};
  machine::meet_in_warp(&own, load_four<true>);
}

static inline void copy_async(void *to, const void *from, bool valid) {
  machine::start_copy(to, from, valid);
}

static inline void commit_copies() { machine::commit_copies(); }

template <int N> static inline void wait_for_copies() { machine::wait_for_copies(N); }

static inline uint4 load_weights(const uint4 *from) { return *from; }
static inline uint2 load_weights(const uint2 *from) { return *from; }

static inline uint4 load_row(const uint4 *from) { return *from; }

static inline int cluster_rank() { return machine::cluster_rank(); }

static inline void cluster_barrier() { machine::meet_in_cluster(); }

static inline float4 load_of_rank(const float *own, int rank) {
  return *static_cast<const float4 *>(machine::shared_memory_of_rank(own, rank));
}

static inline float exp2_fast(float x) { return exp2f(x); }

static inline uint32_t opaque(uint32_t x) { return x; }
