// What families do beside products and attention: each compared with its definition.
#include <math.h>

#include "checks.h"

namespace {

constexpr int ROWS = 3;

void check_bias(Report &report, Chance &chance, int width) {
  const std::string what = shape({{"width", width}});
  const Memory<float> bias(random_floats(chance, width));
  const std::vector<float> wide_before = random_floats(chance, size_t(ROWS) * width);
  const std::vector<bf16> before = random_rows(chance, ROWS, width, width);
  Memory<float> sums(wide_before);
  Memory<bf16> heads(before);
  launch({"add_bias_f32", {ROWS}, 256}, add_bias_f32, output(sums), constant(bias), width);
  launch({"add_bias_bf16", {ROWS}, 256}, add_bias_bf16, output(heads), constant(bias), width);
  Worst of_sums, of_heads;
  for (int i = 0; i < ROWS * width; i++) {
    const double expected = wide(before[i]) + double(bias[i % width]);
    of_sums.see(sums[i], wide_before[i] + double(bias[i % width]), 1e-6);
    of_heads.see(wide(heads[i]), expected, allowed_bf16(expected));
  }
  report.compared("add_bias_f32", what, of_sums.error());
  report.compared("add_bias_bf16", what, of_heads.error());
}

// Each row has the bias of its expert.
void check_expert_bias(Report &report, Chance &chance, int width) {
  const std::string what = shape({{"width", width}});
  const Memory<float> biases(random_floats(chance, size_t(4) * width));
  const Memory<uint32_t> experts(std::vector<uint32_t>{0, 3, 3});
  const std::vector<float> wide_before = random_floats(chance, size_t(ROWS) * width);
  const std::vector<bf16> before = random_rows(chance, ROWS, width, width);
  Memory<float> sums(wide_before);
  Memory<bf16> heads(before);
  launch({"add_expert_bias_f32", {ROWS}, 256}, add_expert_bias_f32, output(sums), constant(biases),
         input(experts), width);
  launch({"add_expert_bias_bf16", {ROWS}, 256}, add_expert_bias_bf16, output(heads),
         constant(biases), input(experts), width);
  Worst of_sums, of_heads;
  for (int i = 0; i < ROWS * width; i++) {
    const double bias = biases[size_t(experts[i / width]) * width + i % width];
    of_sums.see(sums[i], wide_before[i] + bias, 1e-6);
    of_heads.see(wide(heads[i]), wide(before[i]) + bias, allowed_bf16(wide(before[i]) + bias));
  }
  report.compared("add_expert_bias_f32", what, of_sums.error());
  report.compared("add_expert_bias_bf16", what, of_heads.error());
}

void check_rms_norm_f32(Report &report, Chance &chance, int width) {
  const Memory<float> x(random_floats(chance, size_t(ROWS) * width));
  const Memory<float> weight(random_floats(chance, width));
  Memory<float> out(size_t(ROWS) * width);
  launch({"rms_norm_f32", {ROWS}, 256}, rms_norm_f32, input(x), constant(weight), output(out), width,
         1e-5f);
  Worst worst;
  for (int i = 0; i < ROWS * width; i++) {
    double squares = 0;
    for (int j = 0; j < width; j++) {
      const double v = x[i / width * width + j];
      squares += v * v;
    }
    const double expected = x[i] / sqrt(squares / width + 1e-5) * weight[i % width];
    worst.see(out[i], expected, 1e-5 * (1 + fabs(expected)));
  }
  report.compared("rms_norm_f32", shape({{"width", width}}), worst.error());
}

// Gates and ups far outside of the limit, too.
void check_clamped_swiglu(Report &report, Chance &chance, int width, unsigned parts) {
  const std::string what = shape({{"width", width}, {"parts", parts}});
  const int stride = padded(width);
  std::vector<bf16> numbers = random_rows(chance, ROWS, 2 * width, 2 * width);
  for (bf16 &number : numbers) {
    number = __float2bfloat16_rn(4 * wide(number));
  }
  const Memory<bf16> gate_up(numbers);
  Memory<bf16> out(size_t(ROWS) * stride);
  launch({"clamped_swiglu", {ROWS, parts}, 256}, clamped_swiglu, input(gate_up), output(out), width,
         2 * width, stride, 1.702f, 7.0f);
  Worst worst;
  for (int i = 0; i < ROWS * stride; i++) {
    const int row = i / stride, column = i % stride;
    if (column >= width) {
      worst.see(is_untouched(out[i]), 1, 1e-30);
      continue;
    }
    const double gate = fmin(wide(gate_up[size_t(row) * 2 * width + column]), 7);
    const double up = fmax(fmin(wide(gate_up[size_t(row) * 2 * width + width + column]), 7), -7);
    const double expected = (up + 1) * gate / (1 + exp(-1.702 * gate));
    worst.see(wide(out[i]), expected, allowed_bf16(expected));
  }
  report.compared("clamped_swiglu", what, worst.error());
}

void check_clear(Report &report, int width, unsigned parts) {
  const int stride = width + 3;
  Memory<float> x(size_t(ROWS) * stride);
  launch({"clear_rows", {ROWS, parts}, 256}, clear_rows, output(x), width, stride, 0.0f);
  Worst worst;
  for (int i = 0; i < ROWS * stride; i++) {
    worst.see(i % stride < width ? x[i] : !is_untouched(x[i]), 0, 1e-30);
  }
  report.compared("clear_rows", shape({{"width", width}}), worst.error());
}

// Parts of queries, parts of keys, and values that stay as they are.
void check_norm_heads(Report &report, Chance &chance, int num_q, int num_k, int q_len, int k_len) {
  const std::string what =
      shape({{"queries", num_q}, {"keys", num_k}, {"long", q_len}, {"and", k_len}});
  const int q_width = num_q * q_len, k_width = num_k * k_len, width = q_width + 2 * k_width;
  const Memory<float> q_weight(random_floats(chance, q_len)), k_weight(random_floats(chance, k_len));
  const std::vector<bf16> before = random_rows(chance, ROWS, width, width);
  Memory<bf16> qkv(before);
  constexpr float EPS = 1e-5f;
  launch({"norm_heads", {ROWS, unsigned(num_q + num_k)}, 256}, norm_heads, output(qkv),
         constant(q_weight), constant(k_weight), q_len, k_len, q_width, width, EPS);
  Worst worst;
  for (int at = 0; at < ROWS * width; at++) {
    const int column = at % width;
    if (column >= q_width + k_width) {
      worst.see(wide(qkv[at]), wide(before[at]), 1e-30);
      continue;
    }
    const bool is_query = column < q_width;
    const int len = is_query ? q_len : k_len;
    const int in_part = (is_query ? column : column - q_width) % len;
    double squares = 0;
    for (int i = 0; i < len; i++) {
      const double x = wide(before[at - in_part + i]);
      squares += x * x;
    }
    const double weight = is_query ? q_weight[in_part] : k_weight[in_part];
    const double expected = wide(before[at]) / sqrt(squares / len + EPS) * weight;
    worst.see(wide(qkv[at]), expected, allowed_bf16(expected));
  }
  report.compared("norm_heads", what, worst.error());
}

void check_branch(Report &report, Chance &chance, int hidden, bool is_normed) {
  const std::string what = shape({{"hidden", hidden}, {"normed", is_normed}});
  const Memory<float> branch(random_floats(chance, size_t(ROWS) * hidden));
  const Memory<float> weight(random_floats(chance, hidden));
  const std::vector<float> before = random_floats(chance, size_t(ROWS) * hidden);
  Memory<float> x(before);
  constexpr float EPS = 1e-6f, SCALE = 0.22f;
  if (is_normed) {
    launch({"add_branch", {ROWS}, 256}, add_branch, output(x), input(branch), constant(weight),
           hidden, EPS, SCALE);
  } else {
    launch({"add_branch", {ROWS}, 256}, add_branch, output(x), input(branch),
           static_cast<const float *>(nullptr), hidden, EPS, SCALE);
  }
  Worst worst;
  for (int row = 0; row < ROWS; row++) {
    double squares = 0;
    for (int i = 0; i < hidden; i++) {
      squares += double(branch[row * hidden + i]) * branch[row * hidden + i];
    }
    const double norm = 1 / sqrt(squares / hidden + EPS);
    for (int i = 0; i < hidden; i++) {
      const int at = row * hidden + i;
      const double v = is_normed ? branch[at] * norm * weight[i] : branch[at];
      worst.see(x[at], before[at] + SCALE * v, 1e-5);
    }
  }
  report.compared("add_branch", what, worst.error());
}

void check_changes(Report &report, Chance &chance, int width, unsigned parts) {
  const std::string what = shape({{"width", width}, {"parts", parts}});
  const int stride = width + width % 3;
  const std::vector<float> before = random_floats(chance, size_t(ROWS) * stride);
  Memory<float> scaled(before), capped(before);
  launch({"scale_rows", {ROWS, parts}, 256}, scale_rows, output(scaled), width, stride, 12.0f);
  launch({"softcap_rows", {ROWS, parts}, 256}, softcap_rows, output(capped), width, stride, 0.7f);
  Worst of_scaled, of_capped;
  for (int i = 0; i < ROWS * stride; i++) {
    const bool is_inside = i % stride < width;
    of_scaled.see(scaled[i], is_inside ? before[i] * 12.0 : before[i], 1e-5);
    of_capped.see(capped[i], is_inside ? 0.7 * tanh(before[i] / 0.7) : before[i], 1e-5);
  }
  report.compared("scale_rows", what, of_scaled.error());
  report.compared("softcap_rows", what, of_capped.error());
}

void check_activations(Report &report, Chance &chance, int width, unsigned parts) {
  const std::string what = shape({{"width", width}, {"parts", parts}});
  const int stride = padded(width);
  const Memory<bf16> gate_up(random_rows(chance, ROWS, 2 * width, 2 * width));
  const std::vector<bf16> before = random_rows(chance, ROWS, width, stride);
  Memory<bf16> gated(size_t(ROWS) * stride), bent(before);
  launch({"geglu", {ROWS, parts}, 256}, geglu, input(gate_up), output(gated), width, 2 * width,
         stride);
  launch({"xielu", {ROWS, parts}, 256}, xielu, output(bent), width, stride, 0.8f, 1.3f);
  Worst of_gated, of_bent;
  for (int row = 0; row < ROWS; row++) {
    for (int i = 0; i < stride; i++) {
      const int at = row * stride + i;
      if (i >= width) {
        if (!is_untouched(gated[at])) {
          report.wrong("geglu", what, "writes into the padding of rows");
        }
        of_bent.see(wide(bent[at]), wide(before[at]), 1e-30);
        continue;
      }
      const double gate = wide(gate_up[row * 2 * width + i]);
      const double up = wide(gate_up[row * 2 * width + width + i]);
      const double inner = 0.7978845608 * (gate + 0.044715 * gate * gate * gate);
      const double expected = 0.5 * gate * (1 + tanh(inner)) * up;
      of_gated.see(wide(gated[at]), expected, allowed_bf16(expected));
      const double x = wide(before[at]);
      const double y =
          (x > 0 ? 0.8 * x * x : 1.3 * (expm1(fmin(x, -1e-6)) - x)) + 0.5 * x;
      of_bent.see(wide(bent[at]), y, allowed_bf16(y));
    }
  }
  report.compared("geglu", what, of_gated.error());
  report.compared("xielu", what, of_bent.error());
}

}  // namespace

void check_blocks(Report &report, bool) {
  Chance chance(14);
  for (int width : {1, 63, 576, 3001}) {
    check_bias(report, chance, width);
    check_expert_bias(report, chance, width);
    check_rms_norm_f32(report, chance, width);
    check_branch(report, chance, width, false);
    check_branch(report, chance, width, true);
    for (unsigned parts : {1u, 2u}) {
      check_changes(report, chance, width, parts);
      check_clamped_swiglu(report, chance, width, parts);
      check_clear(report, width, parts);
      check_activations(report, chance, width, parts);
    }
  }
  check_norm_heads(report, chance, 4, 2, 64, 64);
  check_norm_heads(report, chance, 3, 1, 20, 20);
  check_norm_heads(report, chance, 1, 1, 600, 200);
}
