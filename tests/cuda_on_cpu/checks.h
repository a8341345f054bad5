// Groups of checks, and what they share.
#pragma once

#include <string.h>

#include <string>
#include <vector>

#include "chance.h"
#include "kernels.h"
#include "report.h"

void check_products(Report &report, bool is_long);
void check_quantized(Report &report, bool is_long);
void check_experts(Report &report, bool is_long);
void check_rows(Report &report, bool is_long);
void check_choices(Report &report, bool is_long);
void check_rope(Report &report, bool is_long);
void check_blocks(Report &report, bool is_long);
void check_attention(Report &report, bool is_long);

using machine::constant;
using machine::input;
using machine::launch;
using machine::Memory;
using machine::output;

inline int div_ceil(int a, int b) { return (a + b - 1) / b; }
inline int padded(int k) { return div_ceil(k, 64) * 64; }

// As memory starts: nothing was written here.
inline bool is_untouched(bf16 number) { return number.bits == 0xffff; }
inline bool is_untouched(float number) {
  uint32_t bits;
  memcpy(&bits, &number, sizeof bits);
  return bits == ~0u;
}

template <class T> bool same_bits(const T &a, const T &b) { return memcmp(&a, &b, sizeof a) == 0; }

inline float wide(bf16 number) { return __bfloat162float(number); }
inline float wide(float number) { return number; }

// What rounding to bf16 may change, and a little for sums in f32.
inline double allowed_bf16(double expected) {
  return 0.005 * (expected < 0 ? -expected : expected) + 1e-4;
}

// Rows of k random numbers, each with zeros up to its stride.
inline std::vector<bf16> random_rows(Chance &chance, int rows, int k, int stride) {
  std::vector<bf16> numbers(static_cast<size_t>(rows) * stride, bf16{0});
  for (int row = 0; row < rows; row++) {
    for (int i = 0; i < k; i++) {
      numbers[static_cast<size_t>(row) * stride + i] = __float2bfloat16_rn(chance.normal());
    }
  }
  return numbers;
}

inline std::vector<float> random_floats(Chance &chance, size_t count) {
  std::vector<float> numbers(count);
  for (float &number : numbers) {
    number = chance.normal();
  }
  return numbers;
}

// "name 1 name 2", to say which launch is meant.
inline std::string shape(std::initializer_list<std::pair<const char *, double>> parts) {
  std::string text;
  for (const auto &[name, value] : parts) {
    char part[64];
    snprintf(part, sizeof part, "%s%s %g", text.empty() ? "" : ", ", name, value);
    text += part;
  }
  return text;
}
