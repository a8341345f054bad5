// Tokens chosen from rows of logits, each against what was asked.
#include <float.h>
#include <math.h>

#include <algorithm>

#include "asked.h"

namespace {

// The token that a plain reading of the row gives, with what is wrong with what was chosen.
void compare(Report &report, const std::string &what, const std::vector<float> &logits,
             const Asked &asked, const Chosen &chosen, const TopLogit *top) {
  auto wrong = [&](const std::string &fault) { report.wrong("choose", what, fault); };
  double sum = 0;
  for (float logit : logits) sum += exp(double(logit) - 80);
  const bool is_distribution = isfinite(sum) && sum > 0;
  int argmax = 0;
  for (size_t id = 1; id < logits.size(); id++) {
    if (logits[id] > logits[argmax] || logits[argmax] != logits[argmax]) argmax = id;
  }
  std::vector<float> row = edited(logits, asked, true);
  if (!is_possible(row)) row = edited(logits, asked, false);
  const bool is_stuck = is_distribution && asked.kind != KNOWN && !is_possible(row) &&
                        asked.allowed.has_value();
  if (!is_possible(row)) row = logits;
  if (bool(chosen.is_stuck) != is_stuck) return wrong("is stuck, or should be");
  double error = 0;
  if (asked.kind == KNOWN) {
    error = chosen.id == asked.known ? 0 : INFINITY;
  } else if (is_stuck || !is_distribution) {
    error = int(chosen.id) == argmax ? 0 : INFINITY;
  } else if (asked.kind == LARGEST) {
    const auto best = std::max_element(row.begin(), row.end());
    error = chosen.id == best - row.begin() ? 0 : INFINITY;
  } else {
    error = distance_of_draw(kept_by(row, asked), asked.u, chosen.id);
  }
  report.compared("choose", what, error);
  const float logit = chosen.id < logits.size() ? logits[chosen.id] : -INFINITY;
  if (!same_bits(chosen.logit, logit)) wrong("not the model's logit");
  std::vector<uint32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return logits[a] > logits[b]; });
  for (uint32_t i = 0; i < MAX_TOP; i++) {
    const bool is_reported = i < asked.num_top && is_distribution;
    if (!is_reported && !is_untouched(top[i].logit)) wrong("reports too many tokens");
    if (is_reported && (top[i].id != order[i] || !same_bits(top[i].logit, logits[order[i]]))) {
      return wrong("place " + std::to_string(i) + " has " + std::to_string(top[i].id));
    }
  }
}

Summary summary_of(const std::vector<float> &row) {
  Summary summary = {0, -INFINITY, 0, 0};
  double sum = 0;
  for (size_t id = 0; id < row.size(); id++) {
    if (row[id] > summary.max) summary.index = id, summary.max = row[id];
  }
  for (float logit : row) sum += exp(double(logit) - summary.max);
  summary.sum = summary.max + log(sum);
  return summary;
}

void check(Report &report, const std::vector<std::vector<float>> &rows,
           const std::vector<Asked> &all) {
  const int vocab = rows[0].size(), stride = vocab + vocab % 3;
  Memory<float> logits(rows.size() * stride);
  Memory<Summary> summaries(rows.size());
  for (size_t row = 0; row < rows.size(); row++) {
    std::copy(rows[row].begin(), rows[row].end(), logits.data() + row * stride);
    summaries[row] = summary_of(rows[row]);
  }
  Memory<uint32_t> words(words_of(all, vocab));
  Memory<Chosen> chosen(all.size()), alone(1);
  Memory<TopLogit> top(all.size() * MAX_TOP), top_alone(MAX_TOP);
  launch({"choose", {unsigned(all.size())}, 1024}, choose, output(logits), vocab, stride,
         input(summaries), output(words), output(chosen), output(top));
  for (size_t i = 0; i < all.size(); i++) {
    const std::string what = all[i].name + ", " + shape({{"vocab", vocab}, {"row", all[i].row}});
    compare(report, what, rows[all[i].row], all[i], chosen[i], &top[i * MAX_TOP]);
  }
  for (size_t row = 0; row < rows.size(); row++) {
    if (memcmp(rows[row].data(), logits.data() + row * stride, 4 * vocab) != 0) {
      report.wrong("choose", shape({{"vocab", vocab}, {"row", row}}), "a row is left changed");
    }
  }
  Memory<uint32_t> words_alone(words_of({all.back()}, vocab));
  launch({"choose", {1}, 1024}, choose, output(logits), vocab, stride, input(summaries),
         output(words_alone), output(alone), output(top_alone));
  if (!same_bits(alone[0].id, chosen[all.size() - 1].id)) {
    report.wrong("choose", all.back().name, "a row alone gets another token than among others");
  }
}

std::vector<bool> random_mask(Chance &chance, int vocab, int one_in) {
  std::vector<bool> mask(vocab);
  for (int id = 0; id < vocab; id++) mask[id] = chance.below(one_in) == 0;
  mask[chance.below(vocab)] = true;
  return mask;
}

// Within a token's part, two millionths from where it begins or ends: sums that are wrong by more than
// that give another token, and one that is too far from the draw.
double share_near_an_edge(const std::vector<Weighed> &kept, Chance &chance) {
  double total = 0, begin = 0;
  for (const Weighed &one : kept) total += one.weight;
  const size_t place = chance.below(std::min<size_t>(kept.size(), 200));
  for (size_t i = 0; i < place; i++) begin += kept[i].weight;
  const double share = kept[place].weight / total;
  return begin / total + (chance.below(2) == 0 ? std::min(2e-6, share / 2)
                                               : std::max(share - 2e-6, share / 2));
}

double any_share(Chance &chance) { return chance.next() * 0x1p-32; }

// Rows of about the shapes that models give, and of few values, so that most have equals.
std::vector<std::vector<float>> rows_of_models(Chance &chance, int vocab) {
  std::vector<std::vector<float>> rows(4);
  for (auto &row : rows) row = random_floats(chance, vocab);
  for (float &logit : rows[0]) logit *= 3;
  for (float &logit : rows[2]) logit = floorf(logit * 2);
  rows[3].assign(vocab, -1.5f);
  return rows;
}

void check_draws(Report &report, Chance &chance, int vocab) {
  const auto rows = rows_of_models(chance, vocab);
  std::vector<Asked> all;
  for (int row = 0; row < int(rows.size()); row++) {
    for (double u : {0.0, any_share(chance), 1 - 0x1p-53}) {
      all.push_back({.name = "all", .row = row, .temperature = 0.7f, .u = u});
      all.push_back({.name = "min-p", .row = row, .min_p = 0.1f, .u = u});
      all.push_back({.name = "top-p", .row = row, .top_p = 0.9f, .u = u});
      all.push_back({.name = "top-k", .row = row, .top_k = 1 + chance.below(60), .u = u});
    }
    const double u = any_share(chance);
    all.push_back({.name = "top-k, -p, min-p", .row = row, .top_k = uint32_t(vocab / 2 + 1),
                   .temperature = 1.3f, .top_p = 0.8f, .min_p = 0.05f, .u = u});
    all.push_back({.name = "nearly all", .row = row, .temperature = 2, .top_p = 0.999f, .u = u});
    all.push_back({.name = "the best alone", .row = row, .temperature = 1e-30f, .top_p = 0.5f});
    all.push_back({.name = "cut far down", .row = row, .top_p = 0.9f, .min_p = 0.9f, .u = u});
    all.push_back({.name = "equals", .row = row, .min_p = 1, .u = u});
    const size_t first = all.size();
    for (int i = 0; i < 3; i++) {
      all.push_back({.name = "all, near an edge", .row = row});
      all.push_back({.name = "top-k, near an edge", .row = row, .top_k = 300});
      all.push_back({.name = "top-p, near an edge", .row = row, .top_p = 0.97f});
    }
    for (size_t i = first; i < all.size(); i++) {
      all[i].u = share_near_an_edge(kept_by(rows[row], all[i]), chance);
    }
  }
  check(report, rows, all);
}

// Logits below zero and above, biases, penalties and masks, of which some leave little or nothing.
void check_edits(Report &report, Chance &chance, int vocab) {
  auto rows = rows_of_models(chance, vocab);
  rows[1][vocab - 1] = -INFINITY;
  std::vector<Asked> all;
  for (int row = 0; row < int(rows.size()); row++) {
    for (uint32_t kind : {LARGEST, DRAW}) {
      Asked asked = {.name = "edits", .row = row, .kind = kind,
                     .num_top = std::min(3u, uint32_t(vocab)), .temperature = 0.8f,
                     .repetition = 1.3f, .frequency = 0.4f, .presence = -0.3f,
                     .u = any_share(chance)};
      for (int i = 0; i < std::min(vocab, 300); i++) {
        asked.edits[chance.below(vocab)] = {chance.below(9) == 0, chance.below(2) == 0,
                                            float(chance.below(3) * chance.normal()), chance.below(3)};
      }
      all.push_back(asked);
      asked.name = "edits and a mask", asked.top_p = 0.95f;
      asked.allowed = random_mask(chance, vocab, 3);
      all.push_back(asked);
      asked.name = "a narrow mask", asked.edits.clear();
      asked.allowed = random_mask(chance, vocab, vocab);
      all.push_back(asked);
    }
  }
  Asked asked = {.name = "huge edits", .row = 1, .kind = LARGEST, .repetition = FLT_MAX};
  asked.edits[0] = {false, false, INFINITY, 0};
  asked.edits[vocab - 1] = {false, false, INFINITY, 0};  // Stays impossible.
  asked.edits[vocab / 2] = {false, true, NAN, 0};
  all.push_back(asked);
  check(report, rows, all);
}

void check_what_leaves_nothing(Report &report, Chance &chance, int vocab) {
  std::vector<std::vector<float>> rows(6, random_floats(chance, vocab));
  rows[1].assign(vocab, -INFINITY), rows[1][0] = 2;
  rows[2][vocab / 2] = NAN;
  rows[3].assign(vocab, -INFINITY);
  rows[4][vocab - 1] = INFINITY;
  Asked all_banned = {.name = "all banned", .row = 0, .u = 0.5};
  for (int id = 0; id < vocab; id++) all_banned.edits[id].is_banned = true;
  Asked yields = all_banned;
  yields.name = "bans yield to a mask";
  yields.kind = LARGEST;
  yields.allowed = random_mask(chance, vocab, 2);
  Asked impossible = {.name = "only what the model rules out", .row = 1};
  impossible.allowed = std::vector<bool>(vocab, true);
  (*impossible.allowed)[0] = false;
  Asked nothing = {.name = "nothing allowed"};
  nothing.allowed = std::vector<bool>(vocab, false);
  std::vector<Asked> all = {all_banned, yields, impossible, nothing};
  for (int row = 2; row < 5; row++) {
    all.push_back({.name = "no distribution", .row = row, .num_top = 2, .top_k = 2, .u = 0.5});
  }
  check(report, rows, all);
}

void check_reports(Report &report, Chance &chance, int vocab) {
  auto rows = rows_of_models(chance, vocab);
  rows[1].assign(vocab, -INFINITY), rows[1][vocab - 1] = 1;
  rows[2][vocab / 2] = -0.0f;
  std::vector<Asked> all;
  for (int row = 0; row < int(rows.size()); row++) {
    for (uint32_t num_top : {0, 1, 5, MAX_TOP}) {
      num_top = std::min(num_top, uint32_t(vocab));
      all.push_back({.name = "known", .row = row, .kind = KNOWN, .known = chance.below(vocab),
                     .num_top = num_top});
      all.push_back({.name = "largest", .row = row, .kind = LARGEST, .num_top = num_top});
    }
  }
  all.push_back({.name = "unknown", .kind = KNOWN, .known = uint32_t(vocab)});
  check(report, rows, all);
}

}  // namespace

void check_choices(Report &report, bool is_long) {
  Chance chance(31);
  std::vector<int> vocabs = {5, 1000, 20003};
  if (is_long) vocabs.insert(vocabs.end(), {1, 128, 4100, 262144});
  for (int vocab : vocabs) {
    check_draws(report, chance, vocab);
    check_edits(report, chance, vocab);
    check_reports(report, chance, vocab);
  }
  check_what_leaves_nothing(report, chance, 300);
}
