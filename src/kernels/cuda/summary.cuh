// What is said of a row of logits, or of a part of one.
#pragma once

#include <stdint.h>

// The index of the largest logit, the first of equals, and that logit; then for a part the sum of
// e^(logit - max), for a row ln of the sum of e^logit.
struct __align__(16) Summary {
  uint32_t index;
  float max;
  float sum;
  uint32_t unused;
};
