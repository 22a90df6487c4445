#include "gaussian.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>

namespace pyicg::kernels {
namespace {

constexpr std::size_t usual_reach = 64;  // up to here a call allocates nothing

void set_taps(double sigma, std::span<float> taps) {
  const auto weight = [&](std::size_t k) {
    const double d = static_cast<double>(k) / sigma;
    return std::exp(-0.5 * d * d);
  };
  double sum = 0;
  for (std::size_t k = 0; k < taps.size(); ++k) sum += k == 0 ? weight(k) : 2 * weight(k);
  for (std::size_t k = 0; k < taps.size(); ++k) taps[k] = static_cast<float>(weight(k) / sum);
}

}  // namespace

void gaussian(ImageView<const float> in, double sigma, ImageView<float> out, std::vector<float>& scratch,
              const GaussianKernels& kernels) {
  const auto reach = static_cast<std::size_t>(std::max(1.0, std::ceil(4.0 * sigma)));
  const std::size_t height = in.height;
  const std::size_t width = in.width;
  // The weights, a row with its borders and, where the blur happens in place, the last rows as they were.
  const std::size_t line = width + 2 * reach + 16;
  const bool in_place = in.data == out.data;
  scratch.resize(std::max(scratch.size(), reach + 1 + line + (in_place ? (reach + 1) * width : 0)));
  const std::span<float> taps(scratch.data(), reach + 1);
  float* const padded = scratch.data() + reach + 1;
  float* const kept = padded + line;
  set_taps(sigma, taps);
  const auto original = [&](std::size_t y) { return kept + y % (reach + 1) * width; };

  std::array<const float*, 2 * usual_reach + 1> few{};
  std::vector<const float*> many(reach > usual_reach ? 2 * reach + 1 : 0);
  const float** rows = many.empty() ? few.data() : many.data();
  for (std::size_t y = 0; y < height; ++y) {
    if (in_place) std::copy_n(in.row(y), width, original(y));
    for (std::size_t k = 0; k <= reach; ++k) {
      const std::size_t above = y < k ? 0 : y - k;
      rows[reach - k] = in_place ? original(above) : in.row(above);
      rows[reach + k] = in.row(std::min(y + k, height - 1));
    }
    // The frame's last row stands for those below it too, also when it is this one that is about to be overwritten: the
    // kernel reads all rows before it writes.
    kernels.blur(rows, taps.data(), reach, width, padded, out.row(y));
  }
}

}  // namespace pyicg::kernels
