// What the checks have found out about each kernel.
#pragma once

#include <map>
#include <string>
#include <vector>

class Report {
 public:
  // A kernel was compared with what it should compute: `error` is in parts of what is allowed, and
  // anything else that is wrong is said in words.
  void compared(const std::string &kernel, const std::string &shape, double error);
  void wrong(const std::string &kernel, const std::string &shape, const std::string &what);

  // One line a kernel; whether all are right.
  bool print() const;

 private:
  struct Findings {
    int num_comparisons = 0;
    double worst = 0;
    std::vector<std::string> faults;
  };
  std::map<std::string, Findings> kernels;
};

// The largest error, in parts of what is allowed. NaN is infinitely wrong.
class Worst {
 public:
  void see(double got, double expected, double allowed) {
    const double difference = got > expected ? got - expected : expected - got;
    const double error = difference / allowed;
    if (!(error <= worst)) {
      worst = error >= 0 ? error : __builtin_inf();
    }
  }
  double error() const { return worst; }

 private:
  double worst = 0;
};
