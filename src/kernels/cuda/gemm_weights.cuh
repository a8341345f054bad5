// How the weights of a product lie in memory, and how they become what the tensor core takes.
//
// A form is a struct of where a matrix lies. Its numbers are read by units: what one lane takes of
// a row at once, one chunk of bf16 or two chunks of codes. A product with codes has the same bits as
// one with the bf16 weights that number times scale rounds to: tests/cuda_on_cpu/products.cpp holds
// all forms against each other.
//
// Codes lie row by row, and in a row by steps of 64 inputs. A step has the units of the lanes
// t = 0 .. 3 one after the other; unit t has inputs 8t .. 8t + 7 of the step's first chunk and then
// those of its second, in the order in which they are taken apart (below). Scales, bf16 unless said
// otherwise, lie row by row too.
#pragma once

#include "gemm.cuh"

static __device__ __forceinline__ uint32_t minus(uint32_t a, uint32_t b) {
  __nv_bfloat162 pair = __hsub2(*reinterpret_cast<__nv_bfloat162 *>(&a),
                                *reinterpret_cast<__nv_bfloat162 *>(&b));
  return *reinterpret_cast<uint32_t *>(&pair);
}

static __device__ __forceinline__ uint32_t times(uint32_t a, uint32_t b) {
  __nv_bfloat162 pair = __hmul2(*reinterpret_cast<__nv_bfloat162 *>(&a),
                                *reinterpret_cast<__nv_bfloat162 *>(&b));
  return *reinterpret_cast<uint32_t *>(&pair);
}

// bf16, row by row.
struct Bf16Weights {
  typedef uint4 Unit;
  // Chunks of a unit.
  static constexpr int CHUNKS = 1;
  // Bytes of 64 inputs of a row.
  static constexpr int STEP_BYTES = 128;
  // Scales of one row and step.
  struct Scales {};
  // Words of shared memory that `dequantize` looks up.
  struct Table {
    __device__ __forceinline__ void fill() {}
    __device__ __forceinline__ const uint32_t *of_lane() const { return nullptr; }
  };

  const bf16 *weights;

  // The matrix behind so many rows.
  __device__ __forceinline__ Bf16Weights from(size_t row, int k_padded) const {
    return {weights + row * k_padded};
  }
  __device__ __forceinline__ const Unit *units(size_t row, int k_padded) const {
    return reinterpret_cast<const uint4 *>(weights + row * k_padded);
  }
  __device__ __forceinline__ Scales scales_of(size_t, int, int) const { return {}; }
  // Where a lane finds its unit among 64 inputs of a row in shared memory: odd rows have their
  // halves exchanged, so that eight lanes that read two rows' 64 bytes at once meet all banks.
  static __device__ __forceinline__ int place(int row, int half, int t) {
    return (half ^ row % 2) * 4 + t;
  }
  static __device__ __forceinline__ uint4 dequantize(const Unit &unit, const Scales &, int,
                                                     const uint32_t *) {
    return unit;
  }
};

// A code a byte, of which 64 share a scale, for a form of its own.
template <class Form, class Scale> struct ByteWeights {
  typedef uint4 Unit;
  typedef Scale Scales;
  static constexpr int CHUNKS = 2;
  static constexpr int STEP_BYTES = 64;
  typedef Bf16Weights::Table Table;

  const uint8_t *codes;
  const Scale *scales;

  __device__ __forceinline__ Form from(size_t row, int k_padded) const {
    return {codes + row * k_padded, scales + row * (k_padded / 64)};
  }
  __device__ __forceinline__ const Unit *units(size_t row, int k_padded) const {
    return reinterpret_cast<const Unit *>(codes + row * k_padded);
  }
  __device__ __forceinline__ Scales scales_of(size_t row, int k_padded, int step) const {
    return scales[row * (k_padded / 64) + step];
  }
  static __device__ __forceinline__ int place(int, int, int t) { return t; }
};

// A code is a number and 128, and 64 inputs share a scale. Of each four codes the two in the middle
// are exchanged, so that two neighbours are apart by two bytes.
struct Int8Weights : ByteWeights<Int8Weights, uint16_t> {
  // Two codes, each in the lower byte of a half: the low seven bits are the digits of a bf16 number
  // from 128 on, from which 256 or, of codes from 128 on, 128 is taken.
  static __device__ __forceinline__ uint32_t numbers(uint32_t codes) {
    return minus((codes & 0x007f007f) | 0x43004300, (codes & 0x00800080) ^ 0x43804380);
  }

  static __device__ __forceinline__ uint4 dequantize(const Unit &unit, Scales scale, int half,
                                                     const uint32_t *) {
    const uint32_t low = half == 0 ? unit.x : unit.z, high = half == 0 ? unit.y : unit.w;
    const uint32_t both = scale * 0x10001u;
    return make_uint4(times(numbers(low), both), times(numbers(low >> 8), both),
                      times(numbers(high), both), times(numbers(high >> 8), both));
  }
};

// FP8 E4M3 (OCP OFP8 1.0) in the order of codes of 8 bits, 64 inputs to an f32 scale. The numbers are
// exact in bf16, and so are the weights where scales are powers of two.
struct Fp8Weights : ByteWeights<Fp8Weights, float> {
  // Two codes, each in the lower byte of a half, times a scale. Four bits of exponent and three of
  // mantissa in the place of bf16's are the number, subnormal ones too, over 2^120 (0x7b80).
  static __device__ __forceinline__ uint32_t weights(uint32_t codes, float scale) {
    const uint32_t signs = (codes & 0x00800080) << 8, magnitudes = (codes & 0x007f007f) << 4;
    const float2 numbers = unpack(times(signs | magnitudes, 0x7b807b80));
    return pack(__fmul_rn(numbers.x, scale), __fmul_rn(numbers.y, scale));
  }

  static __device__ __forceinline__ uint4 dequantize(const Unit &unit, Scales scale, int half,
                                                     const uint32_t *) {
    const uint32_t low = half == 0 ? unit.x : unit.z, high = half == 0 ? unit.y : unit.w;
    return make_uint4(weights(low, scale), weights(low >> 8, scale), weights(high, scale),
                      weights(high >> 8, scale));
  }
};

// As `Int4::LEVELS` in cpu/packed/form.rs.
static __constant__ const signed char LEVELS[16] = {-127, -102, -80, -63, -48, -34, -21, -9,
                                                    2,    13,   24,  37,  50,  66,  85,  110};

// A half-byte is the number of a level, the lower half of a byte that of the first of two inputs,
// and 32 inputs share a scale.
struct Int4Weights {
  typedef uint2 Unit;
  // Of the first chunk in the lower half.
  typedef uint32_t Scales;
  static constexpr int CHUNKS = 2;
  static constexpr int STEP_BYTES = 32;

  // The two levels of each byte, as often as it takes for lanes to seldom meet in a bank.
  struct Table {
    static constexpr int COPIES = 16;
    uint32_t words[256 * COPIES];

    __device__ __forceinline__ void fill() {
      for (int i = threadIdx.x; i < 256 * COPIES; i += NUM_THREADS) {
        const int byte = i / COPIES;
        words[i] = pack(LEVELS[byte & 15], LEVELS[byte >> 4]);
      }
    }
    __device__ __forceinline__ const uint32_t *of_lane() const {
      return words + threadIdx.x % COPIES;
    }
  };

  const uint8_t *codes;
  const uint32_t *scales;

  __device__ __forceinline__ Int4Weights from(size_t row, int k_padded) const {
    return {codes + row * (k_padded / 2), scales + row * (k_padded / 64)};
  }
  __device__ __forceinline__ const Unit *units(size_t row, int k_padded) const {
    return reinterpret_cast<const Unit *>(codes + row * (k_padded / 2));
  }
  __device__ __forceinline__ Scales scales_of(size_t row, int k_padded, int step) const {
    return scales[row * (k_padded / 64) + step];
  }
  static __device__ __forceinline__ int place(int, int, int t) { return t; }

  static __device__ __forceinline__ uint4 dequantize(const Unit &unit, Scales scales, int half,
                                                     const uint32_t *table) {
    const uint32_t codes = half == 0 ? unit.x : unit.y;
    const uint32_t both = (half == 0 ? scales & 0xffff : scales >> 16) * 0x10001u;
    auto levels = [&](int byte) { return table[(codes >> 8 * byte & 255) * Table::COPIES]; };
    return make_uint4(times(levels(0), both), times(levels(1), both), times(levels(2), both),
                      times(levels(3), both));
  }
};
