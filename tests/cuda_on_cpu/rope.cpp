// Queries and keys are turned by their position, and keys and values written into the cache.
#include <math.h>

#include "checks.h"

namespace {

constexpr int BLOCK = 32;
constexpr uint32_t NOWHERE = ~0u;

struct Heads {
  int num, num_kv, dim, padded_dim;
  // Pairs of a head that are turned; -1 for all.
  int num_frequencies = -1;
};

void check(Report &report, Chance &chance, const Heads &heads) {
  const std::string what =
      shape(
      {{"heads", heads.num}, {"kv heads", heads.num_kv}, {"size", heads.dim}, {"turned", heads.num_frequencies}});
  auto wrong = [&](const char *how) { report.wrong("rope_write_kv", what, how); };
  const int half = heads.num_frequencies < 0 ? heads.dim / 2 : heads.num_frequencies;
  const int width = (heads.num + 2 * heads.num_kv) * heads.dim;
  constexpr int BLOCKS = 3, POSITIONS = 50;
  // Two neighbours in a block, a block's first and last slot, and a row that nobody keeps.
  const std::vector<uint32_t> slot_list = {33, 34, 95, 64, NOWHERE};
  const int rows = slot_list.size();
  const Memory<uint32_t> slots(slot_list), positions(std::vector<uint32_t>{7, 8, 49, 0, 3});
  std::vector<float> cos_list, sin_list;
  for (int i = 0; i < POSITIONS * half; i++) {
    const double angle = i / half * pow(10000.0, -double(i % half) / half);
    cos_list.push_back(cos(angle));
    sin_list.push_back(sin(angle));
  }
  const Memory<float> cosines(cos_list), sines(sin_list);
  const std::vector<bf16> before = random_rows(chance, rows, width, width);
  Memory<bf16> qkv(before), cache(size_t(BLOCKS) * 2 * heads.num_kv * BLOCK * heads.padded_dim);
  launch({"rope_write_kv", {unsigned(rows)}, 128}, rope_write_kv, output(qkv), output(cache),
         constant(cosines), constant(sines), input(positions), input(slots), heads.num,
         heads.num_kv, heads.dim, heads.padded_dim, half);

  // What is kept of a slot: `part` 0 are keys, 1 values.
  auto kept = [&](uint32_t slot, int part, int head) {
    const size_t lines = (slot / BLOCK * 2 + part) * size_t(heads.num_kv) + head;
    return cache.data() + (lines * BLOCK + slot % BLOCK) * heads.padded_dim;
  };
  Worst worst;
  size_t num_kept = 0;
  for (int row = 0; row < rows; row++) {
    const bf16 *from = before.data() + size_t(row) * width;
    const bf16 *now = qkv.data() + size_t(row) * width;
    const uint32_t slot = slots[row];
    for (int head = 0; head < heads.num + heads.num_kv; head++) {
      const bool is_query = head < heads.num;
      if (!is_query && slot == NOWHERE) {
        continue;
      }
      const bf16 *got = is_query ? now + head * heads.dim : kept(slot, 0, head - heads.num);
      for (int i = 0; i < half; i++) {
        const bf16 *pair = from + head * heads.dim + i;
        const double x = wide(pair[0]), y = wide(pair[half]);
        const double c = cosines[positions[row] * half + i], s = sines[positions[row] * half + i];
        worst.see(wide(got[i]), x * c - y * s, allowed_bf16(x * c - y * s));
        worst.see(wide(got[half + i]), y * c + x * s, allowed_bf16(y * c + x * s));
      }
      for (int i = 2 * half; i < heads.dim; i++) {
        worst.see(wide(got[i]), wide(from[head * heads.dim + i]), 1e-30);
      }
    }
    const int queries = heads.num * heads.dim;
    if (memcmp(now + queries, from + queries, 2 * (width - queries)) != 0) {
      wrong("keys or values of the row itself are changed");
    }
    for (int head = 0; slot != NOWHERE && head < heads.num_kv; head++) {
      const bf16 *value = from + (heads.num + heads.num_kv + head) * heads.dim;
      if (memcmp(kept(slot, 1, head), value, 2 * heads.dim) != 0) {
        wrong("a value is not kept as it is");
      }
      for (int i = heads.dim; i < heads.padded_dim; i++) {
        if (kept(slot, 0, head)[i].bits != 0 || kept(slot, 1, head)[i].bits != 0) {
          wrong("padding in the cache is not zero");
        }
      }
      num_kept += 2 * heads.padded_dim;
    }
  }
  report.compared("rope_write_kv", what, worst.error());
  for (size_t i = 0; i < cache.size(); i++) {
    num_kept -= !is_untouched(cache[i]);
  }
  if (num_kept != 0) {
    wrong("slots of nobody are written");
  }
}

}  // namespace

void check_rope(Report &report, bool) {
  Chance chance(13);
  const Heads all[] = {{4, 2, 64, 64}, {3, 1, 80, 128},  {2, 2, 8, 16},     {5, 1, 6, 16},
                       {4, 4, 24, 32}, {2, 1, 128, 128}, {2, 1, 256, 256}, {3, 3, 100, 128},
                       {2, 1, 128, 128, 48}, {3, 1, 24, 32, 0},  {2, 2, 64, 64, 0}};
  for (const Heads &heads : all) {
    check(report, chance, heads);
  }
}
