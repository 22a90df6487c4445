#include "pyicg/residual.hpp"
#include "pyicg/rim.hpp"

#include <cmath>
#include <numbers>
#include <vector>

#include "check.hpp"
#include "pyicg/calibrate.hpp"
#include "scene.hpp"

using namespace pyicg;
using scene::Annulus;
using scene::Image;
using scene::Mask;

namespace {

constexpr double pi = std::numbers::pi;

Background background_of(double sigma, double sem) noexcept {
  Background b;
  b.level = 1;
  b.sigma = sigma;
  b.sem = sem;
  b.n_pixels = 5000;
  return b;
}
const Background unit_background = background_of(0.001, 1e-5);

struct Segmented {
  RimResult result;
  RimWorkspace ws;
};

Segmented segment(const Image& image, const Mask& mask, const RimOptions& options,
                  const Background& background = unit_background) {
  Segmented s;
  smooth_frame(image.view(), mask.view(), options.smooth_px, s.ws);
  s.result = segment_rim(image.view(), mask.view(), background, options, s.ws);
  return s;
}

Segmented segment(const Image& image, const RimOptions& options = {}) {
  return segment(image, Mask(image.height, image.width), options);
}

double radius(const Vertex& v, const Annulus& a) { return std::hypot(v.y - a.cy, v.x - a.cx); }

double worst(const std::vector<Vertex>& contour, const Annulus& a, double expected) {
  double most = 0;
  for (const Vertex& v : contour) most = std::max(most, std::fabs(radius(v, a) - expected));
  return most;
}

std::size_t confident(const RimResult& result) {
  std::size_t n = 0;
  for (const Lesion& l : result.lesions) n += l.confidence > 0.5;
  return n;
}

// Both boundaries of a blurred annulus, where the blur is told.
void blurred_annulus() {
  struct Case {
    double inner, outer, core, psf;
  };
  for (const Case& c :
       {Case{20, 28, 0.8, 1.5}, Case{12, 18, 1.0, 1.0}, Case{30, 35, 0.7, 2.0}, Case{20, 44, 0.9, 1.5}}) {
    const Annulus a{64.3, 61.6, c.inner, c.outer, c.core, 4};
    RimOptions o;
    o.psf_sigma_px = c.psf;
    o.pixel_size_mm = 0.1;
    const Segmented s = segment(scene::annulus(128, 128, a, c.psf), o);
    check::equal(s.result.lesions.size(), 1U);
    check::equal(s.result.rejected.size(), 0U);
    if (s.result.lesions.empty()) continue;
    const Lesion& l = s.result.lesions[0];
    check::near(l.centroid_y, a.cy, 0.1);  // of whole pixels
    check::near(l.centroid_x, a.cx, 0.1);
    check::near(worst(l.inner, a, c.inner), 0, 0.05);
    check::near(worst(l.outer, a, c.outer), 0, 0.05);
    check::near(l.mean_thickness.value, c.outer - c.inner, 0.05);
    check::near(l.mean_thickness_mm.value, 0.1 * (c.outer - c.inner), 0.005);
    check::near(l.area_px, pi * c.inner * c.inner, 0.008 * pi * c.inner * c.inner);
    check::near(l.area_mm2.value, 0.01 * l.area_px, 1e-9);
    check::equal(l.completeness, 1.0);
    check::equal(l.gaps.size(), 0U);
    check::is_true(!l.not_star_shaped && !l.clipped_by_border, "a whole, round rim");
    check::is_true(l.confidence > 0.85, "a confidence over 0.85");
    check::equal(l.inner.size() % 4, 0U);
    check::equal(l.inner.size(), l.thickness.size());
    check::equal(l.inner_sigma.size(), l.inner.size());
    check::equal(l.outer_sigma.size(), l.outer.size());
    check::near(l.edge_sigma_px, c.psf, 1e-9);  // as told
    if (c.outer - c.inner > 4 * c.psf) {        // a thinner rim does not reach its level
      check::near(l.core_depth, 1 - c.core / 4, 0.01);
      check::near(l.sbr_core.value, 4 / c.core, 0.05 * 4 / c.core);
    }
    check::equal(l.core_bright, 0.0);
  }
}

// Without the blur told the edge's own width stands for it. The plain half level would lie 0.05 px inside.
void blur_from_the_edge() {
  const Annulus a{64, 64, 20, 32, 0.8, 4};
  const Segmented s = segment(scene::annulus(128, 128, a, 1.0));
  check::equal(s.result.lesions.size(), 1U);
  if (s.result.lesions.empty()) return;
  double mean = 0;
  for (const Vertex& v : s.result.lesions.at(0).inner) mean += radius(v, a);
  mean /= static_cast<double>(s.result.lesions.at(0).inner.size());
  check::near(mean, 20, 0.03);
  check::same(s.result.lesions.at(0).area_mm2.reason, Reason::no_pixel_size);
  check::is_nan(s.result.lesions.at(0).mean_thickness_mm.value);
}

void rim_sbr() {
  const Annulus a{64, 64, 20, 50, 0.8, 4};
  const Image image = scene::annulus(128, 128, a, 1.5);
  RimOptions o;
  o.carried = Reason::uncalibrated;
  Mask mask(128, 128);
  Segmented s = segment(image, mask, o);
  check::equal(s.result.lesions.size(), 1U);
  if (s.result.lesions.empty()) return;
  check::near(s.result.lesions.at(0).sbr.value, 4, 4e-3);
  check::same(s.result.lesions.at(0).sbr.reason, Reason::uncalibrated);
  // The maps: area of core and rim.
  double core = 0;
  double rim = 0;
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    core += s.ws.core_mask[i];
    rim += s.ws.rim_mask[i];
    check::equal(s.ws.labels[i], s.ws.core_mask[i] + s.ws.rim_mask[i]);
  }
  check::near(core, pi * 400, 0.02 * pi * 400);
  check::near(rim, pi * 2100, 0.02 * pi * 2100);

  mask(64, 64 + 35) = mask_saturated;
  s = segment(image, mask, o);
  check::same(s.result.lesions.at(0).sbr.reason, Reason::saturated_lower_bound);
  check::equal(s.result.lesions.at(0).sbr.hi, infinity);
}

// The standard uncertainty told of each vertex is the spread seen over noisy frames, and the mean is the truth.
void vertex_uncertainty() {
  const Annulus a{48.3, 47.6, 16, 26, 0.8, 4};
  const Image clean = scene::annulus(96, 96, a, 1.0);
  scene::Normal noise(11);
  RimOptions o;
  o.psf_sigma_px = 1;
  double sum = 0;
  double squares = 0;
  double told = 0;
  double n = 0;
  for (int frame = 0; frame < 20; ++frame) {
    Image image = clean;
    for (float& v : image.pixels) v += static_cast<float>(0.15 * noise());
    const Segmented s = segment(image, Mask(96, 96), o, background_of(0.15, 0.002));
    check::equal(s.result.lesions.size(), 1U);
    if (s.result.lesions.size() != 1) continue;
    const Lesion& l = s.result.lesions[0];
    for (std::size_t k = 0; k < l.inner.size(); ++k) {
      const double off = radius(l.inner[k], a) - 16;
      sum += off;
      squares += off * off;
      told += l.inner_sigma[k] * l.inner_sigma[k];
      n += 1;
    }
  }
  check::near(sum / n, 0, 0.01);
  // A perfect circle is the prior's extreme case, where the told error is smallest.
  check::is_true(std::sqrt(squares / told) > 0.8 && std::sqrt(squares / told) < 1.25, "errors as large as told");
}

// Between 30 and 90 degrees the rim glows at SBR 2: a rim at a cut of 1.5, a gap at one of 3.
void gap() {
  const Annulus a{64, 64, 20, 30, 0.8, 4};
  Image image = scene::annulus(128, 128, a, 1.0);
  for (std::size_t y = 65; y < 128; ++y) {
    for (std::size_t x = 65; x < 128; ++x) {
      const double angle = std::atan2(static_cast<double>(y) - 64, static_cast<double>(x) - 64) * 180 / pi;
      if (angle > 30 && image(y, x) > 1) image(y, x) = 1 + (image(y, x) - 1) / 3;
    }
  }
  const Segmented whole = segment(image);
  check::equal(whole.result.lesions.size(), 1U);
  if (whole.result.lesions.size() == 1) check::equal(whole.result.lesions[0].completeness, 1.0);

  RimOptions o;
  o.sbr_cut = 3;
  const Segmented s = segment(image, o);
  check::equal(s.result.lesions.size(), 1U);
  if (s.result.lesions.size() != 1) return;
  const Lesion& l = s.result.lesions[0];
  check::near(l.completeness, 5.0 / 6, 0.03);
  check::equal(l.gaps.size(), 1U);
  if (l.gaps.size() != 1) return;
  check::near(l.gaps[0].from_deg, 30, 6);
  check::near(l.gaps[0].to_deg, 90, 6);
  for (std::size_t k = 0; k < l.inner.size(); ++k) {
    const double angle = 360 * static_cast<double>(k) / static_cast<double>(l.inner.size());
    if (angle < 20 || angle > 100) check::near(radius(l.inner[k], a), 20, 0.12);
  }
}

// A rim of which a third is missing down to the background: found, measured, and its gap told.
void broken() {
  const Annulus a{64.3, 63.6, 22, 32, 0.5, 4};
  Image image = scene::annulus(128, 128, a, 1.0);
  for (std::size_t y = 0; y < 128; ++y) {
    for (std::size_t x = 0; x < 128; ++x) {
      const double angle = std::atan2(static_cast<double>(y) - a.cy, static_cast<double>(x) - a.cx) * 180 / pi;
      if (std::fabs(angle) < 60 && image(y, x) > 1) image(y, x) = 1;
    }
  }
  const Segmented s = segment(image);
  check::equal(s.result.lesions.size(), 1U);
  if (s.result.lesions.size() != 1) return;
  const Lesion& l = s.result.lesions[0];
  check::near(l.completeness, 2.0 / 3, 0.03);
  check::equal(l.gaps.size(), 1U);
  if (l.gaps.size() == 1) {
    check::near(l.gaps[0].from_deg, 300, 6);
    check::near(l.gaps[0].to_deg, 420, 6);  // through the +x axis
  }
  for (std::size_t k = 0; k < l.inner.size(); ++k) {
    const double angle = 360 * static_cast<double>(k) / static_cast<double>(l.inner.size());
    if (angle > 75 && angle < 285) check::near(radius(l.inner[k], a), 22, 0.12);
    if (angle < 45 || angle > 315) check::is_nan(l.thickness[k]);
  }
}

// Gaps of a rim that is closed but in part under the cut: its core was found at a level of its own.
void gap_in_a_glowing_lesion() {
  const Annulus a{64, 64, 20, 32, 2, 6};
  Image image = scene::annulus(128, 128, a, 1.0);
  for (std::size_t y = 0; y < 128; ++y) {
    for (std::size_t x = 0; x < 128; ++x) {
      const double r = std::hypot(static_cast<double>(y) - 64, static_cast<double>(x) - 64);
      const double angle = std::atan2(static_cast<double>(y) - 64, static_cast<double>(x) - 64) * 180 / pi;
      if (r > 25 && angle > -60 && angle < -30) image(y, x) = 1;
    }
  }
  const Segmented s = segment(image);
  check::equal(confident(s.result), 1U);  // the notch itself is dark, with bright tissue on three sides
  if (s.result.lesions.empty()) return;
  check::equal(s.result.lesions[0].completeness, 1.0);
  check::near(s.result.lesions[0].outer[s.result.lesions[0].outer.size() * 7 / 8].x, 64 + 25 * std::sqrt(0.5), 0.5);
}

// A core over the SBR cut is still a core beside a brighter rim.
void glowing_core() {
  const Annulus a{64.2, 63.7, 18, 30, 2.5, 6};
  RimOptions o;
  o.psf_sigma_px = 1.5;
  const Segmented s = segment(scene::annulus(128, 128, a, 1.5), o);
  check::equal(s.result.lesions.size(), 1U);
  if (s.result.lesions.empty()) return;
  check::near(worst(s.result.lesions[0].inner, a, 18), 0, 0.05);
  check::near(worst(s.result.lesions[0].outer, a, 30), 0, 0.1);
}

void rejected() {
  const scene::BlurredDisc disc(15, 1);
  const scene::BlurredDisc speck(2, 1);
  Image image(100, 100);
  for (std::size_t y = 0; y < 100; ++y) {
    for (std::size_t x = 0; x < 100; ++x) {
      const auto from = [&](double cy, double cx) {
        return std::hypot(static_cast<double>(y) - cy, static_cast<double>(x) - cx);
      };
      image(y, x) = static_cast<float>(1 + 3 * disc(from(30, 30)) + 5 * speck(from(80, 80)));
    }
  }
  const Segmented s = segment(image);
  check::equal(s.result.lesions.size(), 0U);
  check::equal(s.result.rejected.size(), 2U);
  for (const Rejected& r : s.result.rejected) {
    const bool large = r.area_px > 300;
    check::same(r.reason, large ? Reason::no_enclosed_core : Reason::below_min_area);
    check::near(r.centroid_y, large ? 30 : 80, 0.1);
  }
}

void clipped() {
  const Annulus a{25, 64, 20, 30, 0.8, 4};
  const Segmented s = segment(scene::annulus(128, 128, a, 1.0));
  check::equal(s.result.lesions.size(), 1U);
  if (s.result.lesions.empty()) return;
  check::is_true(s.result.lesions[0].clipped_by_border, "clipped by the border");
  check::near(worst(s.result.lesions[0].inner, a, 20), 0, 0.25);  // the inner boundary is whole, its plateau is cut
}

void two_lesions() {
  const Annulus left{40, 40, 12, 20, 0.8, 3};
  const Annulus right{60, 120, 16, 26, 0.8, 5};
  Image image = scene::annulus(100, 170, left, 1.0);
  const Image other = scene::annulus(100, 170, right, 1.0);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] += other.pixels[i] - 1;
  const Segmented s = segment(image);
  check::equal(s.result.lesions.size(), 2U);
  if (s.result.lesions.size() != 2) return;
  const bool swapped = s.result.lesions[0].centroid_x > 80;
  const Lesion& first = s.result.lesions[swapped ? 1 : 0];
  const Lesion& second = s.result.lesions[swapped ? 0 : 1];
  check::near(worst(first.inner, left, 12), 0, 0.1);
  check::near(worst(second.inner, right, 16), 0, 0.1);
  check::equal(s.result.lesions[0].label, 1);
  check::equal(s.result.lesions[1].label, 2);
  check::equal(s.ws.labels[40 * 170 + 40], first.label);
  check::equal(s.ws.labels[60 * 170 + 120], second.label);
}

// A core is cut at the level of its own region, also where another region lies in that region's bay. A banana-shaped
// rim of level 6 around a core of level 3, open to the left, and in its bay a spot of level 60.
void region_in_a_bay() {
  Image image(100, 100, 1);
  for (std::size_t y = 0; y < 100; ++y) {
    for (std::size_t x = 0; x < 100; ++x) {
      const double dy = static_cast<double>(y) - 50;
      const double dx = static_cast<double>(x) - 30;
      const double r = std::hypot(dy, dx);
      const double angle = std::fabs(std::atan2(dy, dx)) * 180 / pi;
      if (r > 20 && r < 50 && angle < 75) image(y, x) = r > 27 && r < 43 && angle < 60 ? 3 : 6;
      if (std::hypot(dy, dx - 11) < 6) image(y, x) = 60;
    }
  }
  RimOptions o;
  o.min_area_px = 20;
  o.smooth_px = 0.5;
  const Segmented s = segment(image, o);
  for (const Rejected& r : s.result.rejected) check::is_true(r.area_px < 400, "a core in the banana");
  check::is_true(confident(s.result) <= 1U, "no more than the banana itself");
  check::equal(+s.ws.core_mask[50 * 100 + 65], 1);  // the banana's middle
}

void masked_hole() {
  // A blob of bad pixels inside a bright disc is no core.
  const scene::BlurredDisc disc(25, 1);
  Image image(80, 80);
  Mask mask(80, 80);
  for (std::size_t y = 0; y < 80; ++y) {
    for (std::size_t x = 0; x < 80; ++x) {
      const double r = std::hypot(static_cast<double>(y) - 40, static_cast<double>(x) - 40);
      image(y, x) = static_cast<float>(1 + 3 * disc(r));
      if (r < 10) {
        mask(y, x) = mask_not_finite;
        image(y, x) = std::numeric_limits<float>::quiet_NaN();
      }
    }
  }
  const Segmented s = segment(image, mask, {});
  check::equal(s.result.lesions.size(), 0U);
  check::is_nan(static_cast<double>(s.ws.smooth[40 * 80 + 40]));
  check::near(static_cast<double>(s.ws.smooth[40 * 80 + 55]), 4, 1e-5);  // the rest is untouched by what is left out
}

void no_background() {
  const Segmented s = segment(Image(9, 9, 5), Mask(9, 9), {}, {});
  check::equal(s.result.lesions.size(), 0U);
  check::equal(s.ws.labels.size(), 81U);
}

void residual() {
  Image image(60, 60, 1);
  Mask mask(60, 60);
  const auto square = [&](std::size_t y0, std::size_t x0, std::size_t side, float value) {
    for (std::size_t y = y0; y < y0 + side; ++y) {
      for (std::size_t x = x0; x < x0 + side; ++x) image(y, x) = value;
    }
  };
  square(5, 5, 12, 3);
  square(30, 30, 16, 5);
  square(50, 5, 3, 9);  // too small
  RimWorkspace ws;
  smooth_frame(image.view(), mask.view(), 1, ws);
  Residual r = residual_fluorescence(mask.view(), unit_background, 1.5, 64, 1, ws);
  check::is_true(r.sign && !r.saturated, "a sign without saturation");
  check::equal(r.hot_spots.size(), 2U);
  check::near(r.hot_spots.at(0).peak_sbr, 5, 1e-4);
  check::near(r.hot_spots.at(1).peak_sbr, 3, 1e-4);
  check::near(r.hot_spots.at(0).peak_y, 37.5, 4);
  check::equal(r.area_px, r.hot_spots[0].area_px + r.hot_spots[1].area_px);
  // The contour of a blurred square at the cut: a little outside its edge.
  check::near(r.hot_spots[0].area_px, 18 * 18, 25);
  double bright = 0;
  Mask marked(60, 60);
  mark_residual(64, marked.view(), ws);
  for (const auto v : marked.pixels) bright += v;
  check::equal(bright, r.area_px);
  const PixelBox box = mark_spot(r.hot_spots[0], 4.9, marked.view(), ws);
  check::is_true(marked(37, 37) == 1 && marked(29, 37) == 0, "the top of the brightest square");
  check::is_true(box.y0 <= 30 && box.y1 >= 46 && box.x0 > 20, "the box of the brightest square alone");

  // Saturated pixels alone are no sign, and no negative either.
  for (std::size_t y = 28; y < 50; ++y) {
    for (std::size_t x = 28; x < 50; ++x) mask(y, x) = mask_saturated;
  }
  r = residual_fluorescence(mask.view(), unit_background, 3.5, 64, 1, ws);
  check::is_true(!r.sign && r.saturated, "saturated, no sign");
  check::equal(residual_fluorescence(mask.view(), unit_background, 5.5, 64, 1, ws).hot_spots.size(), 0U);

  // Noise: five times what is left of it after smoothing bounds the cut from below.
  const Background noisy = background_of(5, 0.05);
  check::equal(residual_fluorescence(mask.view(), noisy, 1.5, 64, 1, ws).hot_spots.size(), 0U);
}

void deep_half() {
  Mask region(21, 30);
  for (std::size_t y = 5; y < 16; ++y) {  // 11 x 11, deepest 6
    for (std::size_t x = 2; x < 13; ++x) region(y, x) = 1;
  }
  for (std::size_t y = 0; y < 5; ++y) {  // 5 x 5 at the border, deepest 3: judged by itself
    for (std::size_t x = 25; x < 30; ++x) region(y, x) = 1;
  }
  RimWorkspace ws;
  keep_deep_half(region.view(), ws);
  Mask expected(21, 30);
  for (std::size_t y = 7; y < 14; ++y) {
    for (std::size_t x = 4; x < 11; ++x) expected(y, x) = 1;
  }
  for (std::size_t y = 1; y < 4; ++y) {
    for (std::size_t x = 26; x < 29; ++x) expected(y, x) = 1;
  }
  check::is_true(region == expected, "the pixels at least half as deep as the deepest");
}

}  // namespace

int main() {
  blurred_annulus();
  blur_from_the_edge();
  rim_sbr();
  vertex_uncertainty();
  gap();
  broken();
  gap_in_a_glowing_lesion();
  glowing_core();
  rejected();
  clipped();
  two_lesions();
  region_in_a_bay();
  masked_hole();
  no_background();
  residual();
  deep_half();
  return check::result();
}
