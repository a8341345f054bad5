// Weights that are codes with scales, as src/kernels/cuda/gemm_weights.cuh says that they lie.
#pragma once

#include <math.h>

#include "checks.h"

enum class Form { BF16, INT8, INT4, FP8 };

inline const char *name_of(Form form) {
  return form == Form::INT8 ? "int8" : form == Form::INT4 ? "int4" : "fp8";
}

// What a byte of FP8 E4M3 is.
inline double e4m3(uint8_t byte) {
  const int exponent = byte >> 3 & 15, mantissa = byte & 7;
  const double size = exponent == 0 ? mantissa / 512.0 : ldexp(8 + mantissa, exponent - 10);
  return byte >> 7 ? -size : size;
}

// `rows` rows of k_padded random codes, their scales in halves of words, and the bf16 numbers that
// both stand for.
struct Quantized {
  Memory<uint8_t> codes;
  Memory<uint16_t> scales;
  Memory<bf16> numbers;

  Quantized(Chance &chance, Form form, int rows, int k_padded)
      : codes(has_bytes(form) ? size_t(rows) * k_padded : size_t(rows) * k_padded / 2),
        scales(size_t(rows) * (k_padded / (form == Form::INT8 ? 64 : 32))),
        numbers(size_t(rows) * k_padded) {
    static const int LEVELS[16] = {-127, -102, -80, -63, -48, -34, -21, -9,
                                   2,    13,   24,  37,  50,  66,  85,  110};
    static const int ORDER[4] = {0, 2, 1, 3};
    for (size_t i = 0; i < scales.size(); i++) {
      scales[i] = __float2bfloat16_rn(chance.normal() / 60).bits;
    }
    for (size_t i = 0; i < codes.size(); i++) {
      codes[i] = chance.below(256);
      if (form == Form::FP8 && (codes[i] & 127) == 127) codes[i] = 1;
    }
    for (size_t i = 0; i < numbers.size(); i++) {
      const int at = i % k_padded, half = at / 32 % 2, t = at % 32 / 8, j = at % 8;
      const size_t step = i / 64;
      const uint8_t byte = has_bytes(form)
                               ? codes[step * 64 + t * 16 + half * 8 + j / 4 * 4 + ORDER[j % 4]]
                               : codes[step * 32 + t * 8 + half * 4 + j / 2];
      float number, scale;
      if (form == Form::FP8) {
        number = e4m3(byte);
        memcpy(&scale, &scales[2 * step], sizeof scale);
      } else {
        number = form == Form::INT8 ? byte - 128 : LEVELS[j % 2 == 0 ? byte & 15 : byte >> 4];
        scale = wide(bf16{scales[i / (form == Form::INT8 ? 64 : 32)]});
      }
      numbers[i] = __float2bfloat16_rn(number * scale);
    }
  }

 private:
  static bool has_bytes(Form form) { return form == Form::INT8 || form == Form::FP8; }
};
