// Runs groups of checks by name and prints a line a kernel.
#include <stdio.h>

#include "checks.h"

struct Group {
  const char *name;
  void (*check)(Report &report, bool is_long);
};

constexpr Group GROUPS[] = {{"products", check_products},
                            {"quantized", check_quantized},
                            {"experts", check_experts},
                            {"rows", check_rows},
                            {"choices", check_choices},
                            {"rope", check_rope},
                            {"blocks", check_blocks},
                            {"attention", check_attention}};

int main(int count, char **arguments) {
  Report report;
  bool is_long = false;
  for (int i = 1; i < count; i++) {
    is_long |= strcmp(arguments[i], "--long") == 0;
  }
  for (int i = 1; i < count; i++) {
    for (const Group &group : GROUPS) {
      if (strcmp(arguments[i], group.name) == 0) {
        group.check(report, is_long);
      }
    }
  }
  return report.print() ? 0 : 1;
}
