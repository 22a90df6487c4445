#include "core/detail/blocks.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "check.hpp"
#include "pyicg/measurement.hpp"
#include "scene.hpp"

using pyicg::detail::Blocks;
using pyicg::detail::Correlation;
using pyicg::detail::Inflation;
using scene::Image;
using scene::Mask;

namespace {

Correlation correlation(const Image& influence, const Mask& missing, std::size_t edge = 2) {
  Blocks blocks;
  blocks.reset(influence.height, influence.width, edge);
  std::vector<double> row(influence.width);
  for (std::size_t y = 0; y < influence.height; ++y) {
    for (std::size_t x = 0; x < influence.width; ++x) {
      row[x] = missing(y, x) == 0 ? static_cast<double>(influence(y, x)) : pyicg::nan;
    }
    blocks.add_row(row.data());
  }
  return blocks.correlation();
}

Inflation inflation(const Image& influence, const Mask& missing, std::size_t edge = 2) {
  return correlation(influence, missing, edge).worst;
}

Inflation inflation(const Image& influence) { return inflation(influence, Mask(influence.height, influence.width)); }

void edges() {
  std::vector<std::size_t> edges;
  for (std::size_t length = 1; length <= 150; ++length) {
    for (std::size_t part = 1; part <= 25; ++part) {
      pyicg::detail::symmetric_edges(length, part, edges);
      check::equal(edges.front(), 0U);
      check::equal(edges.back(), length);
      std::size_t least = length;
      std::size_t most = 0;
      for (std::size_t k = 0; k + 1 < edges.size(); ++k) {
        check::is_true(edges[k] < edges[k + 1], "parts that hold something");
        check::equal(edges[k] + edges[edges.size() - 1 - k], length);
        least = std::min(least, edges[k + 1] - edges[k]);
        most = std::max(most, edges[k + 1] - edges[k]);
      }
      check::is_true(most - least <= 2, "parts of about one size");
      check::is_true(2 * least >= std::min(part, length), "parts of about the size asked for");
      check::is_true(2 * most <= 5 * part, "parts of about the size asked for");
      if (length % part == 0) check::equal(edges.size() - 1, length / part);
    }
  }
}

// White noise is found to be white, whatever the shape of the frame.
void white_noise() {
  for (const auto& [height, width] : {std::pair<std::size_t, std::size_t>{64, 64}, {1, 900}, {37, 51}, {200, 9}}) {
    constexpr std::uint32_t runs = 60;
    double mean = 0;
    for (std::uint32_t seed = 1; seed <= runs; ++seed) {
      const Inflation found = inflation(scene::noise(height, width, 0, 1, seed));
      check::is_true(found.factor >= 1, "a factor of at least 1");
      mean += found.factor / runs;
    }
    check::near(mean, 1.1, 0.1);  // the worst of several sizes leans upwards by a tenth
  }
}

// Noise averaged over 3 x 3 neighbours: autocorrelation 1, 2/3, 1/3 along each axis. Blocks of edge b inflate by
// (3 - 8/(3 b))^2, all of the frame by 9.
void correlated_noise() {
  constexpr std::uint32_t runs = 12;
  double mean = 0;
  std::array<double, 6> at_scale{};
  for (std::uint32_t seed = 1; seed <= runs; ++seed) {
    const Image white = scene::noise(514, 514, 0, 1, seed);
    Image averaged(512, 512);
    for (std::size_t y = 0; y < 512; ++y) {
      for (std::size_t x = 0; x < 512; ++x) {
        double sum = 0;
        for (std::size_t i = 0; i < 9; ++i) sum += static_cast<double>(white(y + i / 3, x + i % 3));
        averaged(y, x) = static_cast<float>(sum);
      }
    }
    const Correlation found = correlation(averaged, Mask(512, 512));
    mean += found.worst.factor / runs;
    for (std::size_t k = 0; k < at_scale.size(); ++k) at_scale[k] += found.scales[k].found.factor / runs;
  }
  for (std::size_t k = 0; k < at_scale.size(); ++k) {
    const auto edge = static_cast<double>(2U << k);
    const double expected = (3 - 8 / (3 * edge)) * (3 - 8 / (3 * edge));
    const double blocks = 512 * 512 / (edge * edge);
    check::near(at_scale[k] / expected, 1, 4 * std::sqrt(2 / (blocks * runs)) + 0.02);
  }
  check::near(mean, 9, 1.2);  // the worst of several sizes leans upwards by a tenth
}

// 16 squares of 2 x 2 equal values, black and white in turn: larger blocks add up to nothing, the smallest hold
// 4 values that are one.
void closed_form() {
  Image squares(8, 8);
  for (std::size_t y = 0; y < 8; ++y) {
    for (std::size_t x = 0; x < 8; ++x) squares(y, x) = (y / 2 + x / 2) % 2 == 0 ? 1.0F : -1.0F;
  }
  const Inflation found = inflation(squares);
  check::near(found.factor, 4 * 16.0 / 15, 1e-12);
  check::near(found.blocks, 16, 1e-12);
  const Correlation all = correlation(squares, Mask(8, 8));
  check::equal(all.n_scales, 1U);  // the next size has four blocks: too few
  check::near(all.scales[0].pixels, 4, 1e-12);
  check::near(all.scales[0].found.factor, found.factor, 1e-12);
  // An added constant is no influence, and no unit matters.
  Image other(8, 8);
  for (std::size_t i = 0; i < 64; ++i) other.pixels[i] = 1e3F + 64 * squares.pixels[i];
  check::near(inflation(other).factor, found.factor, 1e-9);

  // Neighbours that cancel are no reason for a smaller error than that of white noise.
  Image chess(8, 8);
  for (std::size_t y = 0; y < 8; ++y) {
    for (std::size_t x = 0; x < 8; ++x) chess(y, x) = (y + x) % 2 == 0 ? 1.0F : -1.0F;
  }
  check::equal(inflation(chess).factor, 1.0);
  check::equal(inflation(chess).blocks, 64.0);
}

void turned_frames() {
  Image image = scene::noise(45, 62, 0, 1, 3);
  for (std::size_t y = 0; y < 45; ++y) {
    for (std::size_t x = 0; x < 62; ++x) image(y, x) += static_cast<float>(std::sin(0.2 * static_cast<double>(x)));
  }
  Image mirrored(45, 62);
  Image turned(62, 45);
  for (std::size_t y = 0; y < 45; ++y) {
    for (std::size_t x = 0; x < 62; ++x) {
      mirrored(44 - y, 61 - x) = image(y, x);
      turned(x, 44 - y) = image(y, x);
    }
  }
  const Inflation found = inflation(image);
  check::is_true(found.factor > 2, "correlation along the rows");
  for (const Image& other : {mirrored, turned}) {
    check::near(inflation(other).factor, found.factor, 1e-9 * found.factor);
    check::near(inflation(other).blocks, found.blocks, 1e-9);
  }
}

void few_pixels() {
  Inflation found = inflation(Image(5, 4), Mask(5, 4, 1));
  check::equal(found.factor, 1.0);
  check::equal(found.blocks, 0.0);
  found = inflation(Image(1, 1, 3), Mask(1, 1));
  check::equal(found.factor, 1.0);
  check::equal(found.blocks, 1.0);
  check::equal(inflation(Image(20, 20, 2)).factor, 1.0);  // nothing scatters

  // Half of the pixels missing, at random: white noise stays white.
  double mean = 0;
  scene::Normal random(5);
  for (std::uint32_t seed = 1; seed <= 40; ++seed) {
    Mask missing(60, 60);
    for (auto& v : missing.pixels) v = random.uniform() < 0.5 ? 1 : 0;
    mean += inflation(scene::noise(60, 60, 0, 1, seed), missing).factor / 40;
  }
  check::near(mean, 1, 0.1);
  // A buffer used before holds nothing of it.
  Blocks used;
  used.reset(40, 40, 2);
  const std::vector<double> nines(40, 9.0);
  for (std::size_t i = 0; i < 39; ++i) used.add_row(nines.data());
  used.reset(5, 4, 2);
  const std::vector<double> nothing(4, pyicg::nan);
  for (std::size_t i = 0; i < 5; ++i) used.add_row(nothing.data());
  check::equal(used.correlation().worst.blocks, 0.0);
}

// Of the base blocks, pixel by pixel from the definition: the ratio of the variances of the mean.
void against_definition() {
  scene::Normal random(6);
  for (const std::size_t edge : {1U, 2U, 3U}) {
    const Image image = scene::noise(31, 43, 0.3, 1, 7);
    Mask missing(31, 43);
    for (auto& v : missing.pixels) v = random.uniform() < 0.2 ? 1 : 0;
    std::vector<std::size_t> rows;
    std::vector<std::size_t> columns;
    pyicg::detail::symmetric_edges(31, edge, rows);
    pyicg::detail::symmetric_edges(43, edge, columns);
    double n = 0;
    double sum = 0;
    for (std::size_t i = 0; i < image.pixels.size(); ++i) {
      if (missing.pixels[i] != 0) continue;
      n += 1;
      sum += static_cast<double>(image.pixels[i]);
    }
    double independent = 0;
    double between = 0;
    double n_squared = 0;
    for (std::size_t r = 0; r + 1 < rows.size(); ++r) {
      for (std::size_t c = 0; c + 1 < columns.size(); ++c) {
        double of_block = 0;
        double pixels = 0;
        for (std::size_t y = rows[r]; y < rows[r + 1]; ++y) {
          for (std::size_t x = columns[c]; x < columns[c + 1]; ++x) {
            if (missing(y, x) != 0) continue;
            const double d = static_cast<double>(image(y, x)) - sum / n;
            of_block += d;
            pixels += 1;
            independent += d * d;
          }
        }
        between += of_block * of_block;
        n_squared += pixels * pixels;
      }
    }
    const double blocks = n * n / n_squared;
    const Correlation found = correlation(image, missing, edge);
    check::near(found.scales[0].pixels, n / blocks, 1e-12);
    check::near(found.scales[0].found.blocks, blocks, 1e-9);
    check::near(found.scales[0].found.factor, between / independent * blocks / (blocks - 1), 1e-12);
  }
}

}  // namespace

int main() {
  edges();
  white_noise();
  correlated_noise();
  closed_form();
  turned_frames();
  few_pixels();
  against_definition();
  return check::result();
}
