#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "../kernels/pixel_bits.hpp"
#include "detail/bright.hpp"
#include "detail/quality_buffers.hpp"
#include "detail/runs.hpp"
#include "detail/select.hpp"
#include "pyicg/calibrate.hpp"
#include "pyicg/frame_quality.hpp"

namespace pyicg {
namespace {

constexpr double glare_over_lesion = 3;
constexpr std::size_t least_spot_px = 4;

// The median of what is over the level; the level where nothing is.
double median_over(ImageView<const float> smooth, double level, detail::QualityBuffers& ws) {
  ws.values.clear();
  ws.words.resize(kernels::words_of(smooth.width));
  const float limit = detail::not_over(level);
  for (std::size_t y = 0; y < smooth.height; ++y) {
    const float* row = smooth.row(y);
    if (!(kernels::bit_kernels().largest(row, smooth.width) > limit)) continue;
    kernels::bit_kernels().over(row, limit, smooth.width, ws.words.data());
    for (std::size_t w = 0; w < ws.words.size(); ++w) {
      for (std::uint64_t bits = ws.words[w]; bits != 0; bits &= bits - 1) {
        ws.values.push_back(row[64 * w + static_cast<std::size_t>(std::countr_zero(bits))]);
      }
    }
  }
  return ws.values.empty() ? level : detail::median(ws.values);
}

// What dazzles in a row: valid pixels over the cut, and saturated ones.
void mark_dazzling(ImageView<const float> data, ImageView<const std::uint8_t> mask, std::size_t y, float limit,
                   std::span<std::uint64_t> row) {
  const kernels::BitKernels& bits = kernels::bit_kernels();
  if (bits.largest(data.row(y), data.width) > limit) {
    bits.over(data.row(y), limit, data.width, row.data());
  } else {
    std::fill(row.begin(), row.end(), std::uint64_t{0});
  }
  const std::uint8_t* marks = mask.row(y);
  if ((bits.all_bits(marks, data.width) & mask_left_out) == 0) return;
  for (std::size_t x = 0; x < data.width; ++x) {
    const int left_out = marks[x] & mask_left_out;
    if (left_out == 0) continue;
    const std::uint64_t bit = std::uint64_t{1} << x % 64;
    row[x / 64] = left_out == mask_saturated ? row[x / 64] | bit : row[x / 64] & ~bit;
  }
}

}  // namespace

QualityWorkspace::QualityWorkspace() : own(std::make_unique<detail::QualityBuffers>()) {}
QualityWorkspace::~QualityWorkspace() = default;
QualityWorkspace::QualityWorkspace(QualityWorkspace&&) noexcept = default;
QualityWorkspace& QualityWorkspace::operator=(QualityWorkspace&&) noexcept = default;

double glare_fraction(ImageView<const float> data, ImageView<const std::uint8_t> mask, ImageView<const float> smooth,
                      double bright_level, double min_area_px, QualityWorkspace& workspace) {
  detail::QualityBuffers& ws = *workspace.own;
  const auto glare = detail::plane(workspace.glare, data.height, data.width);
  std::fill(workspace.glare.begin(), workspace.glare.end(), std::uint8_t{0});
  if (!(bright_level > 0)) return nan;
  const float limit = detail::not_over(glare_over_lesion * median_over(smooth, bright_level, ws));
  ws.spots.find(data.height, data.width, detail::Connectivity::eight,
                [&](std::size_t y, std::span<std::uint64_t> row) { mark_dazzling(data, mask, y, limit, row); });
  std::size_t dazzled = 0;
  for (const detail::Run& run : ws.spots.runs()) {
    const std::size_t area = ws.spots.components()[run.component].area;
    if (area < least_spot_px || static_cast<double>(area) >= min_area_px) continue;
    std::fill_n(glare.row(run.y) + run.first, run.last - run.first + 1, std::uint8_t{1});
    dazzled += run.last - run.first + 1;
  }
  return static_cast<double>(dazzled) / static_cast<double>(data.size());
}

}  // namespace pyicg
