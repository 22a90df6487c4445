#include "gaussian.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdlib>
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

// Where a place beyond 0 ... n - 1 lies in a frame that is mirrored about its edge pixels, again and again.
std::size_t mirrored(std::ptrdiff_t place, std::size_t n) {
  if (n == 1) return 0;
  const auto last = static_cast<std::ptrdiff_t>(n) - 1;
  std::ptrdiff_t within = std::abs(place);
  if (within > 2 * last) within %= 2 * last;
  return static_cast<std::size_t>(within <= last ? within : 2 * last - within);
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
    kernels.down(rows, taps.data(), reach, width, padded + reach);
    std::fill_n(padded, reach, padded[reach]);
    std::fill_n(padded + reach + width, reach, padded[reach + width - 1]);
    kernels.along(padded + reach, taps.data(), reach, width, out.row(y));
  }
}

MirroredGaussian::MirroredGaussian(double sigma, const GaussianKernels& kernels)
    : kernels_(&kernels), taps_(static_cast<std::size_t>(std::max(1.0, std::floor(4.0 * sigma + 0.5))) + 1) {
  set_taps(sigma, taps_);
}

void MirroredGaussian::rows(ImageView<const float> in, std::size_t y, ImageView<float> out,
                            std::vector<float>& scratch) const {
  const std::size_t reach = taps_.size() - 1;
  const std::size_t width = in.width;
  // The rows in each other with their borders, and a row for those that the frame does not have.
  const std::size_t lines_size = gaussian_rows * (width + 2 * reach);
  scratch.resize(std::max(scratch.size(), lines_size + width));
  float* const lines = scratch.data() + gaussian_rows * reach;
  std::array<const float*, 2 * usual_reach + gaussian_rows> few{};
  std::vector<const float*> many(reach > usual_reach ? 2 * reach + gaussian_rows : 0);
  const float** const around = many.empty() ? few.data() : many.data();
  const auto first = static_cast<std::ptrdiff_t>(y) - static_cast<std::ptrdiff_t>(reach);
  for (std::size_t k = 0; k < 2 * reach + gaussian_rows; ++k) {
    around[k] = in.row(mirrored(first + static_cast<std::ptrdiff_t>(k), in.height));
  }
  kernels_->down_together(around, taps_.data(), reach, width, lines);
  const auto last = static_cast<std::ptrdiff_t>(width) - 1;
  const auto borders = static_cast<std::ptrdiff_t>(reach);
  const auto copy = [&](std::ptrdiff_t to) {
    const auto pixel = static_cast<std::ptrdiff_t>(gaussian_rows);
    std::copy_n(lines + gaussian_rows * mirrored(to, width), gaussian_rows, lines + pixel * to);
  };
  for (std::ptrdiff_t k = 1; k <= borders; ++k) {
    copy(-k);
    copy(last + k);
  }
  std::array<float*, gaussian_rows> to{};
  for (std::size_t j = 0; j < gaussian_rows; ++j) {
    to.at(j) = y + j < in.height ? out.row(y + j) : scratch.data() + lines_size;
  }
  kernels_->along_together(lines, taps_.data(), reach, width, to.data());
}

}  // namespace pyicg::kernels
