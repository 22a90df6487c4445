#include "pyramid.hpp"

#include <cmath>
#include <cstdint>
#include <limits>

namespace pyicg::detail {
namespace {

// Mean of the values there are; the sums are paired so that a flip gives the same bits.
float mean_of_known(float a, float b, float c, float d) {
  float sum = 0;
  float n = 0;
  for (const float v : {a, b, c, d}) {
    if (std::isnan(v)) continue;
    sum += v;
    n += 1;
  }
  return n > 0 ? sum / n : std::numeric_limits<float>::quiet_NaN();
}

}  // namespace

void halve(ImageView<const float> fine, PyramidLevel& coarse) {
  coarse.height = (fine.height + 1) / 2;
  coarse.width = (fine.width + 1) / 2;
  coarse.values.resize(coarse.height * coarse.width);
  for (std::size_t y = 0; y < coarse.height; ++y) {
    const float* top = fine.row(2 * y);
    const float* bottom = fine.row(2 * y + 1 < fine.height ? 2 * y + 1 : 2 * y);
    float* out = coarse.values.data() + y * coarse.width;
    std::uint32_t unknown = 0;  // means, counted in a loop that compilers make vectors of
    for (std::size_t x = 0; x < fine.width / 2; ++x) {
      const float mean = 0.25F * ((top[2 * x] + bottom[2 * x + 1]) + (top[2 * x + 1] + bottom[2 * x]));
      out[x] = mean;
      unknown += mean == mean ? 0U : 1U;
    }
    for (std::size_t x = 0; unknown > 0 && x < fine.width / 2; ++x) {
      if (std::isnan(out[x])) out[x] = mean_of_known(top[2 * x], top[2 * x + 1], bottom[2 * x], bottom[2 * x + 1]);
    }
    if (fine.width % 2 != 0) {
      const float a = top[fine.width - 1];
      const float b = bottom[fine.width - 1];
      out[coarse.width - 1] = mean_of_known(a, a, b, b);
    }
  }
}

}  // namespace pyicg::detail
