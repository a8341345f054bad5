// The matrix products: right, and the same bits whichever kernel computes a row among whichever
// others. How they are launched is written in variants.rs, and here again.
#include <math.h>
#include <string.h>

#include "quantized.h"

namespace {

enum Mode { STORE_BF16, STORE_F32, ADD_F32, SWIGLU };

struct Variant {
  const char *name;
  Form form;
  // Of bf16 weights, or of others.
  ProductKernel *kernels[4];
  QuantizedKernel *quantized[4];
  // Of a block, and with SwiGLU.
  int rows, outputs, gated_outputs;
  int cluster, shared;
  // Whether a launch may have more rows than a block.
  bool is_tiled;
};

#define KERNELS(NAME) {NAME##_store_bf16, NAME##_store_f32, NAME##_add_f32, NAME##_swiglu}
#define BF16(NAME) #NAME, Form::BF16, KERNELS(NAME), {}
#define QUANTIZED(FORM, NAME) #NAME, Form::FORM, {}, KERNELS(NAME)
const Variant VARIANTS[] = {
    {BF16(gemm_rows_1), 8, 16, 16, 1, 0, false},
    {BF16(gemm_rows_2), 16, 32, 16, 1, 0, false},
    {BF16(gemm_tiles_small), 64, 128, 64, 4, 98304, true},
    {BF16(gemm_tiles_medium), 128, 128, 64, 4, 135168, true},
    {BF16(gemm_tiles_large), 128, 128, 64, 1, 131072, true},
    {BF16(gemm_tiles_wide), 256, 128, 64, 1, 229376, true},
    {QUANTIZED(INT8, gemm_int8_rows_1), 8, 16, 16, 1, 0, false},
    {QUANTIZED(INT8, gemm_int8_rows_2), 16, 32, 16, 1, 0, false},
    {QUANTIZED(INT8, gemm_int8_tiles_small), 64, 128, 64, 4, 67584, true},
    {QUANTIZED(INT4, gemm_int4_rows_1), 8, 16, 16, 1, 0, false},
    {QUANTIZED(INT4, gemm_int4_rows_2), 16, 32, 16, 1, 0, false},
    {QUANTIZED(INT4, gemm_int4_tiles_small), 64, 128, 64, 4, 67584, true},
    {QUANTIZED(FP8, gemm_fp8_rows_1), 8, 16, 16, 1, 0, false},
    {QUANTIZED(FP8, gemm_fp8_rows_2), 16, 32, 16, 1, 0, false},
    {QUANTIZED(FP8, gemm_fp8_tiles_small), 64, 128, 64, 4, 67584, true},
};
const char *const MODES[] = {"_store_bf16", "_store_f32", "_add_f32", "_swiglu"};

// A product of as many rows as any launch has, with what it should be. The weights are bf16 numbers
// that the codes of a form stand for, if it is another.
struct Product {
  Mode mode;
  Form form;
  int n, k, k_padded, rows, stride;
  std::vector<bf16> x;
  Quantized quantized;
  Memory<bf16> weight;
  std::vector<float> before;
  std::vector<double> expected;
  // The bits of each output as they were first computed.
  std::vector<float> first;
  std::vector<bool> is_known;

  Product(Chance &chance, Mode mode, Form form, int n, int k, int rows)
      : mode(mode), form(form), n(n), k(k), k_padded(padded(k)), rows(rows),
        // Aligned for vectors with some modes, and not with others.
        stride(mode == STORE_BF16 ? n + 3 : mode == STORE_F32 ? n : div_ceil(n, 4) * 4),
        x(random_rows(chance, rows, k, k_padded)),
        quantized(chance, form, num_outputs(), k_padded),
        weight(form == Form::BF16 ? random_rows(chance, num_outputs(), k, k_padded)
                                  : std::vector<bf16>(quantized.numbers.data(),
                                                      quantized.numbers.data() +
                                                          quantized.numbers.size())),
        before(random_floats(chance, size_t(rows) * n)), expected(size_t(rows) * n),
        first(size_t(rows) * n), is_known(size_t(rows) * n) {
    for (int row = 0; row < rows; row++) {
      for (int output = 0; output < n; output++) {
        double total = dot(row, output);
        if (mode == SWIGLU) total *= dot(row, n + output) / (1 + exp(-total));
        if (mode == ADD_F32) total += before[size_t(row) * n + output];
        expected[size_t(row) * n + output] = total;
      }
    }
  }

  int num_outputs() const { return mode == SWIGLU ? 2 * n : n; }

  double dot(int row, int output) const {
    const bf16 *of_row = &x[size_t(row) * k_padded];
    const bf16 *of_output = &weight[size_t(output) * k_padded];
    double sum = 0;
    for (int i = 0; i < k; i++) {
      sum += double(wide(of_row[i])) * wide(of_output[i]);
    }
    return sum;
  }
};

// Computes `rows` rows from `start` on and compares them.
template <class T>
void check(Report &report, Product &product, const Variant &variant, int start, int rows) {
  const std::string kernel = std::string(variant.name) + MODES[product.mode];
  const int n = product.n, stride = product.stride;
  const std::string what = shape({{"n", n}, {"k", product.k}, {"rows", rows}, {"from", start}});
  const auto first = product.x.begin() + size_t(start) * product.k_padded;
  const Memory<bf16> x(std::vector<bf16>(first, first + size_t(rows) * product.k_padded));
  Memory<T> out(size_t(rows) * stride);
  if constexpr (sizeof(T) == 4) {
    for (int i = 0; product.mode == ADD_F32 && i < rows * n; i++) {
      out[size_t(i / n) * stride + i % n] = product.before[size_t(start) * n + i];
    }
  }
  const int outputs = product.mode == SWIGLU ? variant.gated_outputs : variant.outputs;
  const int tiles = div_ceil(n, outputs) * (variant.is_tiled ? div_ceil(rows, variant.rows) : 1);
  const int cluster = __CUDA_ARCH__ >= 900 ? variant.cluster : 1;
  const machine::Launch how = {kernel.c_str(), {unsigned(variant.cluster * tiles)}, 256,
                               variant.shared, cluster};
  if (variant.form == Form::BF16) {
    launch(how, variant.kernels[product.mode], constant(product.weight), input(x), output(out),
           rows, n, product.k_padded, stride);
  } else {
    launch(how, variant.quantized[product.mode], constant(product.quantized.codes),
           constant(product.quantized.scales), input(x), output(out), rows, n, product.k_padded,
           stride);
  }

  Worst worst;
  int num_other = 0, num_written = 0;
  for (int row = 0; row < rows; row++) {
    for (int output = 0; output < stride; output++) {
      const T got = out[size_t(row) * stride + output];
      if (output >= n) {
        num_written += !is_untouched(got);
        continue;
      }
      const size_t at = size_t(start + row) * n + output;
      const double expected = product.expected[at];
      worst.see(wide(got), expected,
                sizeof(T) == 2 ? allowed_bf16(expected) + 1e-3 : 1e-5 * (fabs(expected) + 10));
      const float value = wide(got);
      num_other += product.is_known[at] && !same_bits(product.first[at], value);
      product.first[at] = value;
      product.is_known[at] = true;
    }
  }
  report.compared(kernel, what, worst.error());
  if (num_other > 0) {
    report.wrong(kernel, what, std::to_string(num_other) + " numbers have other bits");
  }
  if (num_written > 0) {
    report.wrong(kernel, what, std::to_string(num_written) + " numbers are written between rows");
  }
}

// Computes several numbers of rows, up to `most`.
void check_rows(Report &report, Chance &chance, Product &product, const Variant &variant,
                int most) {
  for (int rows : {1, 7, 9, 16, 33, 65, 100, 129, 300, 600}) {
    if (rows > std::min(most, product.rows) || (!variant.is_tiled && rows > variant.rows)) {
      continue;
    }
    const int start = chance.below(product.rows - rows + 1);
    if (product.mode == STORE_BF16 || product.mode == SWIGLU) {
      check<bf16>(report, product, variant, start, rows);
    } else {
      check<float>(report, product, variant, start, rows);
    }
  }
}

struct Shape {
  int n, k, rows;
};

}  // namespace

void check_products(Report &report, bool is_long) {
  Chance chance(11);
  // Splits with no chunk, with a part of a step, and with several; outputs that end in a tile.
  std::vector<Shape> shapes = {{144, 48, 300}, {33, 64, 150}, {100, 200, 140}, {130, 1090, 70}};
  if (is_long) {
    shapes.insert(shapes.end(),
                  {{80, 48, 300}, {260, 576, 600}, {16, 2048, 300}, {130, 4160, 150}});
  }
  for (const Shape &shape : shapes) {
    for (Mode mode : {STORE_BF16, STORE_F32, ADD_F32, SWIGLU}) {
      Product product(chance, mode, Form::BF16, shape.n, shape.k, shape.rows);
      for (const Variant &variant : VARIANTS) {
        if (variant.form == Form::BF16) {
          check_rows(report, chance, product, variant, 600);
        }
      }
      // With codes, the bits are those of the bf16 weights that they stand for.
      for (Form form : {Form::INT8, Form::INT4, Form::FP8}) {
        Product product(chance, mode, form, shape.n, shape.k, std::min(shape.rows, 100));
        check_rows(report, chance, product, VARIANTS[1], 16);
        for (const Variant &variant : VARIANTS) {
          if (variant.form == form) {
            check_rows(report, chance, product, variant, 100);
          }
        }
      }
    }
  }
}
