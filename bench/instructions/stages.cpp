// One frame through each stage, once, on seeded input and with the kernels that every processor has: what check.py
// counts the instructions of. Each stage is a function of its own name, so that the counter finds where it begins.
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/gaussian.hpp"
#include "pyicg/background.hpp"
#include "pyicg/calibrate.hpp"
#include "pyicg/distance.hpp"
#include "pyicg/instruction_set.hpp"
#include "pyicg/profile.hpp"
#include "pyicg/rim.hpp"
#include "pyicg/scorer.hpp"
#include "pyicg/statistics.hpp"
#include "scene.hpp"

namespace {

constexpr std::size_t height = 160;
constexpr std::size_t width = 192;
constexpr double exposure_ms = 20;

// Everything that a stage reads, writes or keeps between frames.
struct Bench {
  scene::Plane<std::uint16_t> raw{height, width};
  std::shared_ptr<const pyicg::Profile> profile;
  scene::Image data{height, width};
  scene::Mask mask{height, width};
  scene::Image variance{height, width};
  scene::Image blurred{height, width};
  scene::Image distances{height, width};
  std::vector<float> scratch;
  pyicg::BackgroundWorkspace background_workspace;
  pyicg::Background background;
  pyicg::RimWorkspace rim_workspace;
  pyicg::RimResult rims;

  [[nodiscard]] pyicg::RawFrame frame() const { return raw.view(); }
  [[nodiscard]] pyicg::CalibratedView calibrated() const { return {data.view(), mask.view(), variance.view()}; }
};

// Liver with a rim around a dark core, vignetting, a bent response, a bad pixel in a thousand.
Bench make() {
  Bench bench;
  scene::Normal normal(1);
  const scene::Image light = scene::annulus(height, width, {78, 92, 28, 38, 0.5, 4}, 1.5);
  pyicg::ProfileData data;
  data.height = height;
  data.width = width;
  data.exposure_ms = exposure_ms;
  data.linearity = {1, 7e-6, 1e-10};
  data.saturation_dn = 4095;
  data.gain_dn_per_e = 0.4;
  data.read_noise_dn = 2;
  data.calibrated = true;
  for (std::size_t i = 0; i < height * width; ++i) {
    const double y = static_cast<double>(i / width) / height - 0.5;
    const double x = static_cast<double>(i % width) / width - 0.5;
    const double flat = 1 / (1 + y * y + x * x);
    const double dark = 100 + normal();
    const double signal = 150 * light.pixels[i] * flat;
    data.dark.push_back(static_cast<float>(dark));
    data.flat.push_back(static_cast<float>(flat));
    data.bad.push_back(i % 1009 == 0 ? 1 : 0);
    bench.raw.pixels[i] =
        static_cast<std::uint16_t>(std::lround(dark + signal + std::sqrt(0.4 * signal + 4) * normal()));
  }
  bench.profile = std::make_shared<const pyicg::Profile>(std::move(data));
  return bench;
}

}  // namespace

extern "C" {

[[gnu::noinline]] void stage_calibrate(Bench& b) {
  pyicg::calibrate(b.frame(), *b.profile, {exposure_ms}, b.data.view(), b.mask.view(), b.variance.view());
}

[[gnu::noinline]] void stage_background(Bench& b) {
  b.background = pyicg::estimate_background(b.calibrated(), {}, b.background_workspace);
}

[[gnu::noinline]] void stage_statistics(Bench& b) { pyicg::region_statistics(b.data.view(), b.mask.view(), {}, {}, 1); }

[[gnu::noinline]] void stage_gaussian(Bench& b) {
  pyicg::kernels::gaussian(std::as_const(b.data).view(), 2.0, b.blurred.view(), b.scratch);
}

[[gnu::noinline]] void stage_segment_rim(Bench& b) {
  pyicg::smooth_frame(std::as_const(b.data).view(), std::as_const(b.mask).view(), 1.0, b.rim_workspace);
  b.rims =
      pyicg::segment_rim(std::as_const(b.data).view(), std::as_const(b.mask).view(), b.background, {}, b.rim_workspace);
}

[[gnu::noinline]] void stage_distance_transform(Bench& b) {
  pyicg::distance_transform(b.rim_workspace.rim_mask, {1, height, width}, {1, 1, 1}, b.distances.pixels);
}

[[gnu::noinline]] void stage_score_bed(Bench& b, pyicg::Scorer& scorer) { scorer.score(b.frame(), {exposure_ms}); }

[[gnu::noinline]] void stage_score_section(Bench& b, pyicg::Scorer& scorer) { scorer.score(b.frame(), {exposure_ms}); }

}  // extern "C"

int main() {
  pyicg::use_instruction_set("baseline");
  Bench bench = make();
  stage_calibrate(bench);
  stage_background(bench);
  stage_statistics(bench);
  stage_gaussian(bench);
  stage_segment_rim(bench);
  stage_distance_transform(bench);
  pyicg::Scorer bed(bench.profile, {});
  pyicg::ScorerOptions options;
  options.view = pyicg::View::section;
  pyicg::Scorer section(bench.profile, options);
  stage_score_bed(bench, bed);
  stage_score_section(bench, section);
  std::cout << "gcc " << __VERSION__ << '\n' << bench.rims.lesions.size() << " rims\n";
  return bench.rims.lesions.empty() ? 1 : 0;
}
