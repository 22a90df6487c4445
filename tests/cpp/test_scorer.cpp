#include "pyicg/scorer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "check.hpp"
#include "scene.hpp"

using namespace pyicg;
using scene::Image;
using Raw = scene::Plane<std::uint16_t>;

namespace {

using pyicg::nan;  // not the C library's

ProfileData plain(std::size_t height, std::size_t width) {
  ProfileData p;
  p.height = height;
  p.width = width;
  p.saturation_dn = 4095;
  p.exposure_ms = 10;
  p.calibrated = true;
  return p;
}

std::shared_ptr<const Profile> make_profile(const ProfileData& p) { return std::make_shared<const Profile>(p); }

// Background 200 DN with noise of 4 DN; a blurred disc of SBR `sbr` and the radius told.
Raw bed(double sbr, double radius, std::uint32_t seed) {
  const scene::BlurredDisc disc(radius, 1.5);
  scene::Normal noise(seed);
  Raw raw(96, 120);
  for (std::size_t y = 0; y < 96; ++y) {
    for (std::size_t x = 0; x < 120; ++x) {
      const double r = std::hypot(static_cast<double>(y) - 50.2, static_cast<double>(x) - 61.7);
      const double counts = 200 * (1 + (sbr - 1) * disc(r)) + 4 * noise();
      raw(y, x) = static_cast<std::uint16_t>(std::clamp(std::lround(counts), 0L, 4095L));
    }
  }
  return raw;
}

bool has(const FrameScore& s, Reason r) { return std::find(s.reasons.begin(), s.reasons.end(), r) != s.reasons.end(); }

void residual_on_the_bed() {
  ScorerOptions o;
  o.pixel_size_mm = 0.2;
  Scorer scorer(make_profile(plain(96, 120)), o);
  const FrameScore& s = scorer.score(bed(3, 14, 1).view(), {});
  check::near(s.background.level, 20, 0.02);
  check::near(s.background.sigma, 0.4, 0.02);
  check::near(s.contrast.sbr.value, 3, 0.01);
  check::is_true(s.contrast.sbr.lo < 3 && 3 < s.contrast.sbr.hi, "the interval holds 3");
  check::near(s.contrast.sbr_raw.value, s.contrast.sbr.value, 1e-12);  // no offset
  check::same(s.sign, Sign::positive);
  for (const Sign sign : s.sign_at) check::same(sign, Sign::positive);
  check::equal(s.hot_spots.size(), 1U);
  check::near(s.hot_spots.at(0).peak_y, 50.2, 14);
  // Blur moves the SBR-1.5 contour of a disc of SBR 3 outwards by 0.674 sigma, sigma^2 = 1.5^2 + 1.
  const double contour = 14 + 0.674 * std::hypot(1.5, 1.0);
  check::near(s.residual_area_px, std::numbers::pi * contour * contour, 0.04 * std::numbers::pi * contour * contour);
  check::near(s.residual_area_mm2.value, 0.04 * s.residual_area_px, 1e-9);
  check::equal(s.reasons.size(), 0U);
  check::is_true(s.quality.calibrated, "calibrated");
  check::equal(s.rejected.size(), 1U);  // bright, but no rim
}

void signs_at_cuts() {
  Scorer scorer(make_profile(plain(96, 120)), {});
  const FrameScore& s = scorer.score(bed(1.85, 14, 2).view(), {});
  check::same(s.sign_at[0], Sign::positive);
  check::same(s.sign_at[1], Sign::positive);
  check::same(s.sign_at[2], Sign::negative);
  check::same(s.sign, Sign::positive);
  check::same(scorer.score(bed(1, 14, 3).view(), {}).sign, Sign::negative);
  check::same(s.contrast.sbr.reason, Reason::no_signal);
  check::is_nan(s.contrast.sbr.value);
  check::near(s.contrast.background_level.value, 20, 0.02);
  check::equal(s.residual_area_px, 0.0);
  check::same(s.residual_area_mm2.reason, Reason::no_pixel_size);
}

// What was clipped may have been brighter: no sign, and no negative one either.
void saturated() {
  ProfileData p = plain(96, 120);
  p.saturation_dn = 250;
  Scorer scorer(make_profile(p), {});
  const auto clipped_square = [](std::uint16_t background) {
    Raw raw(96, 120, background);
    for (std::size_t y = 40; y < 50; ++y) {
      for (std::size_t x = 60; x < 70; ++x) raw(y, x) = 255;
    }
    return raw;
  };
  const FrameScore& s = scorer.score(clipped_square(100).view(), {});  // SBR at least 2.55
  check::same(s.sign, Sign::unknown);
  check::is_true(has(s, Reason::saturated_lower_bound), "saturated_lower_bound");
  check::near(s.quality.saturated_fraction, 100.0 / 11520, 1e-12);
  check::same(scorer.score(clipped_square(200).view(), {}).sign,
              Sign::unknown);  // clipped below the cut: at least 1.275
  check::equal(s.hot_spots.size(), 0U);
  check::is_true(has(s, Reason::saturated_lower_bound), "saturated_lower_bound");

  // Around a clipped peak the pixels that were not clipped tell the sign.
  Raw raw = bed(3, 14, 4);
  for (auto& v : raw.pixels) v = static_cast<std::uint16_t>(std::min(v / 2, 255));
  check::same(scorer.score(raw.view(), {}).sign, Sign::positive);
  check::same(s.contrast.sbr.reason, Reason::saturated_lower_bound);
  check::equal(s.contrast.sbr.hi, infinity);
}

void section() {
  const scene::Annulus a{70.3, 72.8, 22, 34, 0.8, 3};
  const Image clean = scene::annulus(140, 150, a, 1.2);
  scene::Normal noise(5);
  Raw raw(140, 150);
  for (std::size_t i = 0; i < raw.pixels.size(); ++i) {
    raw.pixels[i] = static_cast<std::uint16_t>(std::lround(500 * static_cast<double>(clean.pixels[i]) + 8 * noise()));
  }
  ScorerOptions o;
  o.view = View::section;
  o.psf_sigma_px = 1.2;
  o.pixel_size_mm = 0.1;
  Scorer scorer(make_profile(plain(140, 150)), o);
  const FrameScore& s = scorer.score(raw.view(), {});
  check::same(s.sign, Sign::unknown);
  check::is_nan(s.residual_area_px);
  check::equal(s.lesions.size(), 1U);
  check::near(s.lesions.at(0).area_mm2.value, 0.01 * std::numbers::pi * 484, 0.01 * std::numbers::pi * 484 * 0.01);
  check::near(s.contrast.sbr.value, 3, 0.01);
  check::equal(s.reasons.size(), 0U);
  raw.pixels.assign(raw.pixels.size(), 500);
  scorer.score(raw.view(), {});
  check::is_true(has(s, Reason::no_lesion), "no_lesion");
}

void reasons() {
  ProfileData p = plain(96, 120);
  p.calibrated = false;
  p.exposure_ms = nan;
  Scorer bare(make_profile(p), {});
  const FrameScore& s = bare.score(bed(3, 14, 6).view(), {});
  check::is_true(has(s, Reason::uncalibrated) && has(s, Reason::no_exposure) && has(s, Reason::no_pixel_size),
                 "reasons");
  check::is_true(std::is_sorted(s.reasons.begin(), s.reasons.end()), "reasons in order");
  check::same(s.contrast.sbr.reason, Reason::uncalibrated);

  p = plain(96, 120);
  p.exposure_min_ms = 1;
  p.exposure_max_ms = 20;
  Scorer ranged(make_profile(p), {});
  const FrameScore& out = ranged.score(bed(3, 14, 6).view(), {50, nan});
  check::is_true(has(out, Reason::out_of_range), "out_of_range");
  check::same(out.sign, Sign::unknown);
  check::is_nan(out.background.level);
}

void nothing_finite() {
  Scorer scorer(make_profile(plain(20, 20)), {});
  const Image frame(20, 20, std::numeric_limits<float>::quiet_NaN());
  const FrameScore& s = scorer.score(frame.view(), {});
  check::same(s.background.reason, Reason::too_few_pixels);
  check::same(s.sign, Sign::unknown);
  check::is_nan(s.contrast.sbr.value);
  check::is_nan(s.residual_area_px);
  check::is_nan(s.quality.focus);
}

// What was not seen may glow: an absent sign is unknown then, a present one stands.
void mostly_unseen() {
  for (const std::size_t seen : {10U, 60U}) {
    const Raw counts = bed(1, 5, 1);  // no disc
    Image frame(counts.height, counts.width);
    std::copy(counts.pixels.begin(), counts.pixels.end(), frame.pixels.begin());
    std::fill(frame.pixels.begin() + static_cast<std::ptrdiff_t>(seen * frame.pixels.size() / 60), frame.pixels.end(),
              std::numeric_limits<float>::quiet_NaN());
    for (const bool glows : {false, true}) {
      if (glows) {
        for (std::size_t y = 4; y < 12; ++y) std::fill_n(&frame(y, 30), 20, 4 * frame(y, 29));
      }
      Scorer scorer(make_profile(plain(frame.height, frame.width)), {});
      const FrameScore& s = scorer.score(frame.view(), {});
      const Sign sign = glows ? Sign::positive : seen == 10 ? Sign::unknown : Sign::negative;
      check::same(s.sign, sign);
      for (const Sign at : s.sign_at) check::same(at, sign);
      check::equal(has(s, Reason::too_few_pixels), seen == 10);
    }
  }
}

void extreme_floats() {
  ProfileData p = plain(12, 20);
  p.saturation_dn = infinity;
  p.exposure_ms = nan;
  for (const auto view : {View::bed, View::section}) {
    ScorerOptions o;
    o.view = view;
    Scorer scorer(make_profile(p), o);
    Image frame(12, 20);
    for (std::size_t i = 0; i < frame.pixels.size(); ++i) frame.pixels[i] = i % 3 == 0 ? 3.4e38F : 1e-38F;
    scorer.score(frame.view(), {});
    for (std::size_t i = 0; i < frame.pixels.size(); ++i) frame.pixels[i] = i % 2 == 0 ? 3.4e38F : -3.4e38F;
    check::is_true(scorer.score(frame.view(), {}).reasons.size() > 1, "reasons");
  }
}

void small_frames() {
  for (const auto& [height, width] : {std::pair<std::size_t, std::size_t>{1, 1}, {1, 40}, {40, 1}, {2, 30}}) {
    Scorer scorer(make_profile(plain(height, width)), {});
    const Raw raw(height, width, 100);
    const FrameScore& s = scorer.score(raw.view(), {});
    check::same(s.background.reason, height * width < 16 ? Reason::too_few_pixels : Reason::none);
    check::same(s.sign, height * width < 16 ? Sign::unknown : Sign::negative);
  }
}

bool same_bits(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

bool same_score(const FrameScore& a, const FrameScore& b) {
  return same_bits(a.background.level, b.background.level) && same_bits(a.contrast.sbr.value, b.contrast.sbr.value) &&
         same_bits(a.contrast.cvr.hi, b.contrast.cvr.hi) && a.sign == b.sign &&
         same_bits(a.residual_area_px, b.residual_area_px) && same_bits(a.quality.focus, b.quality.focus) &&
         a.reasons == b.reasons && a.hot_spots.size() == b.hot_spots.size();
}

void no_memory() {
  const auto profile = make_profile(plain(96, 120));
  Scorer scorer(profile, {});
  const Raw first = bed(3, 14, 7);
  const FrameScore before = scorer.score(first.view(), {});
  scorer.score(bed(1.2, 30, 8).view(), {5, nan});
  check::is_true(same_score(scorer.score(first.view(), {}), before), "the same score after another frame");
  const scene::BottomUp<std::uint16_t> stored(first);
  check::is_true(same_score(scorer.score(stored.view(), {}), before), "the same score from a negative row stride");
}

// Many scorers share one profile; frames may be scored in parallel.
void threads() {
  const auto profile = make_profile(plain(96, 120));
  std::vector<Raw> frames;
  for (std::uint32_t k = 0; k < 8; ++k) frames.push_back(bed(1 + 0.4 * k, 8 + k, 20 + k));
  std::vector<FrameScore> parallel(frames.size());
  {
    std::vector<std::jthread> pool;
    for (std::size_t t = 0; t < 4; ++t) {
      pool.emplace_back([&, t] {
        Scorer scorer(profile, {});
        for (std::size_t k = t; k < frames.size(); k += 4) parallel[k] = scorer.score(frames[k].view(), {});
      });
    }
  }
  Scorer scorer(profile, {});
  for (std::size_t k = 0; k < frames.size(); ++k) {
    check::is_true(same_score(scorer.score(frames[k].view(), {}), parallel[k]), "the same score from a thread");
  }
}

// Rims, what still glows and the picture's quality are looked for side by side.
void threads_of_one_frame() {
  const auto profile = make_profile(plain(96, 120));
  for (const View view : {View::bed, View::section}) {
    ScorerOptions options;
    options.view = view;
    Scorer one(profile, options);
    options.threads = 3;
    Scorer several(profile, options);
    for (std::uint32_t k = 0; k < 6; ++k) {
      const Raw frame = bed(1 + 0.6 * k, 8 + 2 * k, 30 + k);
      const FrameScore& found = several.score(frame.view(), {});
      check::is_true(same_score(found, one.score(frame.view(), {})), "the same score by several threads");
      check::is_true(same_bits(found.quality.focus, one.last().quality.focus), "the same focus");
      check::equal(found.quality.glare_fraction, one.last().quality.glare_fraction);
      check::equal(found.rejected.size(), one.last().rejected.size());
    }
  }
}

// Without lesions all else has the same bits, and the score says that nobody looked for them.
void without_lesions() {
  const auto profile = make_profile(plain(96, 120));
  ScorerOptions options;
  options.pixel_size_mm = 0.2;
  Scorer whole(profile, options);
  options.lesions = false;
  Scorer bare(profile, options);
  std::size_t rejected = 0;
  for (std::uint32_t k = 0; k < 6; ++k) {
    const Raw frame = bed(1 + 0.6 * k, 8 + 2 * k, 30 + k);
    FrameScore expected = whole.score(frame.view(), {});
    const FrameScore& found = bare.score(frame.view(), {});
    expected.reasons.push_back(Reason::lesions_not_sought);  // the last of them all
    check::is_true(same_score(found, expected), "the same score without lesions");
    check::is_true(same_bits(found.quality.focus, expected.quality.focus), "the same focus");
    check::is_true(same_bits(found.quality.glare_fraction, expected.quality.glare_fraction), "the same glare");
    check::is_true(found.sign_at == expected.sign_at, "the same signs");
    check::is_true(std::ranges::equal(bare.signal_region().data, bare.signal_region().data + 96 * 120,
                                      whole.signal_region().data, whole.signal_region().data + 96 * 120),
                   "the same signal");
    check::equal(found.lesions.size() + found.rejected.size(), 0U);
    check::is_true(bare.labels().data == nullptr, "no labels");
    check::same(bare.lesion_region().row(50)[62], std::uint8_t{k > 0});  // what glows is no background
    check::same(bare.lesion_region().row(5)[5], std::uint8_t{0});
    rejected += expected.rejected.size();
  }
  check::equal(rejected, 5U);  // with lesions there was something to look at
  options.view = View::section;
  check::throws(ErrorKind::input, [&] { const Scorer scorer(profile, options); });
}

void refusals() {
  const auto profile = make_profile(plain(8, 8));
  const auto refused = [&](ErrorKind kind, auto&& spoil) {
    check::throws(kind, [&] {
      ScorerOptions o;
      spoil(o);
      const Scorer scorer(profile, o);
    });
  };
  for (const double cut : {1.0, 0.0, nan, infinity}) {
    refused(ErrorKind::input, [&](ScorerOptions& o) { o.sbr_cut = cut; });
  }
  for (const double size : {0.0, -1.0, infinity}) {
    refused(ErrorKind::unit, [&](ScorerOptions& o) { o.pixel_size_mm = size; });
  }
  for (const double smooth : {0.4, 101.0, nan}) {
    refused(ErrorKind::input, [&](ScorerOptions& o) { o.smooth_px = smooth; });
  }
  refused(ErrorKind::input, [](ScorerOptions& o) { o.psf_sigma_px = -1; });
  refused(ErrorKind::input, [](ScorerOptions& o) { o.min_area_px = 0.5; });
  check::throws(ErrorKind::profile, [] { const Scorer scorer(nullptr, {}); });
  Scorer scorer(profile, {});
  const Raw wrong(8, 9);
  check::throws(ErrorKind::input, [&] { scorer.score(wrong.view(), {}); });
  check::near(default_min_area_px(nan, 1'000'000), 64, 0);
  check::near(default_min_area_px(0.1, 1'000'000), 100, 1e-9);
  check::near(default_min_area_px(2, 1'000'000), 9, 0);
  check::near(default_min_area_px(0.001, 1'000'000), 2500, 1e-9);
  check::near(default_min_area_px(0.001, 100), 64, 0);
}

}  // namespace

int main() {
  residual_on_the_bed();
  signs_at_cuts();
  saturated();
  section();
  reasons();
  nothing_finite();
  mostly_unseen();
  extreme_floats();
  small_frames();
  no_memory();
  threads();
  threads_of_one_frame();
  without_lesions();
  refusals();
  return check::result();
}
