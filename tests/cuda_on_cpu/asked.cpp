#include "asked.h"

#include <float.h>
#include <math.h>

#include <algorithm>

constexpr uint32_t BANNED = 1u << 31, REPEATED = 1u << 30;
constexpr int CHOICE_WORDS = sizeof(Choice) / 4;

static float changed(float before, float after) {
  if (before == -INFINITY || after != after) return before;
  return std::min(std::max(after, -FLT_MAX), FLT_MAX);
}

std::vector<float> edited(const std::vector<float> &logits, const Asked &asked, bool with_bans) {
  std::vector<float> row = logits;
  for (size_t id = 0; asked.allowed && id < row.size(); id++) {
    if (!(*asked.allowed)[id]) row[id] = -INFINITY;
  }
  for (const auto &[id, edit] : asked.edits) {
    float &logit = row[id];
    if (edit.is_banned && with_bans) logit = -INFINITY;
    logit = changed(logit, logit + edit.bias);
    if (edit.is_repeated) {
      logit = changed(logit, logit > 0 ? logit / asked.repetition : logit * asked.repetition);
    }
    if (edit.count > 0) {
      logit = changed(logit, logit - (float(edit.count) * asked.frequency + asked.presence));
    }
  }
  return row;
}

bool is_possible(const std::vector<float> &row) {
  return std::any_of(row.begin(), row.end(), [](float logit) { return logit > -INFINITY; });
}

// As `exp` in src/kernels/cpu/math.rs: weights that differ in their last bit may be equals here.
static float exp_of_cpu(float x) {
  if (x < -87) return 0;
  const float n = nearbyintf(x * 1.44269504f);
  float r = fmaf(n, 2.1219444e-4f, fmaf(n, -0.6933594f, x)), p = 1.9875691e-4f;
  for (float term : {1.3982e-3f, 8.333452e-3f, 4.1665796e-2f, 1.6666665e-1f, 0.5f}) {
    p = fmaf(p, r, term);
  }
  return ldexpf(fmaf(p, r * r, r) + 1, int(n));
}

static float scale_of(float temperature) {
  return std::min(std::max(1 / temperature, FLT_MIN), FLT_MAX);
}

std::vector<Weighed> kept_by(const std::vector<float> &row, const Asked &asked) {
  const float max = *std::max_element(row.begin(), row.end());
  std::vector<Weighed> all;
  double total = 0;
  for (size_t id = 0; id < row.size(); id++) {
    const float weight = exp_of_cpu((row[id] - max) * scale_of(asked.temperature));
    if (weight > 0) all.push_back({int(id), weight});
    total += weight;
  }
  if (asked.top_k == 0 && asked.top_p >= 1) {
    auto is_dropped = [&](const Weighed &one) { return one.weight < asked.min_p; };
    all.erase(std::remove_if(all.begin(), all.end(), is_dropped), all.end());
    return all;
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Weighed &a, const Weighed &b) { return a.weight > b.weight; });
  if (asked.top_k > 0) {
    all.resize(std::min<size_t>(all.size(), asked.top_k));
    total = 0;
    for (const Weighed &one : all) total += one.weight;
  }
  double kept = 0;
  size_t count = 0;
  while (count < all.size() && (asked.top_p >= 1 || kept < total * asked.top_p) &&
         all[count].weight >= asked.min_p) {
    kept += all[count++].weight;
  }
  all.resize(count);
  return all;
}

double distance_of_draw(const std::vector<Weighed> &kept, double u, int id) {
  double total = 0, begin = 0;
  for (const Weighed &one : kept) total += one.weight;
  for (const Weighed &one : kept) {
    if (one.id == id) {
      const double below = begin - u * total, past = u * total - (begin + one.weight);
      return std::max({0.0, below, past}) / (1e-6 * total);
    }
    begin += one.weight;
  }
  return INFINITY;
}

std::vector<uint32_t> words_of(const std::vector<Asked> &all, int vocab) {
  std::vector<uint32_t> words(all.size() * CHOICE_WORDS);
  for (size_t i = 0; i < all.size(); i++) {
    const Asked &asked = all[i];
    Choice choice = {};
    choice.row = asked.row, choice.kind = asked.kind, choice.known = asked.known;
    choice.num_top = asked.num_top, choice.top_k = asked.top_k;
    choice.scale = scale_of(asked.temperature);
    choice.top_p = asked.top_p, choice.min_weight = asked.min_p;
    choice.repetition = asked.repetition, choice.frequency = asked.frequency;
    choice.presence = asked.presence, choice.u = asked.u;
    choice.has_mask = asked.allowed.has_value();
    choice.mask_start = words.size();
    if (asked.allowed) {
      // What is past the vocabulary is allowed, as in a mask that allows all.
      words.resize(words.size() + div_ceil(vocab, 64) * 2, ~0u);
      for (int id = 0; id < vocab; id++) {
        if (!(*asked.allowed)[id]) words[choice.mask_start + id / 32] &= ~(1u << id % 32);
      }
    }
    words.resize((words.size() + 3) / 4 * 4);
    choice.edits_start = words.size();
    choice.num_edits = asked.edits.size();
    for (const auto &[id, edit] : asked.edits) {
      uint32_t bias;
      memcpy(&bias, &edit.bias, 4);
      choice.has_bans |= edit.is_banned;
      words.insert(words.end(), {id | (edit.is_banned ? BANNED : 0) |
                                     (edit.is_repeated ? REPEATED : 0),
                                 bias, edit.count, 0});
    }
    memcpy(&words[i * CHOICE_WORDS], &choice, sizeof choice);
  }
  return words;
}
