#include "report.h"

#include <stdio.h>

void Report::compared(const std::string &kernel, const std::string &shape, double error) {
  Findings &findings = kernels[kernel];
  findings.num_comparisons += 1;
  findings.worst = findings.worst < error ? error : findings.worst;
  if (error > 1) {
    wrong(kernel, shape, "wrong by " + std::to_string(error) + " times what is allowed");
  }
}

void Report::wrong(const std::string &kernel, const std::string &shape, const std::string &what) {
  kernels[kernel].faults.push_back(shape + ": " + what);
}

bool Report::print() const {
  constexpr size_t MAX_FAULTS = 3;
  bool is_right = true;
  for (const auto &[kernel, findings] : kernels) {
    const auto &faults = findings.faults;
    is_right &= faults.empty();
    printf("%s %s: %d launches compared, largest error %.2f of what is allowed\n",
           faults.empty() ? "ok    " : "FAILED", kernel.c_str(), findings.num_comparisons,
           findings.worst);
    for (size_t i = 0; i < faults.size() && i < MAX_FAULTS; i++) {
      printf("         %s\n", faults[i].c_str());
    }
    if (faults.size() > MAX_FAULTS) {
      printf("         and %zu more\n", faults.size() - MAX_FAULTS);
    }
  }
  return is_right;
}
