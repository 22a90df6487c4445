// Both boundaries of a rim, fitted on the grey image along their normals with the model of a blurred, curved ring.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "grey_crop.hpp"

namespace pyicg::detail {

// Where a rim is missing, and core meets liver.
struct Gaps {
  std::vector<double> bare_px;  // per ray: the radius up to which liver lies bare behind the core, and the profile may
                                // be read; 0 beside a gap, where the rim's blurred end tells nothing; else infinite
  double most_liver = 0;        // a level over it is not liver's
};

// Radii about a centre, one per ray at the angle 2 pi k / n from +x towards +y.
struct RimRadii {
  std::vector<double> inner;
  std::vector<double> outer;
  Gaps gaps;
};

struct FittedBoundary {
  std::vector<double> radius;
  std::vector<double> sigma;  // standard uncertainty of each radius, px
  double correlation_px = 0;  // length along the contour over which the errors are alike
};

struct RimFit {
  FittedBoundary inner, outer;
  std::vector<double> core, rim, outside;  // level per ray, averaged over a blur's width along the contour
  std::vector<double> rim_here;            // level of the rim over a pixel or two along the contour
  double blur_px = 0;                      // sigma of optics and pixel, without what reading the image added
  double noise = 0;                        // standard deviation of one pixel about the model
};

struct RimFitOptions {
  double psf_sigma_px;  // NaN: estimated
  double start_blur_px;
  bool grainy;  // texture hides the edges of single rays: levels are those of wide areas
};

// Asked once, early, with the inner contour's radii as they are known by then: should the fit go on?
using RoughFit = std::function<bool(const std::vector<double>& inner)>;

struct RimFitMemory;

class RimFitter {
 public:
  RimFitter();
  ~RimFitter();
  RimFitter(RimFitter&&) noexcept;
  RimFitter& operator=(RimFitter&&) noexcept;
  RimFitter(const RimFitter&) = delete;
  RimFitter& operator=(const RimFitter&) = delete;

  // Of at most `most_rays` rays. Without radii where it fails or should not go on. Keeps its memory, and that of `fit`.
  void fit(const GreyCrop& image, const RimRadii& start, const RimFitOptions& options, const RoughFit& goes_on,
           RimFit& fit);

 private:
  std::unique_ptr<RimFitMemory> memory_;
};

}  // namespace pyicg::detail
