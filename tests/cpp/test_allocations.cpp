// Once a scorer has seen a frame, a like one costs no heap allocation: the global operators count.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <numbers>
#include <vector>

#include "check.hpp"
#include "heap.hpp"
#include "pyicg/scorer.hpp"
#include "scene.hpp"

namespace {

using namespace pyicg;
using scene::Image;
using Raw = scene::Plane<std::uint16_t>;

constexpr std::size_t height = 300;
constexpr std::size_t width = 400;
constexpr double background_dn = 400;

// Images are of level 1 where nothing is.
void add(Image& image, const Image& other) {
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] += other.pixels[i] - 1;
}

void patch(Image& image, std::size_t y, std::size_t x, std::size_t rows, std::size_t columns, float level) {
  for (std::size_t i = y; i < y + rows; ++i) {
    for (std::size_t k = x; k < x + columns; ++k) image(i, k) = level;
  }
}

Image plain() { return {height, width, 1}; }

Image bright_patch() {
  Image image = plain();
  patch(image, 80, 100, 40, 50, 3);
  return image;
}

Image one_rim() { return scene::annulus(height, width, {110, 150, 30, 42, 0.8, 3}, 1.2); }

// Cut coarser, as it needs no detail of single pixels; the lower part of its rim is missing.
Image large_broken_rim() {
  Image image = scene::annulus(height, width, {150, 200, 108, 124, 0.6, 3}, 1.2);
  for (std::size_t y = 245; y < height; ++y) {
    for (std::size_t x = 150; x < 250; ++x) {
      const double r = std::hypot(static_cast<double>(y) - 150, static_cast<double>(x) - 200);
      image(y, x) = static_cast<float>(0.6 + 0.4 * scene::normal_cdf((r - 108) / 1.2));
    }
  }
  return image;
}

// A core that is bent around three quarters of a turn: no place in it sees all of it.
void add_bent_core(Image& image, double cy, double cx) {
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      const double dy = static_cast<double>(y) - cy;
      const double dx = static_cast<double>(x) - cx;
      const double angle = std::clamp(std::atan2(dy, dx), -0.75 * std::numbers::pi, 0.75 * std::numbers::pi);
      const double d = std::hypot(dy - 36 * std::sin(angle), dx - 36 * std::cos(angle));
      image(y, x) += static_cast<float>(2 * scene::normal_cdf((18 - d) / 1.2) - 2.3 * scene::normal_cdf((8 - d) / 1.2));
    }
  }
}

Image many_things() {
  Image image = scene::annulus(height, width, {60, 320, 24, 34, 0.7, 3}, 1.2);
  add(image, scene::annulus(height, width, {150, 330, 16, 24, 0.8, 4}, 1.2));
  add(image, scene::annulus(height, width, {235, 250, 30, 40, 0.6, 2.5}, 1.2));
  add(image, scene::annulus(height, width, {296, 340, 18, 27, 0.8, 3}, 1.2));  // cut off by the border
  patch(image, 210, 280, 50, 12, 1);                                           // a gap in the third
  add_bent_core(image, 90, 90);
  patch(image, 180, 30, 6, 90, 3);                                                 // a vessel
  patch(image, 220, 40, 20, 20, 30);                                               // saturated
  for (std::size_t k = 0; k < 6; ++k) patch(image, 190, 130 + 14 * k, 3, 3, 9.5);  // flecks
  for (std::size_t k = 0; k < 5; ++k) image(270, 20 + 20 * k) = 5;                 // hot pixels
  patch(image, 0, 195, 60, 20, 0.02F);                                             // a drape
  patch(image, 0, 215, 60, 6, 2.5);                                                // and light along its edge
  return image;
}

Raw raw_of(const Image& image, std::uint32_t seed) {
  scene::Normal noise(seed);
  Raw raw(height, width);
  for (std::size_t i = 0; i < raw.pixels.size(); ++i) {
    const double counts = background_dn * static_cast<double>(image.pixels[i]) + 8 * noise();
    raw.pixels[i] = static_cast<std::uint16_t>(std::clamp(std::lround(counts), 0L, 4095L));
  }
  return raw;
}

std::shared_ptr<const Profile> make_profile() {
  ProfileData p;
  p.height = height;
  p.width = width;
  p.saturation_dn = 4095;
  p.exposure_ms = 10;
  p.calibrated = true;
  p.gain_dn_per_e = 0.5;
  p.read_noise_dn = 2;
  p.bad.assign(height * width, 0);
  p.bad[120 * width + 150] = p.bad[60 * width + 320] = 1;
  return std::make_shared<const Profile>(p);
}

std::size_t allocations_of(Scorer& scorer, const Raw& frame) {
  heap::allocations = 0;
  heap::counting = true;
  scorer.score(frame.view(), {20, pyicg::nan});
  heap::counting = false;
  return heap::allocations;
}

void the_same_frame(const std::vector<Raw>& frames, const std::shared_ptr<const Profile>& profile,
                    const ScorerOptions& options) {
  for (const Raw& frame : frames) {
    Scorer scorer(profile, options);
    scorer.score(frame.view(), {20, pyicg::nan});
    for (int i = 0; i < 2; ++i) check::equal(allocations_of(scorer, frame), 0U);
  }
}

// Nothing that a frame has needed is given back by one with less in it. What none before has needed is asked for once:
// a contour with more vertices, one more candidate.
void frames_in_turn(const std::vector<Raw>& frames, const std::shared_ptr<const Profile>& profile) {
  Scorer scorer(profile, {});
  for (const Raw& frame : frames) scorer.score(frame.view(), {20, pyicg::nan});
  for (const Raw& frame : frames) check::equal(allocations_of(scorer, frame), 0U);
}

// The last frame holds what it says.
void what_is_scored(const std::vector<Raw>& frames, const std::shared_ptr<const Profile>& profile) {
  Scorer scorer(profile, {});
  const FrameScore& s = scorer.score(frames.back().view(), {20, pyicg::nan});
  const auto odd = std::ranges::count_if(s.lesions, [](const Lesion& l) { return l.not_star_shaped; });
  const auto broken = std::ranges::count_if(s.lesions, [](const Lesion& l) { return !l.gaps.empty(); });
  const auto clipped = std::ranges::count_if(s.lesions, [](const Lesion& l) { return l.clipped_by_border; });
  check::equal(odd, 1);
  check::is_true(s.lesions.size() >= 4 && broken > 0 && clipped > 0, "rims of every kind");
  check::is_true(s.rejected.size() > 5 && s.hot_spots.size() > 5, "regions of every kind");
  check::is_true(s.quality.glare_fraction > 0 && s.quality.saturated_fraction > 0, "glare and saturated pixels");
}

}  // namespace

int main() {
  const auto profile = make_profile();
  std::vector<Raw> frames;
  for (const auto make : {plain, bright_patch, one_rim, large_broken_rim, many_things}) {
    frames.push_back(raw_of(make(), 3));
  }
  for (const View view : {View::bed, View::section}) {
    ScorerOptions options;
    options.view = view;
    options.pixel_size_mm = 0.1;
    the_same_frame(frames, profile, options);
  }
  frames_in_turn(frames, profile);
  what_is_scored(frames, profile);
  return check::result();
}
