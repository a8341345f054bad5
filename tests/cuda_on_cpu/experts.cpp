// Mixtures of experts: who is chosen, in which order rows come, and products of all experts at once.
#include <math.h>

#include <algorithm>

#include "quantized.h"

namespace {

// As f32 is ordered as a whole.
bool is_larger(float a, float b) {
  auto order = [](float x) {
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits ^ static_cast<int32_t>(static_cast<uint32_t>(bits >> 31) >> 1);
  };
  return order(a) > order(b);
}

void check_route(Report &report, Chance &chance, int rows, int experts, int used, bool of_used) {
  const std::string what = shape({{"rows", rows}, {"experts", experts}, {"used", used}});
  Memory<float> logits(random_floats(chance, size_t(rows) * experts));
  for (int i = 0; i < experts; i++) {
    logits[i] = i % 3;  // The first of equals.
  }
  logits[size_t(rows - 1) * experts + experts / 2] = -INFINITY;
  Memory<uint32_t> chosen(size_t(rows) * used);
  Memory<float> weights(size_t(rows) * used);
  launch({"route", {unsigned(div_ceil(rows, 8))}, 256}, route, input(logits), output(chosen),
         output(weights), rows, experts, used, int(of_used));
  Worst worst;
  for (int row = 0; row < rows; row++) {
    const float *of_row = logits.data() + size_t(row) * experts;
    std::vector<int> order(experts);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return is_larger(of_row[a], of_row[b]); });
    const double max = of_row[order[0]];
    double sum = 0;
    for (int i = 0; i < (of_used ? used : experts); i++) {
      sum += exp(of_row[order[i]] - max);
    }
    std::sort(order.begin(), order.begin() + used);
    for (int i = 0; i < used; i++) {
      if (chosen[size_t(row) * used + i] != uint32_t(order[i])) {
        report.wrong("route", what, "another expert in row " + std::to_string(row));
      }
      worst.see(weights[size_t(row) * used + i], exp(of_row[order[i]] - max) / sum, 1e-5);
    }
  }
  report.compared("route", what, worst.error());
}

// A logit that is NaN is the largest, and what it weighs is NaN.
void check_route_of_nan(Report &report) {
  Memory<float> logits(std::vector<float>{1, 2, NAN, 0});
  Memory<uint32_t> chosen(2);
  Memory<float> weights(2);
  launch({"route", {1}, 256}, route, input(logits), output(chosen), output(weights), 1, 4, 2, 1);
  if (chosen[0] != 1 || chosen[1] != 2 || weights[1] == weights[1]) {
    report.wrong("route", "NaN", "it is hidden");
  }
}

void check_group(Report &report, Chance &chance, int rows, int experts, int used, int tile_rows) {
  const std::string what =
      shape({{"rows", rows}, {"experts", experts}, {"used", used}, {"tile", tile_rows}});
  const int places = rows * used;
  Memory<uint32_t> chosen(places);
  for (int row = 0; row < rows; row++) {
    // Every third expert gets nothing.
    std::vector<int> all;
    for (int expert : chance.order(experts)) {
      if (expert % 3 != 1) all.push_back(expert);
    }
    std::sort(all.begin(), all.begin() + used);
    std::copy(all.begin(), all.begin() + used, chosen.data() + size_t(row) * used);
  }
  const int num_tiles = places / tile_rows + std::min(places, experts);
  Memory<uint4> tiles(num_tiles);
  Memory<uint32_t> order(places), rows_of(places), expert_of(places);
  launch({"group_by_expert", {unsigned(experts)}, 256}, group_by_expert, input(chosen),
         output(tiles), output(order), output(rows_of), output(expert_of), places, used, experts,
         tile_rows, num_tiles);
  int place = 0, tile = 0, num_wrong = 0;
  for (int expert = 0; expert < experts; expert++) {
    const int first = place;
    for (int i = 0; i < places; i++) {
      if (chosen[i] == uint32_t(expert)) {
        num_wrong += order[i] != uint32_t(place) || rows_of[place] != uint32_t(i / used) ||
                     expert_of[place] != uint32_t(expert);
        place++;
      }
    }
    for (int from = first; from < place; from += tile_rows, tile++) {
      const uint4 expected = {uint32_t(expert), uint32_t(from),
                              uint32_t(std::min(tile_rows, place - from)), 0};
      num_wrong += !same_bits(tiles[tile], expected);
    }
  }
  for (; tile < num_tiles; tile++) {
    num_wrong += tiles[tile].z != 0;
  }
  report.compared("group_by_expert", what, num_wrong);
}

void check_linear(Report &report, Chance &chance, int rows, int n, int k) {
  const std::string what = shape({{"rows", rows}, {"n", n}, {"k", k}});
  const Memory<float> weight(random_floats(chance, size_t(n) * k));
  const Memory<float> x(random_floats(chance, size_t(rows) * k));
  Memory<float> out(size_t(rows) * n), alone(n);
  launch({"linear_f32", {unsigned(div_ceil(n, 8)), unsigned(div_ceil(rows, 8))}, 256}, linear_f32,
         constant(weight), input(x), output(out), rows, n, k);
  Worst worst;
  for (int i = 0; i < rows * n; i++) {
    double sum = 0;
    for (int j = 0; j < k; j++) {
      sum += double(x[size_t(i / n) * k + j]) * weight[size_t(i % n) * k + j];
    }
    worst.see(out[i], sum, 1e-5 * (fabs(sum) + 10));
  }
  report.compared("linear_f32", what, worst.error());
  const Memory<float> last(std::vector<float>(x.data() + size_t(rows - 1) * k, x.data() + x.size()));
  launch({"linear_f32", {unsigned(div_ceil(n, 8)), 1}, 256}, linear_f32, constant(weight),
         input(last), output(alone), 1, n, k);
  if (memcmp(alone.data(), out.data() + size_t(rows - 1) * n, n * sizeof(float)) != 0) {
    report.wrong("linear_f32", what, "a row alone has other bits than among others");
  }
}

void check_moved_rows(Report &report, Chance &chance, int width) {
  const std::string what = shape({{"width", width}});
  const int stride = padded(width), places = 5;
  const Memory<float> x(random_floats(chance, size_t(places) * width));
  const Memory<uint32_t> rows(std::vector<uint32_t>{2, 0, 2, 4, 1});
  Memory<bf16> gathered(size_t(places) * stride), all(size_t(places) * stride);
  launch({"gather_inputs", {places}, 256}, gather_inputs, input(x), input(rows), output(gathered),
         width, stride);
  launch({"gather_inputs", {places}, 256}, gather_inputs, input(x), nullptr, output(all), width,
         stride);
  int num_wrong = 0;
  for (int i = 0; i < places * stride; i++) {
    const int row = i / stride, column = i % stride;
    auto number = [&](int from) { return __float2bfloat16_rn(x[size_t(from) * width + column]); };
    num_wrong += column < width ? !same_bits(gathered[i], number(rows[row])) ||
                                      !same_bits(all[i], number(row))
                                : !is_untouched(gathered[i]) || !is_untouched(all[i]);
  }
  report.compared("gather_inputs", what, num_wrong);

  const std::vector<float> before = random_floats(chance, size_t(2) * width);
  Memory<float> sums(before), gated(before);
  const Memory<uint32_t> order(std::vector<uint32_t>{4, 1, 0, 3});
  const Memory<float> weights(random_floats(chance, 4));
  launch({"add_experts", {2, 2}, 256}, add_experts, output(sums), input(x), input(order),
         input(weights), width, 2);
  launch({"add_experts", {2, 1}, 256}, add_experts, output(gated), input(x), nullptr,
         input(weights), width, 1);
  Worst worst;
  for (int i = 0; i < 2 * width; i++) {
    const int row = i / width, column = i % width;
    auto of = [&](int place) { return x[size_t(place) * width + column]; };
    const float first = fmaf(weights[2 * row], of(order[2 * row]), before[i]);
    // In this order.
    worst.see(sums[i], fmaf(weights[2 * row + 1], of(order[2 * row + 1]), first), 1e-30);
    worst.see(gated[i], fmaf(weights[row], of(row), before[i]), 1e-30);
  }
  report.compared("add_experts", what, worst.error());
}

void check_gates(Report &report, Chance &chance, int count) {
  const std::vector<float> before = random_floats(chance, count);
  Memory<float> x(before);
  launch({"gates", {unsigned(div_ceil(count, 256))}, 256}, gates, output(x), count);
  Worst worst;
  for (int i = 0; i < count; i++) {
    worst.see(x[i], 1 / (1 + exp(-double(before[i]))), 1e-6);
  }
  report.compared("gates", shape({{"count", count}}), worst.error());
}

enum Mode { STORE_BF16, STORE_F32, SWIGLU };

struct Variant {
  const char *name;
  Form form;
  ExpertsKernel *kernels[3];
  QuantizedExpertsKernel *quantized[3];
  int rows, outputs, gated_outputs, shared;
};

#define KERNELS(NAME) {NAME##_store_bf16, NAME##_store_f32, NAME##_swiglu}
#define BF16(NAME) #NAME, Form::BF16, KERNELS(NAME), {}
#define QUANTIZED(FORM, NAME) #NAME, Form::FORM, {}, KERNELS(NAME)
const Variant VARIANTS[] = {
    {BF16(gemm_experts_bf16_rows_1), 8, 16, 16, 0},
    {BF16(gemm_experts_bf16_rows_2), 16, 32, 16, 0},
    {BF16(gemm_experts_bf16_single), 64, 128, 64, 98304},
    {BF16(gemm_experts_bf16_large), 128, 128, 64, 131072},
    {QUANTIZED(INT8, gemm_experts_int8_rows_1), 8, 16, 16, 0},
    {QUANTIZED(INT8, gemm_experts_int8_rows_2), 16, 32, 16, 0},
    {QUANTIZED(INT8, gemm_experts_int8_single), 64, 128, 64, 67584},
    {QUANTIZED(INT8, gemm_experts_int8_large), 128, 128, 64, 98304},
    {QUANTIZED(INT4, gemm_experts_int4_rows_1), 8, 16, 16, 0},
    {QUANTIZED(INT4, gemm_experts_int4_rows_2), 16, 32, 16, 0},
    {QUANTIZED(INT4, gemm_experts_int4_single), 64, 128, 64, 67584},
    {QUANTIZED(INT4, gemm_experts_int4_large), 128, 128, 64, 98304},
    {QUANTIZED(FP8, gemm_experts_fp8_rows_1), 8, 16, 16, 0},
    {QUANTIZED(FP8, gemm_experts_fp8_rows_2), 16, 32, 16, 0},
    {QUANTIZED(FP8, gemm_experts_fp8_single), 64, 128, 64, 67584},
    {QUANTIZED(FP8, gemm_experts_fp8_large), 128, 128, 64, 98304},
};

// Rows of three experts, the second without any, and what gemm_rows makes of each row.
template <class T>
void check_products(Report &report, Chance &chance, Mode mode, Form form, int n, int k) {
  constexpr int EXPERTS = 3, COUNTS[EXPERTS] = {21, 0, 70}, ROWS = 91;
  const char *const modes[] = {"_store_bf16", "_store_f32", "_swiglu"};
  const int k_padded = padded(k), of_expert = mode == SWIGLU ? 2 * n : n, stride = n + 1;
  const Quantized quantized(chance, form, EXPERTS * of_expert, k_padded);
  const std::vector<bf16> rows = random_rows(chance, ROWS, k, k_padded);
  const Memory<bf16> x(rows);
  auto part = [&](const auto &numbers, int first, int count) {
    const auto start = numbers + size_t(first) * k_padded;
    return Memory<bf16>(std::vector<bf16>(start, start + size_t(count) * k_padded));
  };
  std::vector<T> expected(size_t(ROWS) * stride);
  ProductKernel *const plain[] = {gemm_rows_2_store_bf16, gemm_rows_2_store_f32, gemm_rows_2_swiglu};
  for (int expert = 0, first = 0; expert < EXPERTS; first += COUNTS[expert++]) {
    const Memory<bf16> weight = part(quantized.numbers.data(), expert * of_expert, of_expert);
    for (int from = 0; from < COUNTS[expert]; from += 16) {
      const int count = std::min(16, COUNTS[expert] - from);
      const Memory<bf16> some = part(rows.data(), first + from, count);
      Memory<T> out(size_t(count) * stride);
      launch({"gemm_rows_2", {unsigned(div_ceil(n, mode == SWIGLU ? 16 : 32))}, 256}, plain[mode],
             constant(weight), input(some), output(out), count, n, k_padded, stride);
      std::copy(out.data(), out.data() + out.size(),
                expected.data() + size_t(first + from) * stride);
    }
  }
  for (const Variant &variant : VARIANTS) {
    if (variant.form != form) continue;
    std::vector<uint4> list;
    for (int expert = 0, first = 0; expert < EXPERTS; first += COUNTS[expert++]) {
      for (int from = 0; from < COUNTS[expert]; from += variant.rows) {
        list.push_back({uint32_t(expert), uint32_t(first + from),
                        uint32_t(std::min(variant.rows, COUNTS[expert] - from)), 0});
      }
    }
    list.push_back({0, 0, 0, 0});
    const Memory<uint4> tiles(list);
    Memory<T> out(size_t(ROWS) * stride);
    const std::string kernel = std::string(variant.name) + modes[mode];
    const int outputs = mode == SWIGLU ? variant.gated_outputs : variant.outputs;
    const machine::Launch how = {kernel.c_str(),
                                 {unsigned(div_ceil(n, outputs)), unsigned(list.size())},
                                 256,
                                 variant.shared};
    if (form == Form::BF16) {
      launch(how, variant.kernels[mode], constant(quantized.numbers), input(tiles), input(x),
             output(out), n, k_padded, stride);
    } else {
      launch(how, variant.quantized[mode], constant(quantized.codes), constant(quantized.scales),
             input(tiles), input(x), output(out), n, k_padded, stride);
    }
    int num_wrong = 0;
    for (size_t i = 0; i < expected.size(); i++) {
      num_wrong += i % stride < size_t(n) ? !same_bits(out[i], expected[i]) : !is_untouched(out[i]);
    }
    report.compared(kernel, shape({{"n", n}, {"k", k}}), num_wrong);
  }
}

}  // namespace

void check_experts(Report &report, bool is_long) {
  Chance chance(17);
  for (bool of_used : {true, false}) {
    check_route(report, chance, 9, 8, 2, of_used);
    check_route(report, chance, 3, 128, 8, of_used);
    check_route(report, chance, 2, 512, 10, of_used);
    check_route(report, chance, 2, 5, 5, of_used);
  }
  check_route_of_nan(report);
  for (int tile_rows : {8, 64}) {
    check_group(report, chance, 1, 8, 2, tile_rows);
    check_group(report, chance, 300, 40, 4, tile_rows);
    check_group(report, chance, 5, 512, 10, tile_rows);
  }
  check_linear(report, chance, 3, 5, 77);
  check_linear(report, chance, 17, 33, 520);
  for (int width : {48, 577}) {
    check_moved_rows(report, chance, width);
  }
  check_gates(report, chance, 300);
  std::vector<std::pair<int, int>> sizes = {{144, 200}};
  if (is_long) {
    sizes.insert(sizes.end(), {{33, 1090}, {260, 576}});
  }
  for (auto [n, k] : sizes) {
    for (Form form : {Form::BF16, Form::INT8, Form::INT4, Form::FP8}) {
      check_products<bf16>(report, chance, STORE_BF16, form, n, k);
      check_products<float>(report, chance, STORE_F32, form, n, k);
      check_products<bf16>(report, chance, SWIGLU, form, n, k);
    }
  }
}
