#include "core/detail/tiles.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "core/detail/blocks.hpp"
#include "kernels/mode_bins.hpp"
#include "pyicg/background.hpp"
#include "pyicg/instruction_set.hpp"
#include "scene.hpp"

using namespace pyicg;
using scene::Image;
using scene::Mask;

namespace {

template <class Work>
void on_every_instruction_set(const Work& work) {
  const InstructionSet before = instruction_set();
  for (const auto set : instruction_sets()) {
    use_instruction_set(instruction_set_name(set));
    work();
  }
  use_instruction_set(instruction_set_name(before));
}

// Noise with pixels that are bad, cut off, saturated or 0, in clusters and alone.
struct Scene {
  Image image;
  Mask mask;
  Image variance;

  Scene(std::size_t height, std::size_t width, std::uint32_t seed)
      : image(scene::noise(height, width, 100, 10, seed)), mask(height, width), variance(height, width) {
    scene::Normal random(seed + 1);
    for (std::size_t i = 0; i < image.pixels.size(); ++i) {
      variance.pixels[i] = static_cast<float>(1 + random.uniform());
      const double u = random.uniform();
      if (i % width > width / 2 && u < 0.2) continue;
      if (u < 0.02) mask.pixels[i] = mask_bad | mask_repaired;
      if (u > 0.02 && u < 0.04) mask.pixels[i] = mask_underflow;
      if (u > 0.04 && u < 0.06) mask.pixels[i] = mask_saturated | mask_underflow;
      if (u > 0.06 && u < 0.1) image.pixels[i] = 0;
      if (u > 0.1 && u < 0.12) mask.pixels[i] = mask_repaired;
    }
  }
  [[nodiscard]] CalibratedView view(bool noise_known = true) const {
    return {image.view(), mask.view(), noise_known ? variance.view() : Image(0, 0).view(), 0};
  }
};

struct Expected {
  std::vector<double> values;
  double noise = 0;
  float cut = 0;
};

// Pixel by pixel.
Expected expected_tile(const Scene& s, const detail::Tiles& t, std::size_t r, std::size_t c,
                       const detail::ValueRange& range, bool zeros_are_cut) {
  Expected e;
  for (std::size_t y = t.row_edges[r]; y < t.row_edges[r + 1]; ++y) {
    for (std::size_t x = t.column_edges[c]; x < t.column_edges[c + 1]; ++x) {
      const int bits = s.mask(y, x) & mask_left_out;
      const auto v = static_cast<double>(s.image(y, x));
      if (bits == mask_underflow) e.cut += 1;
      if (bits != 0 || v < range.lo || v > range.hi) continue;
      if (zeros_are_cut && v == 0) e.cut += 1;
      e.values.push_back(v);
      e.noise += static_cast<double>(s.variance(y, x));
    }
  }
  return e;
}

void against_pixel_by_pixel() {
  for (const auto& [height, width] : {std::pair<std::size_t, std::size_t>{47, 131}, {3, 200}, {64, 9}}) {
    const Scene s(height, width, 3);
    for (const std::size_t edge : {1U, 2U, 4U, 5U, 7U}) {
      for (const detail::ValueRange& range : {detail::ValueRange{}, {-1, 112.3}, {95.1, infinity}}) {
        for (const bool zeros_are_cut : {false, true}) {
          detail::Tiles t;
          detail::make_tiles(s.view(), edge, range, zeros_are_cut, t);
          std::size_t i = 0;
          for (std::size_t r = 0; r < t.rows(); ++r) {
            for (std::size_t c = 0; c < t.columns(); ++c) {
              const Expected e = expected_tile(s, t, r, c, range, zeros_are_cut);
              const auto area = (t.row_edges[r + 1] - t.row_edges[r]) * (t.column_edges[c + 1] - t.column_edges[c]);
              if (e.values.empty() || 2 * e.values.size() < area) continue;
              const auto n = static_cast<double>(e.values.size());
              double mean = 0;
              for (const double v : e.values) mean += v / n;
              double squares = 0;
              for (const double v : e.values) squares += (v - mean) * (v - mean);
              check::equal(t.row.at(i), r);
              check::equal(t.column.at(i), c);
              check::equal(t.n[i], static_cast<float>(n));
              check::equal(t.cut[i], e.cut);
              check::near(static_cast<double>(t.mean[i]), mean, 1e-5);
              check::near(t.within[i], n > 1 ? squares / (n - 1) : 0, 1e-9);
              check::near(t.noise[i], e.noise / n, 1e-12);
              ++i;
            }
          }
          check::equal(t.size(), i);
        }
      }
    }
  }
}

void same_bits_everywhere() {
  const Scene s(90, 133, 5);
  const scene::BottomUp<float> up(s.image);
  const scene::BottomUp<std::uint8_t> up_mask(s.mask);
  for (const std::size_t edge : {1U, 3U, 4U}) {
    detail::Tiles first;
    detail::make_tiles(s.view(false), edge, {80, 120}, true, first);
    check::is_true(std::all_of(first.noise.begin(), first.noise.end(), [](double v) { return std::isnan(v); }),
                   "no noise where it is not known");
    on_every_instruction_set([&] {
      for (const CalibratedView& view : {s.view(false), CalibratedView{up.view(), up_mask.view(), {}, 0}}) {
        detail::Tiles t;
        detail::make_tiles(view, edge, {80, 120}, true, t);
        check::is_true(t.mean == first.mean && t.n == first.n && t.within == first.within && t.cut == first.cut,
                       "the same bits");
      }
    });
  }
  // The whole background too.
  for (const auto policy : {BackgroundPolicy::mode, BackgroundPolicy::median, BackgroundPolicy::percentile}) {
    BackgroundOptions o;
    o.policy = policy;
    std::vector<Background> found;
    on_every_instruction_set([&] {
      BackgroundWorkspace ws;
      found.push_back(estimate_background(s.view(), o, ws));
    });
    for (const Background& b : found) {
      check::equal(b.level, found[0].level);
      check::equal(b.sigma, found[0].sigma);
      check::equal(b.sem, found[0].sem);
      check::equal(b.dof, found[0].dof);
    }
  }
}

void weights() {
  std::vector<double> values;
  for (int i = -4000; i <= 4001; ++i) values.push_back(0.01 * i);
  std::vector<double> first(values.size());
  kernels::mode_kernels().weigh(values.data(), values.size(), 0.3, 1.1, first.data());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double d = (values[i] - 0.3) / 1.1;
    const double expected = std::exp(-0.5 * d * d);
    check::near(first[i], expected, 3e-16 * expected + 1e-299);
  }
  on_every_instruction_set([&] {
    std::vector<double> weights = values;
    kernels::mode_kernels().weigh(weights.data(), weights.size(), 0.3, 1.1, weights.data());
    check::is_true(weights == first, "the same bits");
  });
  const std::array far{-1e300, 1e300, 60.0};
  std::array<double, 3> none{1, 1, 1};
  kernels::mode_kernels().weigh(far.data(), 3, 0, 1, none.data());
  check::is_true(none == std::array{0.0, 0.0, 0.0}, "no weight far off");
}

void bins() {
  const Image image = scene::noise(1, 5003, 10, 4, 2);
  constexpr kernels::BinScale scale{10, 0.5, 8, 256};
  on_every_instruction_set([&] {
    std::vector<std::int32_t> found(image.pixels.size());
    kernels::mode_kernels().bins(image.pixels.data(), found.size(), scale, found.data());
    for (std::size_t i = 0; i < found.size(); ++i) {
      const double position = ((static_cast<double>(image.pixels[i]) - 10) / 0.5 + 8) * 256;
      if (position < 0 || position > 4096) {
        check::is_true(found[i] >= kernels::mode_bins && found[i] < kernels::mode_bins + kernels::beside_bins,
                       "beside the bins");
      } else {
        check::equal(found[i], std::min(static_cast<std::int32_t>(position), kernels::mode_bins - 1));
      }
    }
  });
}

void float_bounds() {
  for (const double v : {0.1, 3.0, -0.1, 1e-3, 4095.7, infinity, -infinity}) {
    const float least = detail::least_float(v);
    const float greatest = detail::greatest_float(v);
    check::is_true(static_cast<double>(least) >= v && static_cast<double>(greatest) <= v, "bounds inside");
    check::is_true(least == greatest || std::nextafter(greatest, least) == least, "and no float between them");
  }
}

}  // namespace

int main() {
  against_pixel_by_pixel();
  same_bits_everywhere();
  weights();
  bins();
  float_bounds();
  return check::result();
}
