#include "gaussian.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace pyicg::kernels {
namespace {

std::vector<float> taps(double sigma) {
  const auto reach = static_cast<std::size_t>(std::max(1.0, std::ceil(4.0 * sigma)));
  std::vector<double> weights(reach + 1);
  double sum = 0;
  for (std::size_t k = 0; k <= reach; ++k) {
    const double d = static_cast<double>(k) / sigma;
    weights[k] = std::exp(-0.5 * d * d);
    sum += k == 0 ? weights[k] : 2 * weights[k];
  }
  std::vector<float> result(reach + 1);
  std::transform(weights.begin(), weights.end(), result.begin(), [&](double w) { return static_cast<float>(w / sum); });
  return result;
}

}  // namespace

void gaussian(ImageView<const float> in, double sigma, ImageView<float> out, std::vector<float>& scratch) {
  const std::vector<float> w = taps(sigma);
  const std::size_t reach = w.size() - 1;
  const std::size_t height = in.height;
  const std::size_t width = in.width;
  const std::size_t padded = width + 2 * reach;
  scratch.resize(width * height + padded);
  float* const columns = scratch.data();
  float* const line = columns + width * height;

  for (std::size_t y = 0; y < height; ++y) {  // down the columns
    float* const sum = columns + y * width;
    const float* centre = in.row(y);
    for (std::size_t x = 0; x < width; ++x) sum[x] = w[0] * centre[x];
    for (std::size_t k = 1; k <= reach; ++k) {
      const float* above = in.row(y < k ? 0 : y - k);
      const float* below = in.row(std::min(y + k, height - 1));
      for (std::size_t x = 0; x < width; ++x) sum[x] += w[k] * (above[x] + below[x]);
    }
  }
  for (std::size_t y = 0; y < height; ++y) {  // along the rows
    const float* row = columns + y * width;
    std::fill_n(line, reach, row[0]);
    std::copy_n(row, width, line + reach);
    std::fill_n(line + reach + width, reach, row[width - 1]);
    float* const sum = out.row(y);
    const float* const centre = line + reach;
    for (std::size_t x = 0; x < width; ++x) sum[x] = w[0] * centre[x];
    for (std::size_t k = 1; k <= reach; ++k) {
      const float* const left = centre - k;
      const float* const right = centre + k;
      for (std::size_t x = 0; x < width; ++x) sum[x] += w[k] * (left[x] + right[x]);
    }
  }
}

}  // namespace pyicg::kernels
