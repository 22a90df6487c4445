// Simulated profiles around a lesion: a core of 30, liver of 100, a rim of 400 from 30 to 40 px, and no noise.
#include "core/detail/gap_path.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "check.hpp"
#include "scene.hpp"

using pyicg::detail::leave_gaps_open;
using pyicg::detail::PathRule;
using pyicg::detail::PolarImage;
using pyicg::detail::RimLevels;

namespace {

constexpr std::size_t rays = 128;
constexpr std::size_t rows = 120;
constexpr double step = 0.5;
constexpr RimLevels levels{30, 400, 100, 1.2};
constexpr PathRule rule{6, 0.07};
constexpr std::size_t gap_first = 20;
constexpr std::size_t gap_last = 44;  // and no further

bool in_gap(std::size_t k) { return k >= gap_first && k < gap_last; }

struct Scene {
  PolarImage polar{rays, rows, step, std::vector<double>(rays * rows)};
  std::vector<std::size_t> inner = std::vector<std::size_t>(rays, 60);
  std::vector<std::size_t> outer = std::vector<std::size_t>(rays, 80);

  explicit Scene(double core = levels.core) {
    for (std::size_t k = 0; k < rays; ++k) {
      for (std::size_t i = 0; i < rows; ++i) {
        const bool rim = i >= 60 && i < 80 && !in_gap(k);
        at(k, i) = i < 60 ? core : rim ? levels.rim : levels.outside;
      }
    }
  }
  double& at(std::size_t ray, std::size_t row) { return polar.values[ray * rows + row]; }

  // 400 at 47.5 to 52.5 px beside the gap; the paths have gone over to it.
  void vessel() {
    for (std::size_t k = gap_first; k < gap_last; ++k) {
      for (std::size_t i = 95; i < 105; ++i) at(k, i) = 400;
      inner[k] = 95;
      outer[k] = 105;
    }
  }
  std::vector<double> run(const RimLevels& l = levels) {
    pyicg::detail::GapBuffers buffers;
    return leave_gaps_open(polar, l, rule, inner, outer, buffers).bare_px;
  }
};

constexpr double infinity = std::numeric_limits<double>::infinity();

void a_vessel_beside_a_gap_is_left() {
  Scene scene;
  scene.vessel();
  const std::vector<double> bare = scene.run();
  for (std::size_t k = 0; k < rays; ++k) {
    check::equal(scene.inner[k], 60U);
    check::equal(scene.outer[k], 80U);
    // A blur is about as wide as the rays are apart: one ray on either side of a gap's end tells nothing.
    const bool at_end = k + 1 == gap_first || k == gap_first || k + 1 == gap_last || k == gap_last;
    check::equal(bare[k], at_end ? 0 : in_gap(k) ? step * 95 - 1.5 * levels.blur_px : infinity);
  }
}

void a_path_that_cuts_the_corner_of_a_gap() {
  Scene scene;
  for (std::size_t k = gap_first; k < gap_last; ++k) scene.inner[k] = 66;
  scene.run();
  check::is_true(scene.inner == std::vector<std::size_t>(rays, 60), "the tumour's edge");
}

void noise_does_not_hide_the_edge() {
  Scene scene;
  scene.vessel();
  scene::Normal normal(7);
  for (double& value : scene.polar.values) value += 20 * normal();
  scene.run();
  for (std::size_t k = 0; k < rays; ++k) check::near(static_cast<double>(scene.inner[k]), 60, 2);
}

void unchanged(Scene scene, const RimLevels& l) {
  const Scene before = scene;
  const std::vector<double> bare = scene.run(l);
  check::is_true(scene.inner == before.inner && scene.outer == before.outer, "paths as they were");
  check::is_true(std::ranges::all_of(bare, [](double r) { return r == infinity; }), "no gap");
}

// On one side of the whole rim there is a row and a half of it, and no more.
void a_rim_that_grows_thin() {
  Scene scene;
  for (std::size_t k = gap_first; k < gap_last; ++k) {
    scene.at(k, 60) = levels.rim;
    scene.at(k, 61) = 0.5 * (levels.rim + levels.outside);
  }
  unchanged(scene, levels);
}

void cap(Scene& scene, double from_row) {
  for (std::size_t k = 0; k < rays; ++k) {
    const double down = std::sin(2 * std::numbers::pi * static_cast<double>(k) / rays);
    for (std::size_t i = 0; i < 60; ++i) {
      if (static_cast<double>(i) * down > from_row) scene.at(k, i) = levels.outside;
    }
  }
}

// The core is as bright as liver in the gap and behind the rim beside it; the path dips to that part's edge, or not.
void a_core_that_glows_in_the_gap() {
  for (const std::size_t dip : {30U, 60U}) {
    Scene scene;
    cap(scene, 30);
    for (std::size_t k = gap_first; k < gap_last; ++k) {
      scene.inner[k] = 60 - std::min(60 - dip, 5 * std::min(k - gap_first + 1, gap_last - k));
    }
    unchanged(scene, levels);
  }
}

// A gap in which liver reaches a quarter of the radius into the tumour is the tumour's shape.
void a_notch_is_no_glowing_core() {
  Scene scene;
  for (std::size_t k = gap_first; k < gap_last; ++k) {
    for (std::size_t i = 45; i < 60; ++i) scene.at(k, i) = levels.outside;
  }
  scene.run();
  check::equal(scene.inner[(gap_first + gap_last) / 2], 45U);
}

// Half of the core is as bright as liver: the path along the whole rim stays where it is.
void a_core_that_glows_in_part() {
  Scene scene;
  cap(scene, 25);
  for (std::size_t k = 0; k < rays; ++k) {
    for (std::size_t i = 60; i < 80; ++i) scene.at(k, i) = levels.rim;
  }
  const std::vector<double> bare = scene.run();
  check::is_true(scene.inner == std::vector<std::size_t>(rays, 60), "the rim's inner edge");
  check::is_true(std::ranges::all_of(bare, [](double r) { return r == infinity; }), "no gap");
}

void nothing_to_go_by() {
  Scene pale(90);
  pale.vessel();
  unchanged(pale, {90, 400, 100, 1.2});
  Scene black_field(30);
  black_field.vessel();
  unchanged(black_field, {30, 400, 20, 1.2});
  Scene unknown;
  unchanged(unknown, {30, 400, std::numeric_limits<double>::quiet_NaN(), 1.2});
  Scene no_rim;
  for (std::size_t k = 0; k < rays; ++k) {
    for (std::size_t i = 60; i < 80; ++i) no_rim.at(k, i) = k < 90 ? levels.outside : levels.rim;
  }
  unchanged(no_rim, levels);
}

// As where a part of a dark vessel was taken for a core.
void what_is_as_dark_as_the_core_is_no_liver() {
  Scene scene;
  for (std::size_t k = gap_first; k < gap_last; ++k) {
    for (std::size_t i = 60; i < rows; ++i) scene.at(k, i) = levels.core;
    scene.inner[k] = 66;
  }
  const std::vector<double> bare = scene.run();
  for (std::size_t k = gap_first + 5; k < gap_last - 5; ++k) {  // averages of rays reach over a gap's ends
    check::equal(scene.inner[k], 66U);
    check::equal(bare[k], infinity);
  }
}

// What the frame does not show is no evidence.
void not_a_number() {
  Scene scene;
  scene.vessel();
  for (std::size_t k = 80; k < 90; ++k) {
    for (std::size_t i = 70; i < rows; ++i) scene.at(k, i) = std::numeric_limits<double>::quiet_NaN();
  }
  scene.run();
  check::is_true(scene.inner == std::vector<std::size_t>(rays, 60), "the tumour's edge");
}

}  // namespace

int main() {
  a_vessel_beside_a_gap_is_left();
  a_path_that_cuts_the_corner_of_a_gap();
  noise_does_not_hide_the_edge();
  a_rim_that_grows_thin();
  a_core_that_glows_in_the_gap();
  a_notch_is_no_glowing_core();
  a_core_that_glows_in_part();
  nothing_to_go_by();
  what_is_as_dark_as_the_core_is_no_liver();
  not_a_number();
  return check::result();
}
