// What the fit of a rim works on, from round to round: the two boundaries, the levels and the blur.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "contour_normals.hpp"
#include "contour_smoother.hpp"
#include "fixed_list.hpp"
#include "fixed_point.hpp"
#include "grey_crop.hpp"
#include "polar.hpp"
#include "profile_equations.hpp"
#include "pyicg/measurement.hpp"
#include "rim_fit.hpp"

namespace pyicg::detail {

// Kept from fit to fit.
struct RimFitMemory {
  // One boundary, from round to round.
  struct Side {
    explicit Side(bool is_inner) : inner(is_inner) {}

    // For another fit.
    void renew() {
      fitted.sigma.clear();
      fitted.correlation_px = 0;
      normals_blur = nan;
      values.clear();
      variances.clear();
      arc = 1;
      stiffness = width = tilt = blur_information = tilt_variance = 0;
      moved = infinity;
    }

    bool inner;
    FittedBoundary fitted;
    std::vector<ContourNormal> normals;
    double normals_blur = nan;              // sigma that they were found with, while the boundary has not moved
    std::vector<Equations> equations;       // of the profiles along its normals
    std::vector<double> values, variances;  // what the contour was last smoothed from
    double arc = 1;                         // length of contour per ray, px
    double stiffness = 0;
    double width = 0;  // length of contour that it takes to tell the levels, px
    double tilt = 0;   // how the rim's level changes along the outward normal, in steps per px
    // What is shared by all rays is not known exactly either, and moves them together.
    std::vector<double> by_blur, by_tilt;  // px that the boundary moves per px of blur, per unit of tilt
    double blur_information = 0, tilt_variance = 0;
    double moved = infinity;  // by the last round, px, most rays
  };
  // What one round changes, but for the boundary itself.
  struct Step {
    double tilt = 0, blur = 0;
    // Of each ray: core, rim, outside; and px of the other boundary.
    std::vector<std::array<double, Equations::place>> levels;
    std::vector<double> known;  // information on the place, levels and other boundary unknown
    std::vector<double> taken;  // how much the other boundary alone takes from it, a factor
  };

  RayDirections rays;
  Side inner{true};
  Side outer{false};
  Step step;
  ContourSmoother smoother;
  AndersonMixing mixing;
  std::vector<double> begin, end, weights;  // of a round
  std::vector<double> signals, rows;        // along one normal
  std::vector<Equations> scratch, solved;   // averaged along the contour
  std::vector<double> values, variances;    // where the profiles put a boundary
};

struct RimFitState {
  using Side = RimFitMemory::Side;
  using Step = RimFitMemory::Step;

  const GreyCrop& image;
  RimFitOptions options;
  const Gaps& gaps;
  RimFitMemory& memory;
  RimFit& fit;  // its levels are those of the last round
  std::size_t n = 0;
  double sigma = 1;  // of the blur, with what reading the image adds
  double least_level = infinity;
  double most_level = -infinity;
  Side& inner = memory.inner;
  Side& outer = memory.outer;

  [[nodiscard]] bool in_gap(std::size_t k) const { return gaps.bare_px[k] < infinity; }
  [[nodiscard]] bool shows_liver(std::size_t k) const { return in_gap(k) && gaps.bare_px[k] > 0; }

  // Reading leaves hardly any light or noise finer than 1.4 px, nor the blur any light finer than its sigma.
  [[nodiscard]] double sample_step() const { return std::max({0.7, std::min(0.35 * sigma, 2.0), 0.25 * sigma}); }

  // Of both boundaries as they are now.
  void update_normals() {
    for (Side* side : {&inner, &outer}) {
      if (side->normals_blur == sigma) continue;
      set_normals(side->fitted.radius, memory.rays, sigma, side->normals);
      side->normals_blur = sigma;
    }
  }
};

}  // namespace pyicg::detail
