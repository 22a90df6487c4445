#include "pyicg/threshold_rim.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <numbers>
#include <set>
#include <utility>
#include <vector>

#include "check.hpp"
#include "core/detail/border.hpp"
#include "core/detail/otsu_bits.hpp"
#include "core/detail/ray_thickness.hpp"
#include "kernels/level_rows.hpp"
#include "scene.hpp"

using namespace pyicg::detail;
using pyicg::BorderPixel;
using pyicg::ThresholdOptions;
using pyicg::ThresholdRims;
using scene::Image;
using scene::Mask;

namespace {

constexpr std::size_t levels = pyicg::kernels::grey_levels;

int level_of(float value, float scale) {
  const float scaled = value * scale;
  return std::isnan(scaled) ? 0 : static_cast<int>(std::clamp(std::nearbyint(scaled), 0.0F, 255.0F));
}

// Counts and maxima of a row, against a loop over its pixels, on every instruction set and for every length.
void rows_of_levels() {
  scene::Normal normal(3);
  for (std::size_t n : {1U, 5U, 31U, 32U, 33U, 63U, 64U, 65U, 200U, 1000U}) {
    std::vector<float> row(n);
    for (float& v : row) v = static_cast<float>(40 + 60 * normal());
    if (n > 3) {
      row[1] = std::numeric_limits<float>::quiet_NaN();
      row[2] = 2.5F;  // half way between two levels, and 3.5
      row[3] = 3.5F;
    }
    for (const float scale : {1.0F, 1.7F}) {
      std::vector<std::uint32_t> expected(levels);
      for (const float v : row) ++expected[static_cast<std::size_t>(level_of(v, scale))];
      std::vector<float> largest((n + 63) / 64, -std::numeric_limits<float>::infinity());
      for (std::size_t i = 0; i < n; ++i) largest[i / 64] = std::max(largest[i / 64], row[i]);
      for (const auto set : pyicg::instruction_sets()) {
        const auto& kernels = pyicg::kernels::level_kernels(set);
        const auto counts = std::make_unique<pyicg::kernels::LevelPairs>();
        kernels.count(row.data(), n, scale, counts.get());
        std::vector<std::uint32_t> found(counts->singles, counts->singles + levels);
        for (std::size_t i = 0; i < levels * levels; ++i) {
          found[i / levels] += counts->pairs[i];
          found[i % levels] += counts->pairs[i];
        }
        check::is_true(found == expected, "each pixel once, at its level");
        std::vector<float> most(largest.size());
        kernels.largest(row.data(), n, most.data());
        check::is_true(most == largest, "the largest of every word");
        std::vector<float> ratio(n);
        kernels.divide(row.data(), n, 3.0F, ratio.data());
        check::equal(ratio[0], row[0] / 3.0F);
      }
    }
  }
}

// No other level separates the pixels better.
void otsu_against_brute_force() {
  scene::Normal normal(5);
  for (int trial = 0; trial < 20; ++trial) {
    LevelCounts counts{};
    for (auto& n : counts) n = normal.uniform() < 0.3 ? static_cast<std::uint64_t>(1000 * normal.uniform()) : 0;
    const auto between = [&](std::size_t level) {
      double n[2] = {}, sum[2] = {};  // NOLINT(modernize-avoid-c-arrays)
      for (std::size_t k = 0; k < levels; ++k) {
        const std::size_t bright = k > level ? 1 : 0;
        n[bright] += static_cast<double>(counts[k]);
        sum[bright] += static_cast<double>(counts[k]) * static_cast<double>(k);
      }
      const double apart = sum[0] / n[0] - sum[1] / n[1];
      return n[0] > 0 && n[1] > 0 ? n[0] * n[1] * apart * apart : 0.0;
    };
    double best = 0;
    for (std::size_t level = 0; level < levels; ++level) best = std::max(best, between(level));
    check::near(between(static_cast<std::size_t>(otsu_level(counts))), best, 1e-12 * best);
  }
  LevelCounts counts{};
  check::equal(otsu_level(counts), -1);
  counts[7] = 100;
  check::equal(otsu_level(counts), -1);
  counts[200] = 1;
  check::equal(otsu_level(counts), 7);  // the first of many equally good ones
}

using Pixels = std::vector<std::pair<int, int>>;

Pixels border_of(const Mask& mask, int y, int x, BorderKind kind) {
  std::vector<BorderPixel> border;
  follow_border(mask.view(), {y, x}, kind, border);
  Pixels found;
  for (const BorderPixel& p : border) found.emplace_back(p.y, p.x);
  return found;
}

void borders() {
  Mask mask(3, 4);
  mask(1, 2) = 1;
  check::is_true(border_of(mask, 1, 2, BorderKind::outer) == Pixels{{1, 2}}, "one pixel");
  mask(1, 1) = mask(1, 3) = 1;
  check::is_true(border_of(mask, 1, 1, BorderKind::outer) == Pixels{{1, 1}, {1, 2}, {1, 3}, {1, 2}},
                 "a line, there and back");
  Mask full(2, 2, 1);
  check::is_true(border_of(full, 0, 0, BorderKind::outer) == Pixels{{0, 0}, {1, 0}, {1, 1}, {0, 1}},
                 "a square that fills the frame, counter-clockwise");
  Mask ring(3, 3, 1);
  ring(1, 1) = 0;
  check::is_true(border_of(ring, 0, 0, BorderKind::outer).size() == 8, "all around");
  const Pixels hole = border_of(ring, 1, 0, BorderKind::hole);
  check::is_true(std::set(hole.begin(), hole.end()) == std::set<std::pair<int, int>>{{0, 1}, {1, 0}, {1, 2}, {2, 1}},
                 "those beside the hole");
}

// Every pixel along every ray.
float slow_thickness(const Image& d, std::size_t k) {
  const auto height = static_cast<double>(d.height);
  const auto width = static_cast<double>(d.width);
  const double angle = static_cast<double>(k) * (2 * std::numbers::pi / 360);
  double most = 0;
  for (int r = 0; r < static_cast<int>(height + width); ++r) {
    const double y = height / 2 + r * std::sin(angle);
    const double x = width / 2 + r * std::cos(angle);
    if (!(y >= 0 && x >= 0 && y <= height - 1 && x <= width - 1)) continue;
    const auto y0 = static_cast<std::size_t>(y);
    const auto x0 = static_cast<std::size_t>(x);
    const std::size_t y1 = std::min(y0 + 1, d.height - 1);
    const std::size_t x1 = std::min(x0 + 1, d.width - 1);
    const double down = y - static_cast<double>(y0);
    const double right = x - static_cast<double>(x0);
    const auto along = [&](std::size_t row) {
      return (1 - right) * static_cast<double>(d(row, x0)) + right * static_cast<double>(d(row, x1));
    };
    most = std::max(most, (1 - down) * along(y0) + down * along(y1));
  }
  return static_cast<float>(2 * most);
}

void check_thickness(const Image& distances) {
  std::vector<Run> runs;
  for (std::uint32_t y = 0; y < distances.height; ++y) {
    for (std::uint32_t x = 0; x < distances.width; ++x) {
      if (distances(y, x) > 0) runs.push_back({y + 10, x + 20, x + 20, 0});
    }
  }
  std::array<float, pyicg::thickness_rays> found{};
  const RayThickness rays;
  rays.measure(distances.view(), runs, 10, 20, found);
  for (std::size_t k = 0; k < found.size(); ++k) check::equal(found.at(k), slow_thickness(distances, k));
}

void thickness_along_rays() {
  scene::Normal random(7);
  for (int trial = 0; trial < 30; ++trial) {
    Image d(1 + static_cast<std::size_t>(60 * random.uniform()), 1 + static_cast<std::size_t>(60 * random.uniform()));
    const double share = random.uniform();
    // The distance to the nearest of a few pixels, cut off: neighbours differ by at most 1.
    std::array<std::pair<double, double>, 4> zeros{};
    for (auto& [y, x] : zeros) {
      y = random.uniform() * static_cast<double>(d.height);
      x = random.uniform() * static_cast<double>(d.width);
    }
    for (std::size_t y = 0; y < d.height; ++y) {
      for (std::size_t x = 0; x < d.width; ++x) {
        double nearest = 1e9;
        for (const auto& [zy, zx] : zeros) {
          nearest = std::min(nearest, std::hypot(static_cast<double>(y) - zy, static_cast<double>(x) - zx));
        }
        d(y, x) = static_cast<float>(std::max(nearest - 20 * share, 0.0));
      }
    }
    check_thickness(d);
  }
  check_thickness(Image(1, 9, 1.0F));
  check_thickness(Image(1, 1, 1.0F));
}

Image two_rims() {
  Image image = scene::annulus(160, 200, {60, 60, 20, 30, 0.5, 4}, 1.5);
  const Image other = scene::annulus(160, 200, {110, 140, 25, 32, 0.5, 4}, 1.5);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] += other.pixels[i] - 1;
  scene::Normal normal(1);
  for (float& v : image.pixels) v += static_cast<float>(0.05 * normal());
  return image;
}

const std::array<double, 2> percentages{5, 50};

ThresholdOptions options_of() {
  ThresholdOptions options;
  options.background_level = 2;
  options.percentages = percentages;
  options.sbr_map = true;
  return options;
}

void check_same(const ThresholdRims& a, const ThresholdRims& b) {
  const auto equal = [](const auto& one, const auto& other) {
    return std::equal(one.data, one.data + one.size(), other.data);
  };
  check::is_true(equal(a.rim_mask(), b.rim_mask()) && equal(a.core_mask(), b.core_mask()) &&
                     equal(a.labels(), b.labels()) && equal(a.distances(), b.distances()) &&
                     equal(a.sbr_map(), b.sbr_map()),
                 "the same maps");
  check::equal(a.threshold(), b.threshold());
  check::is_true(std::ranges::equal(a.thickness(), b.thickness()), "the same thickness");
  check::equal(a.sbr().mean, b.sbr().mean);
  check::equal(a.sbr().percentiles[1], b.sbr().percentiles[1]);
}

void rims() {
  const Image image = two_rims();
  const Mask mask(160, 200);
  ThresholdRims found(160, 200);
  found.find(image.view(), mask.view(), options_of());
  check::equal(found.count(), 2U);
  check::equal(found.borders().size(), 4U);
  check::is_true(!found.borders()[0].hole && found.borders()[1].hole, "the outer border first");
  check::equal(found.labels()(60, 60), 1);
  check::equal(found.labels()(110, 140), 2);
  check::is_true(found.core_mask()(60, 60) == 1 && found.rim_mask()(60, 85) == 1 && found.rim_mask()(60, 60) == 0,
                 "a core within its rim");
  check::near(found.sbr().percentiles[1], 1.9, 0.1);  // 4 less the blur, over 2
  check::equal(found.sbr_map()(3, 4), image(3, 4) / 2.0F);
  std::size_t core = 0;
  for (std::size_t i = 0; i < found.labels().size(); ++i)
    core += found.labels().data[i] == 1 && found.core_mask().data[i] != 0;
  const double radius = std::sqrt(static_cast<double>(core) / std::numbers::pi);
  check::is_true(radius < 20 && radius > 18.5, "a core that is a little too small");

  const scene::BottomUp<float> stored(image);
  for (const unsigned threads : {1U, 2U, 7U}) {
    ThresholdRims again(160, 200);
    again.find(scene::noise(160, 200, 10, 3, 2).view(), mask.view(), options_of());  // memory in use
    again.find(stored.view(), mask.view(), options_of(), threads);
    check_same(again, found);
  }
}

void nothing_to_find() {
  const Mask mask(20, 30);
  ThresholdRims rims(20, 30);
  for (const float value : {0.0F, -1.0F, 5.0F, std::numeric_limits<float>::quiet_NaN()}) {
    rims.find(Image(20, 30, value).view(), mask.view(), {});
    check::is_nan(rims.threshold());
    check::equal(rims.count(), 0U);
    check::equal(rims.sbr().n, 0U);
    check::is_true(rims.sbr_map().data == nullptr, "no map unless asked for");
  }
}

void what_is_refused() {
  ThresholdRims rims(20, 30);
  const Image image(20, 30);
  const Mask mask(20, 30);
  const auto refused = [&](const Image& data, const Mask& bits, double smooth_px, double min_area_px) {
    ThresholdOptions options;
    options.smooth_px = smooth_px;
    options.min_area_px = min_area_px;
    check::throws(pyicg::ErrorKind::input, [&] { rims.find(data.view(), bits.view(), options); });
  };
  refused(Image(20, 31), mask, 2, 64);
  refused(image, Mask(19, 30), 2, 64);
  refused(image, mask, 0.49, 64);
  refused(image, mask, 101, 64);
  refused(image, mask, pyicg::nan, 64);
  refused(image, mask, 2, 0.5);
  refused(image, mask, 2, pyicg::infinity);
}

}  // namespace

int main() {
  rows_of_levels();
  otsu_against_brute_force();
  borders();
  thickness_along_rays();
  rims();
  nothing_to_find();
  what_is_refused();
  return check::result();
}
