#include "pyicg/statistics.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "check.hpp"
#include "core/detail/nth_value.hpp"
#include "core/detail/region_values.hpp"
#include "kernels/pixel_bits.hpp"
#include "kernels/region_rows.hpp"
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

// Large enough that not all are kept; some of one octave, some of all.
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

// The values that count in a row, in the order in which they are added up: those of whole blocks, then the others.
struct Counting {
  std::size_t asked = 0;
  std::size_t saturated = 0;
  std::vector<float> values;
  std::size_t in_blocks = 0;  // of the values: whole blocks
};

Counting counting(const kernels::RegionRow& row) {
  constexpr std::size_t block = 32;
  Counting found;
  std::vector<float> loose;
  for (std::size_t first = 0; first < row.width; first += block) {
    std::vector<float> values;
    for (std::size_t x = first; x < std::min(first + block, row.width); ++x) {
      if (row.region != nullptr && row.region[x] == 0) continue;
      ++found.asked;
      if ((row.mask[x] & row.saturated) != 0) ++found.saturated;
      if ((row.mask[x] & row.left_out) == 0 && std::isfinite(row.values[x])) values.push_back(row.values[x]);
    }
    std::vector<float>& to = values.size() == block ? found.values : loose;
    to.insert(to.end(), values.begin(), values.end());
  }
  found.in_blocks = found.values.size() + loose.size() / block * block;
  found.values.insert(found.values.end(), loose.begin(), loose.end());
  return found;
}

void two_sum(double v, kernels::Sum& sum) {
  const double next = sum.total + v;
  const double taken = next - sum.total;
  sum.lost += (sum.total - (next - taken)) + (v - taken);
  sum.total = next;
}

// Eight sums in turn, of `together` terms at once, as it is told in region_rows.hpp.
kernels::Sum added(std::span<const double> terms, std::size_t whole, std::size_t together) {
  std::array<kernels::Sum, 8> sums;
  for (std::size_t i = 0; i < whole; i += 8 * together) {
    for (std::size_t k = 0; k < 8; ++k) {
      double term = terms[i + k];
      for (std::size_t j = 1; j < together; ++j) term += terms[i + 8 * j + k];
      two_sum(term, sums[k]);
    }
  }
  for (std::size_t i = whole; i < terms.size(); ++i) two_sum(terms[i], sums[i % 8]);
  kernels::Sum all;
  for (const kernels::Sum& sum : sums) {
    two_sum(sum.total, all);
    all.lost += sum.lost;
  }
  return all;
}

// Rows of any width, in any blocks of which there is all, nothing, one run or noise.
void rows_of_every_instruction_set() {
  constexpr float endless = std::numeric_limits<float>::infinity();
  constexpr float centre = 0.3F;
  const std::array<kernels::Window, 4> windows{{{-endless, -2}, {-0.1F, 0.1F}, {0.5F, 0.5F}, {1, endless}}};
  const std::array<float, 3> odd{std::numeric_limits<float>::quiet_NaN(), endless, -endless};
  scene::Normal noise(5);
  for (const std::size_t width : {1U, 31U, 32U, 33U, 63U, 64U, 200U, 256U, 331U}) {
    for (int y = 0; y < 12; ++y) {
      std::vector<float> values(width);
      std::vector<std::uint8_t> mask(width);
      std::vector<std::uint8_t> region(width);
      for (std::size_t x = 0; x < width; ++x) {
        values[x] = static_cast<float>(y % 3 == 0 ? noise() * std::exp(20 * noise()) : noise());
        if (noise() > 1.5) values[x] = 0.5F;
        if (y > 6 && noise() > 2) values[x] = odd[x % 3];
        if (y > 4 && noise() > 1) mask[x] = static_cast<std::uint8_t>(1U << (x % 7));
        region[x] = y != 3 && (y % 2 == 0 ? noise() > 0.5 : x >= 40) ? 255 : 0;
      }
      const kernels::RegionRow row{values.data(), mask.data(),   y < 10 ? region.data() : nullptr,
                                   width,         mask_left_out, mask_saturated};
      const Counting expected = counting(row);
      const std::vector<double> terms(expected.values.begin(), expected.values.end());
      std::vector<double> squares = terms;
      for (double& v : squares) v = (v - double{centre}) * (v - double{centre});
      for (const InstructionSet set : instruction_sets()) {
        const kernels::RegionKernels& kernel = kernels::region_kernels(set);
        check::equal(kernel.count(region.data(), width),
                     width - static_cast<std::size_t>(std::ranges::count(region, std::uint8_t{0})));
        kernels::RegionCounts counts{7, 8, 9};  // goes on from there
        std::array<kernels::WindowCounts, 4> in_windows;
        std::array<std::vector<float>, 4> kept;
        for (std::size_t w = 0; w < windows.size(); ++w) {
          kept[w].resize(width + 5);
          kept[w].front() = -77;
          in_windows[w] = {3, 1, kept[w].data()};
        }
        std::vector<float> loose(width + 1);
        const kernels::RowSums sums =
            kernel.take(row, centre, windows.data(), windows.size(), &counts, in_windows.data(), loose.data());
        check::equal(counts.asked, 7 + expected.asked);
        check::equal(counts.saturated, 8 + expected.saturated);
        check::equal(counts.n, 9 + terms.size());
        check::equal(sums.values.total, added(terms, expected.in_blocks, 1).total);
        check::equal(sums.values.lost, added(terms, expected.in_blocks, 1).lost);
        check::equal(sums.squares.total, added(squares, expected.in_blocks, 4).total);
        check::equal(sums.squares.lost, added(squares, expected.in_blocks, 4).lost);
        check::equal(counts.least, terms.empty() ? endless : *std::ranges::min_element(expected.values));
        check::equal(counts.most, terms.empty() ? -endless : *std::ranges::max_element(expected.values));
        for (std::size_t w = 0; w < windows.size(); ++w) {
          std::vector<float> inside{-77};
          std::size_t below = 3;
          for (const float v : expected.values) {
            if (v >= windows[w].low && v <= windows[w].high) inside.push_back(v);
            if (v < windows[w].low) ++below;
          }
          check::equal(in_windows[w].below, below);
          check::equal(in_windows[w].inside, inside.size());
          kept[w].resize(in_windows[w].inside);
          std::ranges::sort(kept[w]);
          std::ranges::sort(inside);
          check::is_true(kept[w] == inside, "the values in the window");
        }
      }
    }
  }
}

// Windows that are far too narrow are missed, and what is missed is said to be.
void windows_that_are_missed() {
  scene::Normal noise(6);
  Image image(200, 301);
  for (float& v : image.pixels) v = static_cast<float>(noise());
  std::vector<float> sorted = image.pixels;
  std::ranges::sort(sorted);
  const std::size_t n = sorted.size();
  const double median = middle({sorted.begin(), sorted.end()});
  std::vector<double> distances(sorted.begin(), sorted.end());
  for (double& v : distances) v = std::fabs(v - median);
  std::ranges::sort(distances);
  const Mask mask(200, 301);
  detail::RegionValues values(image.view(), mask.view(), {}, {});
  std::size_t missed = 0;
  for (std::size_t tenth = 1; tenth < 10; ++tenth) {
    for (const double reach : {0.0, 0.1, 4.0, 300.0}) {
      const std::size_t rank = n * tenth / 10;
      const double share = static_cast<double>(tenth) / 10;
      values.look({&share, 1}, reach);
      double ranked = nan;
      const bool told = values.ranked({&rank, 1}, {&ranked, 1});
      const auto middle_two = values.middle_distances(median);
      if (told) check::equal(ranked, static_cast<double>(sorted[rank]));
      if (middle_two) {
        check::equal(middle_two->first, distances[(n - 1) / 2]);
        check::equal(middle_two->second, distances[n / 2]);
      }
      if (reach >= 4) check::is_true(told && middle_two, "both found");
      missed += (told ? 0U : 1U) + (middle_two ? 0U : 1U);
    }
  }
  check::equal(missed, 34U);  // of 36 from windows that hold next to nothing
}

// Any rank of any values against sorting, around the numbers up to which all are looked at.
void nth_values() {
  scene::Normal noise(7);
  detail::NthValue<float> nth;
  for (const std::size_t n : {1U, 2U, 2047U, 2048U, 2049U, 5000U, 60000U}) {
    for (int kind = 0; kind < 5; ++kind) {
      std::vector<float> values(n);
      for (std::size_t i = 0; i < n; ++i) {
        const double v = noise();
        values[i] = static_cast<float>(kind == 0   ? v
                                       : kind == 1 ? std::round(v)                // ties
                                       : kind == 2 ? static_cast<double>(i % 59)  // in step with the sample
                                       : kind == 3 ? std::exp(20 * v)
                                                   : 0.25);
      }
      const std::vector<float> before = values;
      std::vector<float> sorted = values;
      std::ranges::sort(sorted);
      for (const std::size_t k : {std::size_t{0}, n / 100, n / 3, n / 2, n - 1})
        check::equal(nth(values, k), sorted[k]);
      check::is_true(values == before, "the values as they were");
    }
  }
}

// A pattern that keeps step with the places of the sample: what is found does not hang on what was looked at first.
void a_sample_that_misleads() {
  Image image(640, 640);
  scene::Normal noise(8);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<float>((i / 640) % 8 == 0 ? 1000 + noise() : noise());  // every row that is looked at
  }
  against_sorting(image);
  Image line(1, 300000);  // one row, read piece by piece
  for (float& v : line.pixels) v = static_cast<float>(noise());
  against_sorting(line);
  Image column(300000, 1);
  column.pixels = line.pixels;
  against_sorting(column);
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
  rows_of_every_instruction_set();
  windows_that_are_missed();
  nth_values();
  a_sample_that_misleads();
  finite_values();
  largest_of_a_row();
  refused();
  return check::result();
}
