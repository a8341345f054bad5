// Weights that are whole numbers, as src/kernels/cuda/gemm_weights.cuh says that they lie.
#pragma once

#include "checks.h"

enum class Form { BF16, INT8, INT4 };

// `rows` rows of k_padded random codes, their scales, and the bf16 numbers that both stand for.
struct Quantized {
  Memory<uint8_t> codes;
  Memory<uint16_t> scales;
  Memory<bf16> numbers;

  Quantized(Chance &chance, Form form, int rows, int k_padded)
      : codes(form == Form::INT8 ? size_t(rows) * k_padded : size_t(rows) * k_padded / 2),
        scales(size_t(rows) * (k_padded / (form == Form::INT8 ? 64 : 32))),
        numbers(size_t(rows) * k_padded) {
    static const int LEVELS[16] = {-127, -102, -80, -63, -48, -34, -21, -9,
                                   2,    13,   24,  37,  50,  66,  85,  110};
    for (size_t i = 0; i < scales.size(); i++) {
      scales[i] = __float2bfloat16_rn(chance.normal() / 60).bits;
    }
    for (size_t i = 0; i < codes.size(); i++) {
      codes[i] = chance.below(256);
    }
    for (size_t i = 0; i < numbers.size(); i++) {
      const int at = i % k_padded, half = at / 32 % 2, t = at % 32 / 8, j = at % 8;
      const size_t step = i / 64;
      int level;
      if (form == Form::INT8) {
        static const int ORDER[4] = {0, 2, 1, 3};
        level = codes[step * 64 + t * 16 + half * 8 + j / 4 * 4 + ORDER[j % 4]] - 128;
      } else {
        const uint8_t both = codes[step * 32 + t * 8 + half * 4 + j / 2];
        level = LEVELS[j % 2 == 0 ? both & 15 : both >> 4];
      }
      const bf16 scale = {scales[i / (form == Form::INT8 ? 64 : 32)]};
      numbers[i] = __float2bfloat16_rn(level * wide(scale));
    }
  }
};
