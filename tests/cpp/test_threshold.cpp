#include "core/detail/threshold.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "check.hpp"
#include "core/detail/bright.hpp"
#include "scene.hpp"

using namespace pyicg::detail;
using pyicg::Background;
using pyicg::ThresholdRule;
using scene::Image;
using scene::Mask;
using scene::Normal;
using Labels = scene::Plane<std::int32_t>;

namespace {

constexpr int bins = 256;

struct Bins {
  double least, most;
  std::vector<double> number;  // of each value
};

Bins binned(const std::vector<float>& values) {
  const auto [lo, hi] = std::minmax_element(values.begin(), values.end());
  Bins b{static_cast<double>(*lo), static_cast<double>(*hi), {}};
  for (const float v : values) {
    const double bin = std::floor((static_cast<double>(v) - b.least) * (bins / (b.most - b.least)));
    b.number.push_back(std::min(bin, bins - 1.0));
  }
  return b;
}

// Sum over the classes between the cuts of (n x squared distance of the class's mean from the whole's).
double variance_between(const Bins& b, const std::vector<double>& cuts) {
  std::vector<double> n(cuts.size() + 1, 0.0);
  std::vector<double> sum(cuts.size() + 1, 0.0);
  double all = 0;
  for (const double k : b.number) {
    std::size_t c = 0;
    while (c < cuts.size() && k >= cuts[c]) ++c;
    n[c] += 1;
    sum[c] += k;
    all += k;
  }
  const double mean = all / static_cast<double>(b.number.size());
  double variance = 0;
  for (std::size_t c = 0; c < n.size(); ++c) {
    if (n[c] > 0) variance += n[c] * (sum[c] / n[c] - mean) * (sum[c] / n[c] - mean);
  }
  return variance;
}

double cut_of(const Bins& b, double threshold) { return std::round((threshold - b.least) / (b.most - b.least) * bins); }

std::vector<float> mixture(std::uint32_t seed, std::size_t n) {
  Normal normal(seed);
  std::vector<float> values;
  values.reserve(n);
  const std::array<double, 3> level{10, 18 + 5 * normal.uniform(), 30};
  for (std::size_t i = 0; i < n; ++i) {
    values.push_back(static_cast<float>(level.at(static_cast<std::size_t>(3 * normal.uniform())) + 1.5 * normal()));
  }
  return values;
}

// No other cut separates the values better.
void against_brute_force() {
  for (std::uint32_t seed = 1; seed <= 5; ++seed) {
    const std::vector<float> values = mixture(seed, 300);
    const Bins b = binned(values);
    double best = 0;
    for (int k = 1; k < bins; ++k) best = std::max(best, variance_between(b, {1.0 * k}));
    check::near(variance_between(b, {cut_of(b, otsu_threshold(values))}), best, 1e-9 * best);
  }
  const std::vector<float> values = mixture(9, 60);
  const Bins b = binned(values);
  double best = 0;
  for (int low = 1; low < bins; ++low) {
    for (int high = low + 1; high < bins; ++high) best = std::max(best, variance_between(b, {1.0 * low, 1.0 * high}));
  }
  const auto cuts = multi_otsu_thresholds(values);
  check::is_true(cuts[0] < cuts[1], "two cuts in order");
  check::near(variance_between(b, {cut_of(b, cuts[0]), cut_of(b, cuts[1])}), best, 1e-9 * best);
}

// Cuts lie between well separated levels, at the upper edge of the bin of the lower one: the first of the best.
void levels() {
  std::vector<float> values(30, 0.0F);
  values.insert(values.end(), 20, 256.0F);
  check::equal(otsu_threshold(values), 1.0);
  values.insert(values.end(), 10, 64.0F);
  const auto cuts = multi_otsu_thresholds(values);
  check::equal(cuts[0], 1.0);
  check::equal(cuts[1], 65.0);
}

void degenerate() {
  const float none = std::numeric_limits<float>::quiet_NaN();
  check::is_nan(otsu_threshold({}));
  check::is_nan(otsu_threshold(std::vector<float>{none}));
  check::equal(otsu_threshold(std::vector<float>{7, none, 7}), 7.0);
  check::equal(multi_otsu_thresholds(std::vector<float>{7, none, 7})[1], 7.0);
  check::is_nan(multi_otsu_thresholds({})[0]);
  check::equal(otsu_threshold(std::vector<float>{0, none, 256}), 1.0);
}

void cuts() {
  Background b;
  b.level = 10;
  std::vector<float> values{1, 1, 1, 2, 2, 2};
  BrightCut c = bright_cut(ThresholdRule::hysteresis, values, b, 1.5, 0.1);
  check::near(c.high, 15, 1e-12);
  check::near(c.low, 12.5, 1e-12);
  c = bright_cut(ThresholdRule::hysteresis, values, b, 1.5, 2);  // noise rules
  check::near(c.high, 20, 1e-12);
  check::near(c.low, 16, 1e-12);
  c = bright_cut(ThresholdRule::hysteresis, values, b, 1.5, 0.9);
  check::near(c.high, 15, 1e-12);
  check::near(c.low, 12.7, 1e-12);
  // A histogram's cut does not lie in the background's noise.
  check::near(bright_cut(ThresholdRule::otsu, values, b, 1.5, 0.1).high, 10.5, 1e-12);
  values = {9, 10, 11, 20, 21, 40, 41};
  c = bright_cut(ThresholdRule::otsu, values, b, 1.5, 0.1);
  check::equal(c.low, c.high);
  check::equal(c.high, otsu_threshold(values));
  check::equal(bright_cut(ThresholdRule::multi_otsu, values, b, 1.5, 0.1).low, multi_otsu_thresholds(values)[1]);
  // The same high cut as the residual fluorescence's.
  b.sigma = 4;
  check::near(bright_cut(ThresholdRule::hysteresis, values, b, 1.5, noise_after_blur(4, 1)).high,
              bright_level(b, 1.5, 1), 1e-12);
}

// Grows from the pixels over the high cut into those over the low one.
Mask grown(const Image& image, const BrightCut& cut) {
  Mask mask(image.height, image.width);
  const auto over = [&](std::size_t y, std::size_t x, double level) {
    return static_cast<double>(image(y, x)) > level;
  };
  for (std::size_t y = 0; y < image.height; ++y) {
    for (std::size_t x = 0; x < image.width; ++x) mask(y, x) = over(y, x, cut.high) ? 1 : 0;
  }
  for (bool grew = true; grew;) {
    grew = false;
    for (std::size_t y = 0; y < image.height; ++y) {
      for (std::size_t x = 0; x < image.width; ++x) {
        if (mask(y, x) != 0 || !over(y, x, cut.low)) continue;
        for (std::size_t ny = y == 0 ? 0 : y - 1; ny < std::min(y + 2, image.height); ++ny) {
          for (std::size_t nx = x == 0 ? 0 : x - 1; nx < std::min(x + 2, image.width); ++nx) mask(y, x) |= mask(ny, nx);
        }
        grew |= mask(y, x) != 0;
      }
    }
  }
  return mask;
}

void hysteresis() {
  BrightBuffers buffers;
  for (std::uint32_t seed = 1; seed <= 40; ++seed) {
    Normal random(seed);
    const auto side = [&] { return 1 + static_cast<std::size_t>(30 * random.uniform()); };
    const std::size_t height = side();
    Image image = scene::noise(height, side(), 0, 1, seed);
    if (seed % 4 == 0) image.pixels[0] = std::numeric_limits<float>::quiet_NaN();
    const BrightCut cut{0.3, 1.8};
    Mask bright(image.height, image.width);
    Labels labels(image.height, image.width);
    const auto& components = bright_components(image.view(), cut, bright.view(), labels.view(), buffers);
    const Mask expected = grown(image, cut);
    check::is_true(bright == expected, "what grows from over the high cut");
    std::vector<std::size_t> area(components.size(), 0);
    for (std::size_t i = 0; i < labels.pixels.size(); ++i) {
      check::equal(labels.pixels[i] > 0, expected.pixels[i] == 1);
      if (labels.pixels[i] > 0) ++area.at(static_cast<std::size_t>(labels.pixels[i] - 1));
    }
    for (std::size_t k = 0; k < area.size(); ++k) check::equal(components[k].area, area[k]);
  }
}

}  // namespace

int main() {
  against_brute_force();
  levels();
  degenerate();
  cuts();
  hysteresis();
  return check::result();
}
