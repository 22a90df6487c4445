// Room 3: the fluorescent rim. Smooth -> threshold -> components -> enclosed core -> inner and outer boundary.
//
// The bright rim is compressed liver, not tumour: the tumour's edge is the rim's inner boundary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pyicg/contrast.hpp"
#include "pyicg/image_view.hpp"
#include "pyicg/measurement.hpp"

namespace pyicg {

struct RimOptions {
  double sbr_cut = 1.5;       // a pixel is bright where its smoothed signal exceeds sbr_cut x background
  double min_area_px = 64;    // bright regions and cores smaller than this are no rim
  double smooth_px = 1.0;     // sigma of the Gaussian that precedes everything
  double psf_sigma_px = nan;  // blur of the optics; NaN: the width of the lesion's own edge stands for it
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

struct Lesion {
  std::int32_t label = 0;
  double centroid_y = 0;
  double centroid_x = 0;
  std::vector<Vertex> inner;  // one vertex per ray, angle 2 pi k / n from +x towards +y
  std::vector<Vertex> outer;
  std::vector<double> inner_sigma;  // px, along the ray
  std::vector<double> thickness;    // px per ray, NaN in gaps
  std::vector<Gap> gaps;
  double correlation_px = nan;
  double edge_sigma_px = nan;  // width of the inner edge, as the sigma of a blurred step
  double completeness = 0;     // share of rays whose peak exceeds the SBR cut
  double area_px = 0;          // inside the inner contour
  Measurement mean_thickness;
  Measurement mean_thickness_mm;
  Measurement area_mm2;
  Measurement sbr;
  double confidence = 0;
  bool not_star_shaped = false;
  bool clipped_by_border = false;
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
  std::vector<float> smooth;         // NaN where nothing valid is near
  std::vector<std::uint8_t> bright;  // smoothed signal over the cut
  std::vector<std::int32_t> labels;  // result of segment_rim: 0 outside, k on rim and core of lesion k
  std::vector<std::uint8_t> rim_mask;
  std::vector<std::uint8_t> core_mask;
  std::vector<std::int32_t> components;
  std::vector<std::int32_t> holes;
  std::vector<float> scratch;
  std::vector<float> weights;
};

struct RimResult {
  std::vector<Lesion> lesions;
  std::vector<Rejected> rejected;
};

// Gaussian blur that leaves out invalid pixels; saturated ones stay, as lower bounds. Fills workspace.smooth.
void smooth_frame(ImageView<const float> data, ImageView<const std::uint8_t> mask, double sigma_px, RimWorkspace& ws);

// Throws Error(input or unit) for options out of range.
void check(const RimOptions& options);

// All rims of a frame whose background is known. Needs smooth_frame; fills the workspace's maps.
RimResult segment_rim(ImageView<const float> data, ImageView<const std::uint8_t> mask, const Background& background,
                      const RimOptions& options, RimWorkspace& ws);

}  // namespace pyicg
