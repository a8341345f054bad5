// What may be asked of a row of logits, and what it means: the row is edited, sorted and added up in
// order, as src/engine/sampling does it.
#pragma once

#include <map>
#include <optional>

#include "checks.h"

constexpr uint32_t LARGEST = 0, DRAW = 1, KNOWN = 2;
constexpr int MAX_TOP = 20;

struct Edit {
  bool is_banned = false, is_repeated = false;
  float bias = 0;
  uint32_t count = 0;
};

// What is asked of a row.
struct Asked {
  std::string name;
  int row = 0;
  uint32_t kind = DRAW, known = 0, num_top = 0, top_k = 0;
  float temperature = 1, top_p = 1, min_p = 0, repetition = 1, frequency = 0, presence = 0;
  double u = 0;
  std::map<uint32_t, Edit> edits;
  std::optional<std::vector<bool>> allowed;
};

struct Weighed {
  int id;
  float weight;
};

// The row that is left after edits and mask, and whether any token of it is possible.
std::vector<float> edited(const std::vector<float> &logits, const Asked &asked, bool with_bans);
bool is_possible(const std::vector<float> &row);

// The ids that a draw from an edited row may take, in its order, with their weights.
std::vector<Weighed> kept_by(const std::vector<float> &row, const Asked &asked);

// How far what a draw aimed at lies from the part of a token, in parts of a millionth of all; infinite
// for a token that was cut.
double distance_of_draw(const std::vector<Weighed> &kept, double u, int id);

// What the kernel reads.
std::vector<uint32_t> words_of(const std::vector<Asked> &all, int vocab);
