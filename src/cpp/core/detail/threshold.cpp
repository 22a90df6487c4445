#include "threshold.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "../../kernels/pixel_bits.hpp"
#include "bright.hpp"

namespace pyicg::detail {
namespace {

constexpr std::size_t bins = 256;

// How many values lie in the first k bins, and the sum of their bins' numbers.
struct Histogram {
  double least = infinity;
  double most = -infinity;
  std::array<double, bins + 1> count{};
  std::array<double, bins + 1> sum{};

  explicit Histogram(std::span<const float> values) {
    for (const float v : values) {
      if (!std::isfinite(v)) continue;
      least = std::min(least, static_cast<double>(v));
      most = std::max(most, static_cast<double>(v));
    }
    if (!(most > least)) return;
    const double scale = static_cast<double>(bins) / (most - least);
    for (const float v : values) {
      if (!std::isfinite(v)) continue;
      const auto bin = static_cast<std::size_t>((static_cast<double>(v) - least) * scale);
      count.at(std::min(bin, bins - 1) + 1) += 1;
    }
    for (std::size_t k = 1; k <= bins; ++k) {
      sum.at(k) = sum.at(k - 1) + count.at(k) * static_cast<double>(k - 1);
      count.at(k) += count.at(k - 1);
    }
  }
  [[nodiscard]] bool flat() const { return !(most > least); }
  [[nodiscard]] double only_value() const { return std::isinf(least) ? nan : least; }
  [[nodiscard]] double edge(std::size_t k) const {
    return least + (most - least) * static_cast<double>(k) / static_cast<double>(bins);
  }
  // A class's share of the variance between classes, up to what all classes have in common: n mean^2.
  [[nodiscard]] double between(std::size_t from, std::size_t to) const {
    const double n = count.at(to) - count.at(from);
    const double s = sum.at(to) - sum.at(from);
    return n > 0 ? s * s / n : 0.0;
  }
};

}  // namespace

double otsu_threshold(std::span<const float> values) {
  const Histogram h(values);
  if (h.flat()) return h.only_value();
  double best = -1;
  std::size_t cut = 0;
  for (std::size_t k = 1; k < bins; ++k) {
    const double variance = h.between(0, k) + h.between(k, bins);
    if (variance > best) {
      best = variance;
      cut = k;
    }
  }
  return h.edge(cut);
}

std::array<double, 2> multi_otsu_thresholds(std::span<const float> values) {
  const Histogram h(values);
  if (h.flat()) return {h.only_value(), h.only_value()};
  double best = -1;
  std::array<std::size_t, 2> cut{};
  for (std::size_t a = 1; a + 1 < bins; ++a) {
    const double lower = h.between(0, a);
    for (std::size_t b = a + 1; b < bins; ++b) {
      const double variance = lower + h.between(a, b) + h.between(b, bins);
      if (variance > best) {
        best = variance;
        cut = {a, b};
      }
    }
  }
  return {h.edge(cut[0]), h.edge(cut[1])};
}

BrightCut bright_cut(ThresholdRule rule, std::span<const float> smooth, const Background& background, double sbr_cut,
                     double noise) {
  const double over_noise = 5 * noise;
  if (rule == ThresholdRule::hysteresis) {
    const double step = std::max((sbr_cut - 1) * background.level, over_noise);
    return {background.level + std::max(0.5 * step, 3 * noise), background.level + step};
  }
  const double found = rule == ThresholdRule::otsu ? otsu_threshold(smooth) : multi_otsu_thresholds(smooth)[1];
  const double cut = std::max(found, background.level + over_noise);  // a NaN stays one: nothing is bright
  return {cut, cut};
}

const std::vector<Component>& bright_components(ImageView<const float> smooth, const BrightCut& cut,
                                                ImageView<std::uint8_t> bright, ImageView<std::int32_t> labels,
                                                BrightBuffers& buffers) {
  const kernels::BitKernels& bits = kernels::bit_kernels();
  const float low = not_over(cut.low);
  buffers.all.find(smooth.height, smooth.width, Connectivity::eight, [&](std::size_t y, std::span<std::uint64_t> row) {
    if (bits.largest(smooth.row(y), smooth.width) > low) {
      bits.over(smooth.row(y), low, smooth.width, row.data());
    } else {
      std::fill(row.begin(), row.end(), std::uint64_t{0});
    }
  });
  // Of the components those with a pixel over the high cut, by their number from 1 on.
  const std::vector<Component>& all = buffers.all.components();
  std::vector<std::int32_t>& kept = buffers.kept;
  kept.assign(all.size(), 0);
  const float high = not_over(cut.high);
  for (const Run& run : buffers.all.runs()) {
    if (kept[run.component] != 0) continue;
    const float* value = smooth.row(run.y);
    kept[run.component] =
        std::any_of(value + run.first, value + run.last + 1, [&](float v) { return v > high; }) ? 1 : 0;
  }
  std::vector<Component>& components = buffers.components;
  components.clear();
  for (std::size_t k = 0; k < all.size(); ++k) {
    if (kept[k] == 0) continue;
    components.push_back(all[k]);
    kept[k] = static_cast<std::int32_t>(components.size());
  }
  for (std::size_t y = 0; y < smooth.height; ++y) {
    std::fill_n(bright.row(y), smooth.width, std::uint8_t{0});
    if (!components.empty()) std::fill_n(labels.row(y), smooth.width, 0);
  }
  for (const Run& run : buffers.all.runs()) {
    const std::int32_t label = kept[run.component];
    if (label == 0) continue;
    std::fill_n(bright.row(run.y) + run.first, run.last - run.first + 1, std::uint8_t{1});
    std::fill_n(labels.row(run.y) + run.first, run.last - run.first + 1, label);
  }
  return components;
}

}  // namespace pyicg::detail
