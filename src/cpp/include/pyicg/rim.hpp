// Room 3: the fluorescent rim. Smooth -> dark places with a bright edge around them -> best closed path around each ->
// blurred two-edge model on the grey image -> inner and outer boundary, sub-pixel, with their uncertainty.
//
// The bright rim is compressed liver, not tumour: the tumour's edge is the rim's inner boundary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "pyicg/contrast.hpp"
#include "pyicg/image_view.hpp"
#include "pyicg/measurement.hpp"

namespace pyicg {
namespace detail {
struct RimSearchWorkspace;
struct ResidualRegions;
}  // namespace detail

// Where "bright" begins. hysteresis: sbr_cut x background, and what hangs together with such pixels at half that step;
// otsu, multi_otsu: the frame's own histogram (its upper cut of three classes), not under the background.
enum class ThresholdRule : std::uint8_t { hysteresis, otsu, multi_otsu };

struct RimOptions {
  double sbr_cut = 1.5;     // a rim glows where its level exceeds sbr_cut x background
  double min_area_px = 64;  // bright regions and cores smaller than this are no rim
  double smooth_px = 1.0;   // sigma of the Gaussian before the search; over 1 px also of the image that is measured
  ThresholdRule threshold = ThresholdRule::hysteresis;
  double psf_sigma_px = nan;  // blur of the optics; NaN: estimated for each lesion from its own edges
  double pixel_size_mm = nan;
  Reason carried = Reason::none;  // a reason every figure carries (uncalibrated, or none)
};

struct Vertex {
  double y = 0;
  double x = 0;
};

struct Gap {
  double from_deg = 0;
  double to_deg = 0;
};

inline constexpr double sure_rim = 0.5;  // of the confidence, a heuristic: from here up a shape looks like a rim

struct Lesion {
  std::int32_t label = 0;
  double centroid_y = 0;  // of the area inside the inner contour
  double centroid_x = 0;
  // One vertex per ray, angle 2 pi k / n from +x towards +y about a pixel near the centroid; not_star_shaped: in order
  // along the contour.
  std::vector<Vertex> inner;
  std::vector<Vertex> outer;
  std::vector<double> inner_sigma;  // px, along the ray
  std::vector<double> outer_sigma;
  std::vector<double> thickness;  // px along each ray, NaN in gaps and where the frame cuts the rim
  std::vector<Gap> gaps;
  double correlation_px = nan;
  double edge_sigma_px = nan;  // blur of the inner edge: sigma of optics and pixel
  double completeness = 0;     // share of the rays in the frame on which the rim exceeds the SBR cut
  double area_px = 0;          // inside the inner contour
  double core_depth = nan;     // 1 - core/rim
  double core_bright = 0;      // share of the core, its blurred edge left out, over the SBR cut
  Measurement mean_thickness;
  Measurement mean_thickness_mm;
  Measurement area_mm2;
  Measurement sbr;        // rim over background
  Measurement sbr_core;   // rim over core
  double confidence = 0;  // under sure_rim: reason low_confidence
  bool not_star_shaped = false;
  bool clipped_by_border = false;
  bool saturated = false;                // pixels of the rim are clipped: its level and both boundaries are bounds
  bool background_not_resolved = false;  // the SBR cut then means nothing
};

struct Rejected {
  Reason reason = Reason::none;
  double centroid_y = 0;
  double centroid_x = 0;
  double area_px = 0;
  std::size_t y0 = 0, x0 = 0, y1 = 0, x1 = 0;  // bounding box, inclusive
};

// Buffers and results of one frame; reused between frames.
struct RimWorkspace {
  RimWorkspace();
  ~RimWorkspace();
  RimWorkspace(RimWorkspace&&) noexcept;
  RimWorkspace& operator=(RimWorkspace&&) noexcept;
  RimWorkspace(const RimWorkspace&) = delete;
  RimWorkspace& operator=(const RimWorkspace&) = delete;

  std::vector<float> smooth;    // NaN where nothing valid is near
  std::vector<float> row_most;  // the largest of each of its rows: most rows of most frames hold nothing bright
  std::vector<std::uint8_t> bright;
  std::vector<std::int32_t> labels;  // result of segment_rim: 0 outside, k on rim and core of lesion k
  std::vector<std::uint8_t> rim_mask;
  std::vector<std::uint8_t> core_mask;
  std::vector<std::int32_t> components;
  std::vector<std::int32_t> holes;
  std::vector<float> scratch;
  std::vector<float> weights;
  std::unique_ptr<detail::RimSearchWorkspace> search;
  std::unique_ptr<detail::ResidualRegions> residual;
};

struct RimResult {
  std::vector<Lesion> lesions;
  std::vector<Rejected> rejected;
};

// Gaussian blur that leaves out invalid pixels; saturated ones stay, as lower bounds. Fills workspace.smooth.
void smooth_frame(ImageView<const float> data, ImageView<const std::uint8_t> mask, double sigma_px, RimWorkspace& ws);

// Throws Error(input or unit) for options out of range.
void check(const RimOptions& options);

// All rims of a frame whose background is known. Needs smooth_frame; fills the workspace's maps. Where a workspace and
// a result are used again, their memory is: a frame like the last one asks for none.
void segment_rim(ImageView<const float> data, ImageView<const std::uint8_t> mask, const Background& background,
                 const RimOptions& options, RimWorkspace& ws, RimResult& result);

inline RimResult segment_rim(ImageView<const float> data, ImageView<const std::uint8_t> mask,
                             const Background& background, const RimOptions& options, RimWorkspace& ws) {
  RimResult result;
  segment_rim(data, mask, background, options, ws, result);
  return result;
}

}  // namespace pyicg
