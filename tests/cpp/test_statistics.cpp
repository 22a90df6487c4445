#include "pyicg/statistics.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "check.hpp"
#include "core/detail/region_pixels.hpp"
#include "kernels/exact_sums.hpp"
#include "kernels/pixel_bits.hpp"
#include "pyicg/calibrate.hpp"
#include "pyicg/instruction_set.hpp"
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

// Knuth's two-sum, four in turn, as it is told in exact_sums.hpp.
kernels::Sum added(std::span<const double> terms) {
  std::array<kernels::Sum, 5> sums;
  const auto add = [](double v, kernels::Sum& sum) {
    const double next = sum.total + v;
    const double taken = next - sum.total;
    sum.lost += (sum.total - (next - taken)) + (v - taken);
    sum.total = next;
  };
  const std::size_t whole = terms.size() / 4 * 4;
  for (std::size_t i = 0; i < terms.size(); ++i) add(terms[i], sums[i < whole ? i % 4 : 0]);
  for (std::size_t k = 0; k < 4; ++k) {
    add(sums[k].total, sums[4]);
    sums[4].lost += sums[k].lost;
  }
  return sums[4];
}

void sums_of_every_instruction_set() {
  scene::Normal noise(4);
  for (const InstructionSet set : instruction_sets()) {
    for (std::size_t n = 0; n < 70; ++n) {
      std::vector<float> values(n);
      for (float& v : values) v = static_cast<float>(noise() * std::exp(20 * noise()));
      const std::vector<double> terms(values.begin(), values.end());
      std::vector<double> squares;
      squares.reserve(n);
      for (const double v : terms) squares.push_back((v - 0.3) * (v - 0.3));
      const kernels::RowSum row = kernels::sum_kernels(set).values(values.data(), n);
      const kernels::Sum square = kernels::sum_kernels(set).squares(values.data(), n, 0.3);
      check::equal(row.sum.total, added(terms).total);
      check::equal(row.sum.lost, added(terms).lost);
      check::equal(square.total, added(squares).total);
      check::equal(square.lost, added(squares).lost);
      constexpr float endless = std::numeric_limits<float>::infinity();
      check::equal(row.least, n == 0 ? endless : *std::min_element(values.begin(), values.end()));
      check::equal(row.most, n == 0 ? -endless : *std::max_element(values.begin(), values.end()));
    }
  }
}

// Rows of any width, in any words of which there is all, nothing, one run or noise.
void pixels_that_count() {
  scene::Normal noise(5);
  const std::array<float, 3> odd{std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                                 -std::numeric_limits<float>::infinity()};
  for (const std::size_t width : {1U, 63U, 64U, 65U, 200U, 256U, 331U}) {
    Image image(12, width);
    Mask mask(12, width);
    Mask region(12, width);
    for (std::size_t y = 0; y < 12; ++y) {
      const bool noisy = y % 2 == 0;
      for (std::size_t x = 0; x < width; ++x) {
        image(y, x) = static_cast<float>(noise());
        if (y > 6 && noise() > 2) image(y, x) = odd[x % 3];
        if (y > 4 && noise() > 1) mask(y, x) = static_cast<std::uint8_t>(1U << (x % 7));
        region(y, x) = y != 3 && (noisy ? noise() > 0.5 : x + 17 * y >= 60 && x < 40 * y) ? 255 : 0;
      }
    }
    for (const bool everywhere : {false, true}) {
      detail::RegionPixels pixels(image.view());
      const ImageView<const std::uint8_t> asked = everywhere ? ImageView<const std::uint8_t>{} : region.view();
      std::vector<float> buffer;
      pixels.select(0, 12, mask.view(), asked, [&](std::size_t y, const detail::RegionPixels::Count& count) {
        detail::RegionPixels::Count expected;
        std::vector<float> values;
        for (std::size_t x = 0; x < width; ++x) {
          if (!everywhere && region(y, x) == 0) continue;
          ++expected.asked;
          if ((mask(y, x) & mask_saturated) != 0) ++expected.saturated;
          if ((mask(y, x) & mask_left_out) == 0 && std::isfinite(image(y, x))) values.push_back(image(y, x));
        }
        check::equal(count.asked, expected.asked);
        check::equal(count.saturated, expected.saturated);
        const std::span<const float> row = pixels.row(y, buffer);
        check::is_true(std::equal(row.begin(), row.end(), values.begin(), values.end()), "the values that count");
      });
    }
  }
}

void finite_values() {
  constexpr float largest = std::numeric_limits<float>::max();
  constexpr float endless = std::numeric_limits<float>::infinity();
  const std::array<float, 8> values{largest, -largest, endless, -endless, std::numeric_limits<float>::quiet_NaN(),
                                    -0.0F,   1e-45F,   1};
  for (const InstructionSet set : instruction_sets()) {
    for (const std::size_t n : {1U, 8U, 64U, 131U}) {
      std::vector<float> many(n);
      for (std::size_t i = 0; i < n; ++i) many[i] = values[i % values.size()];
      std::vector<std::uint64_t> words(kernels::words_of(n), ~std::uint64_t{0});
      kernels::bit_kernels(set).finite(many.data(), n, words.data());
      for (std::size_t i = 0; i < 64 * words.size(); ++i) {
        check::equal((words[i / 64] >> (i % 64)) & 1U, i < n && std::isfinite(many[i]) ? 1U : 0U);
      }
    }
  }
}

void largest_of_a_row() {
  scene::Normal noise(5);
  for (const InstructionSet set : instruction_sets()) {
    for (std::size_t n = 0; n < 70; ++n) {
      std::vector<float> values(n);
      float most = -std::numeric_limits<float>::infinity();
      for (float& v : values) {
        v = static_cast<float>(noise() - 3);
        if (noise.uniform() < 0.3) v = std::numeric_limits<float>::quiet_NaN();
        if (v > most) most = v;
      }
      check::is_true(kernels::bit_kernels(set).largest(values.data(), n) == most, "the largest number");
    }
  }
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
  sums_of_every_instruction_set();
  pixels_that_count();
  finite_values();
  largest_of_a_row();
  refused();
  return check::result();
}
