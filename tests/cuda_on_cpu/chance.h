// Random numbers, the same in every run.
#pragma once

#include <stdint.h>

#include <numeric>
#include <utility>
#include <vector>

class Chance {
 public:
  explicit Chance(uint64_t seed) : state(seed * 0x9e3779b97f4a7c15u | 1) {}

  uint32_t next() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state >> 32;
  }

  uint32_t below(uint32_t end) { return static_cast<uint64_t>(next()) * end >> 32; }

  // Nearly normal, of deviation one.
  float normal() {
    double sum = 0;
    for (int i = 0; i < 4; i++) {
      sum += next() * 0x1p-32 - 0.5;
    }
    return sum * 1.7320508;
  }

  // The numbers below `count` in some order.
  std::vector<int> order(int count) {
    std::vector<int> all(count);
    std::iota(all.begin(), all.end(), 0);
    for (int i = count - 1; i > 0; i--) {
      std::swap(all[i], all[below(i + 1)]);
    }
    return all;
  }

 private:
  uint64_t state;
};
