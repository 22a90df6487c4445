#include "core/detail/rim_candidates.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "check.hpp"
#include "core/detail/rim_workspace.hpp"
#include "scene.hpp"

using namespace pyicg;
using namespace pyicg::detail;
using scene::Annulus;
using scene::Image;
using scene::Mask;

namespace {

constexpr double pi = std::numbers::pi;

struct Found {
  std::vector<RimCandidate> candidates;
  std::vector<Rejected> rejected;
};

Background background_of(double level, double sigma) {
  Background b;
  b.level = level;
  b.sigma = sigma;
  return b;
}

const RimSearch usual{1.5, 64, 1, ThresholdRule::hysteresis};

Found search(ImageView<const float> data, ImageView<const std::uint8_t> mask, double sigma = 0.01,
             const RimSearch& options = usual) {
  RimWorkspace ws;
  RimSearchWorkspace own;
  smooth_frame(data, mask, options.smooth_px, ws);
  Found f;
  f.candidates = find_rim_candidates(data, mask, background_of(1, sigma), options, f.rejected, ws, own);
  return f;
}

Found search(const Image& image, double sigma = 0.01, const RimSearch& options = usual) {
  return search(image.view(), Mask(image.height, image.width).view(), sigma, options);
}

// Votes of the last row and column of an odd frame lie beyond it; nothing outside may be read (the address sanitizer
// looks). The picture turned by 180 degrees has them within.
void corner_of_an_odd_frame() {
  Image image(21, 21);
  for (std::size_t y = 0; y < 21; ++y) {
    for (std::size_t x = 0; x < 21; ++x) {
      const double r = std::hypot(20.5 - static_cast<double>(y), 20.5 - static_cast<double>(x));
      image(y, x) = r > 5 && r < 9 ? 3.0F : 1.0F + 0.01F * static_cast<float>((7 * x + 13 * y) % 5);
    }
  }
  const Found found = search(image);
  std::ranges::reverse(image.pixels);
  check::equal(found.candidates.size(), search(image).candidates.size());
}

void add_noise(Image& image, double sigma, std::uint32_t seed) {
  scene::Normal normal(seed);
  for (float& v : image.pixels) v += static_cast<float>(sigma * normal());
}

// What lies between the angles, in degrees from +x towards +y, goes dark outside of the core.
void open(Image& image, const Annulus& a, double from, double to) {
  for (std::size_t y = 0; y < image.height; ++y) {
    for (std::size_t x = 0; x < image.width; ++x) {
      const double dy = static_cast<double>(y) - a.cy;
      const double dx = static_cast<double>(x) - a.cx;
      const double angle = std::atan2(dy, dx) * 180 / pi;
      const double turned = angle < from ? angle + 360 : angle;
      if (std::hypot(dy, dx) > a.inner && turned < to) image(y, x) = std::min(image(y, x), 1.0F);
    }
  }
}

bool has(const Found& f, const Annulus& a) {
  for (const RimCandidate& c : f.candidates) {
    const double ratio = c.radius_px / a.inner;
    if (std::hypot(c.centre_y - a.cy, c.centre_x - a.cx) < 0.35 * a.inner && ratio > 1 / 1.5 && ratio < 1.5)
      return true;
  }
  return false;
}

void whole_rims() {
  for (const double radius : {8.0, 13.0, 21.0, 40.0, 70.0, 120.0}) {
    const double thickness = std::max(4.0, 0.25 * radius);
    const auto side = static_cast<std::size_t>(3 * (radius + thickness));
    const Annulus a{
        0.47 * static_cast<double>(side), 0.51 * static_cast<double>(side), radius, radius + thickness, 0.6, 3};
    Image image = scene::annulus(side, side + 7, a, 1.5);
    add_noise(image, 0.1, 3);
    const Found f = search(image, 0.1);
    check::is_true(has(f, a), "a candidate");
    if (f.candidates.empty()) continue;
    const RimCandidate& c = f.candidates[0];
    check::is_true(c.closed, "closed");
    check::near(c.centre_y, a.cy, 0.1 * radius);
    check::near(c.centre_x, a.cx, 0.1 * radius);
    check::near(c.radius_px / radius, 1, 0.2);
    check::near(c.strength, 1, 0.05);
    check::equal(f.rejected.size(), 0U);
    check::equal(std::exp2(std::round(std::log2(c.scale_px))), c.scale_px);
  }
}

void broken_rims() {
  for (const double gap : {60.0, 120.0, 180.0}) {
    for (const double radius : {10.0, 25.0, 60.0}) {
      const auto side = static_cast<std::size_t>(4 * radius) + 30;
      const Annulus a{0.5 * static_cast<double>(side), 0.48 * static_cast<double>(side), radius, 1.4 * radius, 0.5, 3};
      Image image = scene::annulus(side, side, a, 1.2);
      open(image, a, -40, -40 + gap);
      add_noise(image, 0.1, 5);
      check::is_true(has(search(image, 0.1), a), "a candidate in a broken rim");
    }
  }
}

// A core as bright as liver, or over the cut: only its darkness beside the rim tells.
void glowing_cores() {
  for (const double core : {1.0, 2.5}) {
    const Annulus a{70.3, 61.8, 22, 32, core, 4};
    Image image = scene::annulus(140, 130, a, 1.5);
    add_noise(image, 0.1, 6);
    check::is_true(has(search(image, 0.1), a), "a candidate of a glowing core");
  }
}

void at_the_border() {
  for (const double cy : {2.0, 12.0, 30.0}) {
    const Annulus a{cy, 80, 25, 37, 0.6, 3};
    Image image = scene::annulus(110, 160, a, 1.2);
    add_noise(image, 0.1, 7);
    check::is_true(has(search(image, 0.1), a), "a candidate at the border");
  }
}

void two_that_touch() {
  const Annulus left{60, 50, 16, 26, 0.6, 3};
  const Annulus right{64, 105, 20, 31, 0.6, 3};
  Image image = scene::annulus(130, 170, left, 1.0);
  const Image other = scene::annulus(130, 170, right, 1.0);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] += other.pixels[i] - 1;
  add_noise(image, 0.05, 8);
  const Found f = search(image, 0.05);
  check::is_true(has(f, left) && has(f, right), "both");
}

void nothing_in_noise() {
  for (std::uint32_t seed = 1; seed <= 4; ++seed) {
    const Found f = search(scene::noise(200, 260, 1, 0.05, seed), 0.05);
    check::equal(f.candidates.size(), 0U);
    check::equal(f.rejected.size(), 0U);
  }
}

void reasons() {
  // One thing per frame; what lies on the frame's border first.
  const auto the = [](const Image& image, Reason why, const Mask* mask = nullptr) {
    const Found f = mask == nullptr ? search(image) : search(image.view(), mask->view());
    check::equal(f.rejected.size(), 1U);
    if (!f.rejected.empty()) check::same(f.rejected[0].reason, why);
    check::equal(f.candidates.size(), 0U);
  };
  const auto fill = [](auto&& inside, float value, float elsewhere = 1) {
    Image image(160, 200, elsewhere);
    for (std::size_t y = 0; y < image.height; ++y) {
      for (std::size_t x = 0; x < image.width; ++x) {
        if (inside(static_cast<double>(y), static_cast<double>(x))) image(y, x) = value;
      }
    }
    return image;
  };
  const auto disc = [](double radius) {
    return [radius](double y, double x) { return std::hypot(y - 80, x - 90) < radius; };
  };
  the(fill(disc(20), 4), Reason::no_enclosed_core);
  the(fill(disc(3), 4), Reason::below_min_area);
  the(fill(disc(0.5), 40), Reason::hot_pixel);
  the(fill([](double y, double x) { return std::fabs(y - 80 - 0.2 * x) < 4 && x > 30 && x < 170; }, 4),
      Reason::elongated);
  Image dark = fill([](double y, double) { return y < 60; }, 0);
  for (std::size_t y = 60; y < 68; ++y) {
    for (std::size_t x = 0; x < 200; ++x) dark(y, x) = 3;
  }
  the(dark, Reason::drape_edge);
  Image spot(160, 200, 1);
  for (std::size_t y = 0; y < 160; ++y) {
    for (std::size_t x = 0; x < 200; ++x) {
      const double r = std::hypot(static_cast<double>(y) - 80, static_cast<double>(x) - 90);
      spot(y, x) += static_cast<float>(60 * std::exp(-r * r / 18));
    }
  }
  the(spot, Reason::glare);
  const Image blob = fill(disc(20), 4);
  Mask saturated(160, 200);
  for (std::size_t i = 0; i < saturated.pixels.size(); ++i) {
    saturated.pixels[i] = blob.pixels[i] > 3 ? mask_saturated : 0;
  }
  the(blob, Reason::saturated_blob, &saturated);
}

// Whatever a frame is, a result comes back.
void odd_frames() {
  const float none = std::numeric_limits<float>::quiet_NaN();
  for (const auto& [height, width] : {std::pair<std::size_t, std::size_t>{1, 1}, {3, 3}, {1, 50}, {50, 1}, {2, 7}}) {
    for (const float v : {0.0F, 1.0F, 9.0F}) check::equal(search(Image(height, width, v)).candidates.size(), 0U);
  }
  for (const float v : {0.0F, 1.0F, 9.0F, none}) {
    const Image image(70, 90, v);
    for (const std::uint8_t m : {std::uint8_t{0}, std::uint8_t{mask_excluded}, std::uint8_t{mask_not_finite}}) {
      if (std::isnan(v) && m == 0) continue;
      const Found f = search(image.view(), Mask(70, 90, m).view());
      check::equal(f.candidates.size(), 0U);
    }
  }
  RimWorkspace ws;
  RimSearchWorkspace own;
  const Image image(20, 20, 1);
  const Mask mask(20, 20);
  smooth_frame(image.view(), mask.view(), 1, ws);
  std::vector<Rejected> rejected;
  check::equal(find_rim_candidates(image.view(), mask.view(), Background{}, usual, rejected, ws, own).size(), 0U);
}

// The same candidates from rows stored bottom up, from used buffers, and, but for the pyramid's phase, from a frame
// that is turned.
void same_again() {
  const Annulus a{70.3, 61.8, 22, 32, 0.7, 4};
  Image image = scene::annulus(128, 128, a, 1.5);
  add_noise(image, 0.1, 9);
  const Mask mask(128, 128);
  const Found once = search(image, 0.1);
  const scene::BottomUp<float> stored(image);
  const Found again = search(stored.view(), mask.view(), 0.1);
  check::equal(once.candidates.size(), again.candidates.size());
  if (once.candidates.empty() || again.candidates.empty()) return;
  check::equal(once.candidates[0].centre_y, again.candidates[0].centre_y);
  check::equal(once.candidates[0].centre_x, again.candidates[0].centre_x);
  check::equal(once.candidates[0].radius_px, again.candidates[0].radius_px);

  Image turned(128, 128);
  for (std::size_t y = 0; y < 128; ++y) {
    for (std::size_t x = 0; x < 128; ++x) turned(x, 127 - y) = image(y, x);
  }
  const Found other = search(turned, 0.1);
  check::equal(once.candidates.size(), other.candidates.size());
  if (other.candidates.empty()) return;
  check::near(other.candidates[0].centre_y, once.candidates[0].centre_x, 1);
  check::near(other.candidates[0].centre_x, 127 - once.candidates[0].centre_y, 1);

  RimWorkspace ws;
  RimSearchWorkspace own;
  for (int i = 0; i < 2; ++i) {
    smooth_frame(image.view(), mask.view(), 1, ws);
    std::vector<Rejected> rejected;
    const auto found = find_rim_candidates(image.view(), mask.view(), background_of(1, 0.1), usual, rejected, ws, own);
    check::equal(found.size(), once.candidates.size());
    check::equal(found.at(0).centre_y, once.candidates[0].centre_y);
  }
}

// Otsu and multi-Otsu find the same core.
void other_thresholds() {
  const Annulus a{70.3, 61.8, 22, 32, 0.7, 4};
  Image image = scene::annulus(140, 130, a, 1.5);
  add_noise(image, 0.1, 6);
  for (const ThresholdRule rule : {ThresholdRule::otsu, ThresholdRule::multi_otsu}) {
    const Found f = search(image, 0.1, {1.5, 64, 1, rule});
    check::is_true(has(f, a) && f.candidates.at(0).closed, "a closed candidate");
  }
}

void pyramid() {
  const float none = std::numeric_limits<float>::quiet_NaN();
  Image image(3, 5);
  for (std::size_t i = 0; i < 15; ++i) image.pixels[i] = static_cast<float>(i);
  image(0, 2) = none;
  image(0, 4) = image(1, 4) = none;
  PyramidLevel level;
  halve(image.view(), level);
  check::equal(level.height, 2U);
  check::equal(level.width, 3U);
  const auto v = [&](std::size_t y, std::size_t x) { return static_cast<double>(level.view()(y, x)); };
  check::equal(v(0, 0), 3.0);            // 0, 1, 5, 6
  check::near(v(0, 1), 18.0 / 3, 1e-6);  // 3, 7, 8
  check::is_nan(v(0, 2));
  check::equal(v(1, 0), 10.5);
  check::equal(v(1, 2), 14.0);
  check::equal(from_level(0, 4), 1.5);
}

}  // namespace

int main() {
  pyramid();
  whole_rims();
  broken_rims();
  glowing_cores();
  at_the_border();
  corner_of_an_odd_frame();
  two_that_touch();
  nothing_in_noise();
  reasons();
  odd_frames();
  same_again();
  other_thresholds();
  return check::result();
}
