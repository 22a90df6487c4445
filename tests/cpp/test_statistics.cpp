#include "pyicg/statistics.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "check.hpp"
#include "pyicg/calibrate.hpp"
#include "scene.hpp"

using namespace pyicg;
using scene::Image;
using scene::Mask;

namespace {

using pyicg::nan;  // not the C library's

constexpr std::array<double, 5> quarters{0, 25, 50, 75, 100};

RegionStatistics statistics(const Image& image, unsigned threads = 1) {
  return region_statistics(image.view(), Mask(image.height, image.width).view(), {}, quarters, threads);
}

double middle(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
}

// Against sorted copies, to the bit.
void against_sorting(const Image& image) {
  std::vector<double> values(image.pixels.begin(), image.pixels.end());
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  for (const unsigned threads : {1U, 3U}) {
    const RegionStatistics s = statistics(image, threads);
    check::equal(s.n, n);
    check::equal(s.minimum, values.front());
    check::equal(s.maximum, values.back());
    check::equal(s.median, middle(values));
    std::vector<double> deviations;
    deviations.reserve(n);
    for (const double v : values) deviations.push_back(std::fabs(v - s.median));
    check::equal(s.mad, middle(deviations));
    for (std::size_t i = 0; i < quarters.size(); ++i) {
      const double position = static_cast<double>(n - 1) * (quarters[i] / 100);
      const auto below = static_cast<std::size_t>(position);
      const double share = position - static_cast<double>(below);
      const double lower = values[below];
      const double upper = values[std::min(below + 1, n - 1)];
      check::near(s.percentiles[i], lower + share * (upper - lower), 1e-15 * std::fabs(upper));
    }
  }
}

// Large enough that the keys are counted, not picked; some of one octave, some of all.
void order_statistics() {
  scene::Normal noise(1);
  Image image(300, 301);
  for (float& v : image.pixels) v = static_cast<float>(100 + 20 * noise());
  against_sorting(image);
  for (float& v : image.pixels) v = static_cast<float>(1000 + 0.01 * noise());  // one leading digit for all
  against_sorting(image);
  for (float& v : image.pixels) v = static_cast<float>(0.7 + 1e-7 * std::round(noise()));  // few values, many digits
  against_sorting(image);
  for (float& v : image.pixels) v = std::round(static_cast<float>(3 * noise()));
  against_sorting(image);
  std::fill(image.pixels.begin(), image.pixels.end(), 0.1F);
  against_sorting(image);
  for (std::size_t i = 0; i < image.pixels.size(); i += 2) image.pixels[i] = 1e-39F;  // subnormal
  against_sorting(image);
  for (float& v : image.pixels) v = static_cast<float>(noise() * std::exp(40 * noise()));
  for (float& v : image.pixels) v = std::clamp(v, -3e38F, 3e38F);
  against_sorting(image);
  for (const std::size_t width : {1U, 2U, 3U, 8U}) {
    Image small(1, width);
    for (float& v : small.pixels) v = static_cast<float>(noise());
    against_sorting(small);
  }
}

void many_percentiles() {
  scene::Normal noise(2);
  Image image(300, 300);
  for (float& v : image.pixels) v = static_cast<float>(100 + 20 * noise());
  std::vector<double> percentages;
  for (int p = 0; p <= 1000; ++p) percentages.push_back(p / 10.0);
  std::vector<double> values(image.pixels.begin(), image.pixels.end());
  std::sort(values.begin(), values.end());
  const Mask mask(300, 300);
  const RegionStatistics s = region_statistics(image.view(), mask.view(), {}, percentages);
  for (std::size_t i = 0; i < percentages.size(); ++i) {
    const double position = 89999 * (percentages[i] / 100);
    const auto below = static_cast<std::size_t>(position);
    const double upper = values[std::min<std::size_t>(below + 1, 89999)];
    check::near(s.percentiles[i], values[below] + (position - std::floor(position)) * (upper - values[below]), 1e-12);
  }
}

void which_pixels() {
  Image image(2, 4);
  image.pixels = {1, 2, 3, 4, 5, 6, std::numeric_limits<float>::quiet_NaN(), 800};
  Mask mask(2, 4);
  Mask region(2, 4, 1);
  region(0, 0) = 0;
  mask(0, 0) = mask_saturated;  // not asked for
  mask(0, 1) = mask_repaired;
  mask(1, 3) = mask_saturated | mask_out_of_range;
  const RegionStatistics s = region_statistics(image.view(), mask.view(), region.view(), quarters);
  check::equal(s.n, 5U);  // 2 3 4 5 6
  check::equal(s.n_left_out, 2U);
  check::equal(s.n_saturated, 1U);
  check::equal(s.sum, 20.0);
  check::equal(s.mean, 4.0);
  check::near(s.sd, std::sqrt(2.5), 1e-15);
  check::equal(s.median, 4.0);
  check::equal(s.mad, 1.0);
  check::equal(s.percentiles[1], 3.0);
  check::equal(s.maximum, 6.0);
  check::equal(std::bit_cast<std::uint64_t>(statistics(Image(1, 3, -0.0F)).median), 0U);
  check::equal(std::bit_cast<std::uint64_t>(statistics(Image(1, 3, -0.0F)).minimum), 0U);
}

void sums() {
  Image image(3, 5);
  // Cancels to 3 where plain doubles are left with 0.
  std::fill(image.pixels.begin(), image.pixels.end(), 0.2F);
  image.pixels[0] = 1e30F;
  image.pixels[7] = -1e30F;
  check::near(statistics(image).sum, 13 * static_cast<double>(0.2F), 1e-14);
  check::equal(statistics(Image(1, 1, 7)).mean, 7.0);
  check::is_nan(statistics(Image(1, 1, 7)).sd);
  check::equal(statistics(Image(30, 31, 0.1F)).sd, 0.0);
}

void strides() {
  scene::Normal noise(3);
  Image image(40, 33);
  Mask mask(40, 33);
  for (float& v : image.pixels) v = static_cast<float>(noise());
  for (std::uint8_t& bits : mask.pixels) bits = noise() > 1 ? mask_bad : 0;
  const RegionStatistics a = region_statistics(image.view(), mask.view(), mask.view(), quarters);
  check::equal(a.n, 0U);
  const scene::BottomUp<float> up(image);
  const scene::BottomUp<std::uint8_t> up_mask(mask);
  const RegionStatistics b = region_statistics(image.view(), mask.view(), {}, quarters);
  const RegionStatistics c = region_statistics(up.view(), up_mask.view(), {}, quarters, 8);
  check::equal(b.sum, c.sum);
  check::equal(b.sd, c.sd);
  check::equal(b.mad, c.mad);
  check::is_true(b.percentiles == c.percentiles, "the same percentiles from rows stored bottom up");
}

void refused() {
  const Image image(4, 5, 1);
  const Mask mask(4, 5);
  const Mask other(5, 4);
  check::throws(ErrorKind::input, [&] { region_statistics(image.view(), other.view(), {}, {}); });
  check::throws(ErrorKind::input, [&] { region_statistics(image.view(), mask.view(), other.view(), {}); });
  for (const double p : {-1e-9, 100.1, nan, infinity}) {
    check::throws(ErrorKind::input, [&] { region_statistics(image.view(), mask.view(), {}, std::array{p}); });
  }
  const RegionStatistics nothing = region_statistics(image.view(), mask.view(), mask.view(), quarters);
  check::equal(nothing.n, 0U);
  check::equal(nothing.sum, 0.0);
  check::is_nan(nothing.median);
  check::is_nan(nothing.mad);
  check::equal(nothing.percentiles.size(), quarters.size());
  check::is_nan(nothing.percentiles[2]);
}

}  // namespace

int main() {
  order_statistics();
  many_percentiles();
  which_pixels();
  sums();
  strides();
  refused();
  return check::result();
}
