// Weights that are codes with scales, taken apart: all of them, and the rows that are looked up.
#include "quantized.h"

namespace {

void check_form(Report &report, Chance &chance, Form form, int rows, int k) {
  const std::string name = name_of(form);
  const std::string what = shape({{"rows", rows}, {"k", k}});
  const int k_padded = padded(k);
  const Quantized weight(chance, form, rows, k_padded);
  Memory<bf16> all(size_t(rows) * k_padded);
  auto *const dequantize = form == Form::INT8   ? dequantize_int8
                           : form == Form::INT4 ? dequantize_int4
                                                : dequantize_fp8;
  const std::string dequantize_name = "dequantize_" + name;
  launch({dequantize_name.c_str(), {2}, 256}, dequantize, constant(weight.codes),
         constant(weight.scales), output(all), rows, k_padded);
  Worst worst;
  for (size_t i = 0; i < all.size(); i++) {
    worst.see(wide(all[i]), wide(weight.numbers[i]), 1e-30);
  }
  report.compared(dequantize_name, what, worst.error());

  const Memory<uint32_t> ids(std::vector<uint32_t>{uint32_t(rows) - 1, 0, uint32_t(rows) / 2});
  Memory<float> x(ids.size() * k);
  auto *const embedding = form == Form::INT8   ? embedding_int8
                          : form == Form::INT4 ? embedding_int4
                                               : embedding_fp8;
  const std::string embedding_name = "embedding_" + name;
  launch({embedding_name.c_str(), {unsigned(ids.size())}, 256}, embedding, constant(weight.codes),
         constant(weight.scales), input(ids), output(x), k, k_padded);
  Worst of_rows;
  for (size_t i = 0; i < x.size(); i++) {
    of_rows.see(x[i], wide(weight.numbers[size_t(ids[i / k]) * k_padded + i % k]), 1e-30);
  }
  report.compared(embedding_name, what, of_rows.error());
}

}  // namespace

void check_quantized(Report &report, bool is_long) {
  Chance chance(16);
  for (Form form : {Form::INT8, Form::INT4, Form::FP8}) {
    for (int k : {48, 64, 577, 4160}) {
      check_form(report, chance, form, 5, k);
    }
    if (is_long) {
      check_form(report, chance, form, 300, 1000);
    }
  }
}
