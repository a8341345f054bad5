// What is done to rows one by one, and weights that are made: each compared with its definition.
#include <math.h>

#include "checks.h"

namespace {

constexpr int ROWS = 3;

template <class T> bool is_row_end_untouched(const Memory<T> &out, int rows, int used, int stride) {
  for (int i = 0; i < rows * stride; i++) {
    if (i % stride >= used && !is_untouched(out[i])) {
      return false;
    }
  }
  return true;
}

void check_embedding(Report &report, Chance &chance, int hidden) {
  const std::string what = shape({{"hidden", hidden}});
  constexpr int VOCAB = 20;
  const int k_padded = padded(hidden);
  const Memory<bf16> table(random_rows(chance, VOCAB, hidden, k_padded));
  const Memory<uint32_t> ids(std::vector<uint32_t>{VOCAB - 1, 0, 7});
  Memory<float> x(size_t(ROWS) * hidden);
  launch({"embedding", {ROWS}, 256}, embedding, constant(table), input(ids), output(x), hidden,
         k_padded);
  Worst worst;
  for (int i = 0; i < ROWS * hidden; i++) {
    worst.see(x[i], wide(table[size_t(ids[i / hidden]) * k_padded + i % hidden]), 1e-30);
  }
  report.compared("embedding", what, worst.error());
}

void check_rms_norm(Report &report, Chance &chance, int hidden) {
  const std::string what = shape({{"hidden", hidden}});
  const int k_padded = padded(hidden);
  const Memory<float> x(random_floats(chance, size_t(ROWS) * hidden));
  const Memory<float> weight(random_floats(chance, hidden));
  Memory<bf16> out(size_t(ROWS) * k_padded), alone(k_padded);
  constexpr float EPS = 1e-5f;
  launch({"rms_norm", {ROWS}, 256}, rms_norm, input(x), constant(weight), output(out), hidden,
         k_padded, EPS);
  Worst worst;
  for (int row = 0; row < ROWS; row++) {
    const float *of_row = x.data() + row * hidden;
    double squares = 0;
    for (int i = 0; i < hidden; i++) {
      squares += double(of_row[i]) * of_row[i];
    }
    for (int i = 0; i < hidden; i++) {
      const double expected = of_row[i] / sqrt(squares / hidden + EPS) * weight[i];
      worst.see(wide(out[size_t(row) * k_padded + i]), expected, allowed_bf16(expected));
    }
  }
  report.compared("rms_norm", what, worst.error());
  if (!is_row_end_untouched(out, ROWS, hidden, k_padded)) {
    report.wrong("rms_norm", what, "writes into the padding of rows");
  }
  const Memory<float> last(std::vector<float>(x.data() + 2 * hidden, x.data() + ROWS * hidden));
  launch({"rms_norm", {1}, 256}, rms_norm, input(last), constant(weight), output(alone), hidden,
         k_padded, EPS);
  if (memcmp(alone.data(), out.data() + 2 * k_padded, 2 * hidden) != 0) {
    report.wrong("rms_norm", what, "a row alone has other bits than among others");
  }
}

void check_swiglu(Report &report, Chance &chance, int ffn, int blocks) {
  const std::string what = shape({{"ffn", ffn}, {"blocks", blocks}});
  const int in_stride = 2 * ffn + ffn % 4, out_stride = padded(ffn);
  const Memory<bf16> gate_up(random_rows(chance, ROWS, 2 * ffn, in_stride));
  Memory<bf16> out(size_t(ROWS) * out_stride);
  launch({"swiglu", {ROWS, unsigned(blocks)}, 256}, swiglu, input(gate_up), output(out), ffn,
         in_stride, out_stride);
  Worst worst;
  for (int i = 0; i < ROWS * ffn; i++) {
    const size_t at = size_t(i / ffn) * in_stride + i % ffn;
    const double gate = wide(gate_up[at]), up = wide(gate_up[at + ffn]);
    const double expected = gate / (1 + exp(-gate)) * up;
    worst.see(wide(out[size_t(i / ffn) * out_stride + i % ffn]), expected, allowed_bf16(expected));
  }
  report.compared("swiglu", what, worst.error());
  if (!is_row_end_untouched(out, ROWS, ffn, out_stride)) {
    report.wrong("swiglu", what, "writes into the padding of rows");
  }
}

// Rows of logits with everything that a model may say, one way each.
std::vector<std::vector<float>> odd_logits(Chance &chance, int vocab) {
  std::vector<std::vector<float>> rows(8);
  for (auto &row : rows) {
    row = random_floats(chance, vocab);
  }
  rows[1].assign(vocab, 2.0f);                     // The first of equals.
  rows[2].assign(vocab, -INFINITY);                // Nothing is possible,
  rows[3].assign(vocab, -INFINITY);                // or only the last.
  rows[3][vocab - 1] = -3.0f;
  rows[4].assign(vocab, NAN);
  rows[5][vocab / 2] = NAN;                        // NaN is never the largest.
  rows[6][vocab - 1] = INFINITY;
  rows[7][vocab - 1] = 1000.0f;                    // e^1000 is too large for f32.
  return rows;
}

void check_summary(Report &report, Chance &chance, int vocab) {
  const auto rows = odd_logits(chance, vocab);
  const unsigned num_rows = rows.size();
  constexpr int PART = 8192;
  const unsigned parts = div_ceil(vocab, PART);
  const int stride = vocab + vocab % 3;
  Memory<float> logits(size_t(num_rows) * stride);
  for (size_t row = 0; row < num_rows; row++) {
    std::copy(rows[row].begin(), rows[row].end(), logits.data() + row * stride);
  }
  Memory<Summary> partials(num_rows * parts), out(num_rows);
  launch({"summarize", {parts, num_rows}, 256}, summarize, input(logits), vocab, stride,
         output(partials));
  launch({"summarize_finish", {num_rows}, 32}, summarize_finish, input(partials), int(parts),
         output(out));
  for (unsigned row = 0; row < num_rows; row++) {
    const std::string what = shape({{"vocab", vocab}, {"row", row}});
    int largest = 0;
    bool is_found = false;
    float max = -INFINITY;
    for (int i = 0; i < vocab; i++) {
      if (rows[row][i] > max || (!is_found && rows[row][i] == max)) {
        largest = i, max = rows[row][i], is_found = true;
      }
    }
    double sum = 0;
    for (float logit : rows[row]) {
      sum += exp(double(logit) - max);
    }
    const double log_sum = max + log(sum);
    Worst worst;
    if (log_sum == log_sum) {
      worst.see(out[row].sum, log_sum, 1e-5 * (1 + fabs(log_sum)));
    } else if (out[row].sum == out[row].sum) {
      report.wrong("summarize_finish", what, "a sum of nothing, or of NaN, is a number");
    }
    report.compared("summarize", what, worst.error());
    report.compared("summarize_finish", what, worst.error());
    if (out[row].index != unsigned(largest) || out[row].max != max) {
      report.wrong("summarize", what, "not the largest logit: " + std::to_string(out[row].index));
    }
  }
}

// As `random_weight` in src/kernels/cpu/packed/source.rs.
float random_weight(uint32_t seed, uint64_t at) {
  uint32_t hash = seed ^ uint32_t(at);
  hash += uint32_t(at >> 32) * 0x9e3779b9u;
  hash = (hash ^ hash >> 16) * 0x7feb352du;
  hash = (hash ^ hash >> 15) * 0x846ca68bu;
  hash ^= hash >> 16;
  int sum = 0;
  for (int byte = 0; byte < 4; byte++) {
    sum += hash >> 8 * byte & 255;
  }
  return float(sum - 510) * (0.02f / 147.8f);
}

// A part of a matrix whose rows are longer by `left_out` numbers on either side.
void check_weights(Report &report, int rows, int k, int left_out, uint32_t seed) {
  const std::string what = shape({{"rows", rows}, {"k", k}, {"left out", left_out}});
  const int first_row = left_out, row_len = k + 2 * left_out;
  const int k_padded = padded(k);
  Memory<bf16> out(size_t(rows) * k_padded);
  launch({"fill_random_weights", {2}, 256}, fill_random_weights, output(out), rows, k, k_padded,
         seed, first_row, left_out, row_len);
  Worst worst;
  for (int i = 0; i < rows * k; i++) {
    const uint64_t at = uint64_t(first_row + i / k) * row_len + left_out + i % k;
    const bf16 expected = __float2bfloat16_rn(random_weight(seed, at));
    worst.see(wide(out[size_t(i / k) * k_padded + i % k]), wide(expected), 1e-30);
  }
  report.compared("fill_random_weights", what, worst.error());
  if (!is_row_end_untouched(out, rows, k, k_padded)) {
    report.wrong("fill_random_weights", what, "writes into the padding of rows");
  }
}

void check_gather(Report &report, Chance &chance, int width) {
  const std::string what = shape({{"width", width}});
  const Memory<float> x(random_floats(chance, size_t(5) * width));
  const Memory<uint32_t> rows(std::vector<uint32_t>{4, 0, 4});
  Memory<float> out(size_t(ROWS) * width);
  launch({"gather_rows", {ROWS}, 256}, gather_rows, input(x), input(rows), output(out), width);
  Worst worst;
  for (int i = 0; i < ROWS * width; i++) {
    worst.see(out[i], x[size_t(rows[i / width]) * width + i % width], 1e-30);
  }
  report.compared("gather_rows", what, worst.error());
}

}  // namespace

void check_rows(Report &report, bool is_long) {
  Chance chance(12);
  std::vector<int> widths = {48, 577, 4096, 5123, 8196};
  std::vector<int> vocabs = {5, 1000, 8192, 20003, 49152};
  if (is_long) {
    widths.insert(widths.end(), {1, 63, 16384, 18433});
    vocabs.insert(vocabs.end(), {151936, 262147});
  }
  for (int width : widths) {
    check_embedding(report, chance, width);
    check_rms_norm(report, chance, width);
    check_gather(report, chance, width);
    check_weights(report, ROWS, width, 0, 7 + width);
    check_weights(report, ROWS, width, 37, 7 + width);
  }
  for (int ffn : {80, 83, 3000, 3001}) {
    for (int blocks : {1, 2}) {
      check_swiglu(report, chance, ffn, blocks);
    }
  }
  for (int vocab : vocabs) {
    check_summary(report, chance, vocab);
  }
}
