// Attention: right, and a row's bits are the same whether its token is computed alone or among
// others of its sequence, however these are cut into tiles, and whoever else is in the launch.
#include <math.h>

#include "checks.h"

namespace {

constexpr int BLOCK = 32, CHUNK = 64, PREFILL_ROWS = 128;
// In a block table, for a block that nobody may ask for.
constexpr uint32_t STALE = 0x7fffffff;

struct Kernels {
  int padded_dim;
  const char *names[3];
  DecodeKernel *decode;
  CombineKernel *combine;
  PrefillKernel *prefill;
};

#define KERNELS(D)                                                                       \
  {                                                                                      \
    D, {"attention_decode_" #D, "attention_combine_" #D, "attention_prefill_" #D},       \
        attention_decode_##D, attention_combine_##D, attention_prefill_##D               \
  }
const Kernels ALL_KERNELS[] = {KERNELS(16), KERNELS(32), KERNELS(64), KERNELS(128), KERNELS(256)};

struct Case {
  int num_heads, num_kv_heads, dim;
  // Tokens of each sequence.
  std::vector<int> lens;
  int window = 0;
  float softcap = 0;
  bool has_sinks = false;
  int workers = 1;
  // Tokens of tiles, in turn.
  std::vector<int> cuts = {PREFILL_ROWS};

  int group() const { return num_heads / num_kv_heads; }
  int width() const { return (num_heads + 2 * num_kv_heads) * dim; }
  int first_seen(int position) const { return window > 0 ? max(0, position + 1 - window) : 0; }
};

// A token of a sequence.
struct Token {
  int sequence, position;
};

class Check {
 public:
  Check(Report &report, Chance &chance, const Case &c)
      : report(report), chance(chance), c(c), kernels(kernels_for(c.dim)), qkv(0), cache(0),
        sinks(random_floats(chance, c.num_heads)),
        what(shape({{"heads", c.num_heads}, {"kv heads", c.num_kv_heads}, {"size", c.dim},
                    {"window", c.window}, {"softcap", c.softcap}, {"sinks", c.has_sinks},
                    {"tokens", c.lens[0]}})) {
    make_tables();
    fill_cache();
  }

  void run() {
    std::vector<Token> all, some, last;
    for (int s = 0; s < num_sequences(); s++) {
      for (int p = 0; p < c.lens[s]; p++) {
        all.push_back({s, p});
        const bool is_last = p == c.lens[s] - 1;
        if (p < 2 || p % CHUNK == 0 || is_last || chance.below(24) == 0) some.push_back({s, p});
        if (is_last) last.push_back({s, p});
      }
    }
    const Memory<bf16> first = prefill(c.cuts, all, tables);
    compare(kernels.names[2], first, all);
    expect_same(kernels.names[2], prefill({PREFILL_ROWS}, all, tables), first, all);
    const Memory<bf16> decoded = decode(some, c.workers, tables);
    compare(kernels.names[1], decoded, some);
    report.compared(kernels.names[0], what, 0);
    expect_same(kernels.names[0], decoded, first, some);
    // What the last tokens do not see has left the cache.
    const std::vector<uint32_t> now = without_unseen(last);
    expect_same(kernels.names[0], decode(last, c.workers + 2, now), first, last);
    expect_same(kernels.names[2], prefill({1}, last, now), first, last);
    expect_same(kernels.names[0], decode({last[0]}, 1, now), first, {last[0]});
  }

 private:
  static const Kernels &kernels_for(int dim) {
    const Kernels *found = ALL_KERNELS;
    while (found->padded_dim < dim) found++;
    return *found;
  }

  int num_sequences() const { return c.lens.size(); }
  int row_of(Token token) const { return rows_before[token.sequence] + token.position; }
  int stride() const { return padded(c.num_heads * c.dim); }

  // Blocks of sequences lie anywhere, and a block past a sequence's end is stale.
  void make_tables() {
    int num_blocks = 1, num_rows = 0;
    for (int len : c.lens) {
      num_blocks += div_ceil(len, BLOCK);
    }
    const std::vector<int> blocks = chance.order(num_blocks);
    auto next = blocks.begin();
    for (int len : c.lens) {
      rows_before.push_back(num_rows);
      num_rows += len;
      table_starts.push_back(tables.size());
      tables.insert(tables.end(), next, next + div_ceil(len, BLOCK));
      next += div_ceil(len, BLOCK);
      tables.push_back(STALE);
    }
    total_rows = num_rows;
    total_blocks = num_blocks;
  }

  // Slots that hold no token keep the NaN that memory starts with.
  void fill_cache() {
    const int dim = c.dim, padded_dim = kernels.padded_dim;
    qkv = Memory<bf16>(random_rows(chance, total_rows, c.width(), c.width()));
    cache = Memory<bf16>(size_t(total_blocks) * 2 * c.num_kv_heads * BLOCK * padded_dim);
    for (int s = 0; s < num_sequences(); s++) {
      for (int p = 0; p < c.lens[s]; p++) {
        for (int head = 0; head < 2 * c.num_kv_heads; head++) {
          const size_t block = tables[table_starts[s] + p / BLOCK];
          bf16 *to = cache.data() +
                     ((block * 2 * c.num_kv_heads + head) * BLOCK + p % BLOCK) * padded_dim;
          for (int i = 0; i < padded_dim; i++) {
            to[i] = i < dim ? kept(row_of({s, p}), head)[i] : bf16{0};
          }
        }
      }
    }
  }

  const bf16 *kept(int row, int head) const {
    return qkv.data() + size_t(row) * c.width() + (c.num_heads + head) * c.dim;
  }

  std::vector<uint32_t> without_unseen(const std::vector<Token> &tokens) const {
    std::vector<uint32_t> now = tables;
    for (Token token : tokens) {
      for (int block = 0; block < c.first_seen(token.position) / BLOCK; block++) {
        now[table_starts[token.sequence] + block] = STALE;
      }
    }
    return now;
  }

  // Computes tokens that follow one another in tiles.
  Memory<bf16> prefill(const std::vector<int> &cuts, const std::vector<Token> &tokens,
                       const std::vector<uint32_t> &table_list) {
    const int most = max(1, PREFILL_ROWS / min(c.group(), PREFILL_ROWS));
    std::vector<uint32_t> list;
    for (size_t i = 0, cut = 0; i < tokens.size(); cut++) {
      const int wanted = min(cuts[cut % cuts.size()], most);
      int num = 1;
      while (num < wanted && i + num < tokens.size() &&
             tokens[i + num].sequence == tokens[i].sequence) {
        num++;
      }
      list.insert(list.end(), {uint32_t(row_of(tokens[i])), uint32_t(tokens[i].position),
                               uint32_t(num), table_starts[tokens[i].sequence]});
      i += num;
    }
    const Memory<uint32_t> tiles(list), tables(table_list);
    Memory<bf16> out(size_t(total_rows) * stride());
    const int parts = div_ceil(c.group(), PREFILL_ROWS), padded_dim = kernels.padded_dim;
    const machine::Launch how = {kernels.names[2],
                                 {unsigned(list.size() / 4), unsigned(c.num_kv_heads * parts)},
                                 padded_dim == 256 ? 256 : 128, 768 * padded_dim};
    auto start = [&](auto sinks) {
      launch(how, kernels.prefill, input(qkv), input(cache), output(out), sinks, input(tiles),
             input(tables), c.num_heads, c.num_kv_heads, c.dim, stride(), scale(), c.softcap,
             c.window);
    };
    if (c.has_sinks) start(constant(sinks));
    else start(nullptr);
    return out;
  }

  // Computes tokens as if each were the only new one of a sequence, with padding between them.
  Memory<bf16> decode(const std::vector<Token> &tokens, int workers,
                      const std::vector<uint32_t> &table_list) {
    std::vector<uint32_t> row_list, len_list, start_list, chunk_list;
    uint32_t num_chunks = 0;
    for (size_t i = 0; i < tokens.size(); i++) {
      const auto [sequence, position] = tokens[i];
      if (i % 5 == 1) {
        row_list.push_back(0), len_list.push_back(0);
        start_list.push_back(0), chunk_list.push_back(num_chunks);
      }
      row_list.push_back(row_of(tokens[i])), len_list.push_back(position + 1);
      start_list.push_back(table_starts[sequence]), chunk_list.push_back(num_chunks);
      num_chunks += position / CHUNK - c.first_seen(position) / CHUNK + 1;
    }
    const Memory<uint32_t> rows(row_list), lens(len_list), starts(start_list), chunks(chunk_list),
        tables(table_list);
    const int padded_dim = kernels.padded_dim;
    const unsigned num = row_list.size(), parts = div_ceil(c.group(), 16);
    Memory<float> partials(size_t(num_chunks) * c.num_heads * (padded_dim + 4));
    Memory<bf16> out(size_t(total_rows) * stride());
    launch({kernels.names[0], {unsigned(workers), c.num_kv_heads * parts, num},
            32 * min(4, padded_dim / 16), 288 * padded_dim + 4096},
           kernels.decode, input(qkv), input(cache), output(partials), input(rows), input(lens),
           input(starts), input(tables), input(chunks), c.num_heads, c.num_kv_heads, c.dim, scale(),
           c.softcap, c.window);
    const machine::Launch how = {kernels.names[1], {unsigned(c.num_heads), num},
                                 max(32, padded_dim)};
    auto start = [&](auto sinks) {
      launch(how, kernels.combine, input(partials), output(out), sinks, input(rows), input(lens),
             input(chunks), c.num_heads, c.dim, stride(), c.window);
    };
    if (c.has_sinks) start(constant(sinks));
    else start(nullptr);
    return out;
  }

  float scale() const { return 1 / sqrtf(c.dim); }

  std::vector<double> expected(Token token, int head) const {
    const int first = c.first_seen(token.position), kv_head = head / c.group();
    const bf16 *query = qkv.data() + size_t(row_of(token)) * c.width() + head * c.dim;
    std::vector<double> scores;
    double max = c.has_sinks ? sinks[head] : -INFINITY;
    for (int p = first; p <= token.position; p++) {
      double score = 0;
      for (int i = 0; i < c.dim; i++) {
        score += double(wide(query[i])) * wide(kept(row_of({token.sequence, p}), kv_head)[i]);
      }
      score *= scale();
      if (c.softcap > 0) score = c.softcap * tanh(score / c.softcap);
      scores.push_back(score);
      max = fmax(max, score);
    }
    double sum = c.has_sinks ? exp(sinks[head] - max) : 0;
    std::vector<double> total(c.dim);
    for (size_t at = 0; at < scores.size(); at++) {
      const double weight = exp(scores[at] - max);
      const Token seen = {token.sequence, first + int(at)};
      sum += weight;
      for (int i = 0; i < c.dim; i++) {
        total[i] += weight * wide(kept(row_of(seen), c.num_kv_heads + kv_head)[i]);
      }
    }
    for (double &number : total) number /= sum;
    return total;
  }

  // Of the rows of these tokens all is right, and elsewhere nothing is written.
  void compare(const char *kernel, const Memory<bf16> &out, const std::vector<Token> &tokens) {
    Worst worst;
    size_t num_written = 0;
    for (Token token : tokens) {
      for (int head = 0; head < c.num_heads; head++) {
        const std::vector<double> right = expected(token, head);
        for (int i = 0; i < c.dim; i++) {
          const bf16 got = out[size_t(row_of(token)) * stride() + head * c.dim + i];
          worst.see(wide(got), right[i], 0.01 * fabs(right[i]) + 0.01);
        }
      }
    }
    for (size_t i = 0; i < out.size(); i++) num_written += !is_untouched(out[i]);
    report.compared(kernel, what, worst.error());
    if (num_written != tokens.size() * c.num_heads * c.dim) {
      report.wrong(kernel, what, "other numbers are written than those of the tokens");
    }
  }

  void expect_same(const char *kernel, const Memory<bf16> &out, const Memory<bf16> &before,
                   const std::vector<Token> &tokens) {
    size_t num_other = 0;
    for (Token token : tokens) {
      for (int i = 0; i < c.num_heads * c.dim; i++) {
        const size_t at = size_t(row_of(token)) * stride() + i;
        num_other += !same_bits(out[at], before[at]);
      }
    }
    if (num_other > 0) {
      report.wrong(kernel, what, std::to_string(num_other) + " numbers have other bits");
    }
  }

  Report &report;
  Chance &chance;
  const Case &c;
  const Kernels &kernels;
  std::vector<int> rows_before;
  std::vector<uint32_t> table_starts, tables;
  int total_rows, total_blocks;
  Memory<bf16> qkv, cache;
  const Memory<float> sinks;
  const std::string what;
};

}  // namespace

void check_attention(Report &report, bool is_long) {
  Chance chance(14);
  std::vector<Case> cases = {
      {4, 1, 128, {130, 1, 65}},
      {8, 2, 80, {64, 63, 200}, 0, 0, true, 3, {7, 3, 128}},
      {3, 1, 64, {100, 64}, 40, 0, false, 2},
      {8, 8, 64, {150}, 70, 30, true, 1, {50, 128}},
      {2, 2, 24, {70, 129}, 0, 20, true, 2, {33}},
      {6, 2, 8, {70, 33}, 0, 0, false, 2},
      {2, 1, 6, {70, 3}, 30, 0, true, 9, {20}},
      {24, 1, 128, {90}, 0, 0, true, 2},
      {2, 2, 256, {131}, 50, 0, true, 1},
      {150, 1, 16, {67}},
      {1, 1, 16, {2300}, 0, 0, false, 5},
  };
  if (is_long) {
    const std::vector<Case> more = {
        {32, 8, 128, {300, 17}, 0, 0, false, 4},  {4, 1, 256, {400}, 0, 50, false, 3, {31}},
        {16, 1, 64, {513}, 128, 0, false, 2},     {2, 1, 100, {260, 5}, 65, 0, true, 2, {64, 1}},
        {2, 1, 32, {4200}, 0, 0, true, 7, {100}},
    };
    cases.insert(cases.end(), more.begin(), more.end());
  }
  for (const Case &c : cases) {
    Check(report, chance, c).run();
  }
}
