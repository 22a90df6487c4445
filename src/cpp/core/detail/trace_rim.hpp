// From a candidate to the fitted rim: around which pixel the contours run, and what the fit says of each ray.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "grey_crop.hpp"
#include "kept.hpp"
#include "polar_search.hpp"
#include "pyicg/image_view.hpp"
#include "rim_candidates.hpp"
#include "rim_evidence.hpp"
#include "rim_fit.hpp"

namespace pyicg::detail {

struct TraceOptions {
  double cut;            // level that a rim must exceed
  double outside;        // level of what lies around
  double psf_sigma_px;   // NaN: estimated
  double smooth_px;      // over 1: blurs the image that is measured
  std::uint8_t invalid;  // mask bits of pixels without weight
};

struct RimTrace {
  std::ptrdiff_t centre_y = 0, centre_x = 0;  // whole pixels: a shifted frame gives shifted contours, bit for bit
  RimFit fit;
  std::vector<bool> in_view;  // the middle of the rim lies within the frame
  std::vector<bool> clipped;  // the frame ends before the rim does
  std::vector<bool> over;     // the rim exceeds the cut here
  std::vector<bool> present;  // it does, or stands out by half of its usual step
  double support = 0;         // share of the rays in view on which the rim is present
  RimEvidence evidence;
  double core = 0, rim = 0, outside = 0;  // medians over the rays: over those with a rim
};

struct TraceBuffers;

// Traces the candidates of one frame. What was found around a place is kept: candidates that settle on one place are
// searched and fitted once. Fitting takes nearly all of the time, so the search's own answer can be asked first.
class RimTracer {
 public:
  struct Place {
    std::ptrdiff_t y, x;
    double radius;
    bool operator==(const Place&) const = default;
  };
  // What the search found around the place that it settled on.
  struct Found {
    Place place;
    KeptValue<PolarSearch> search;
    Found* own = nullptr;  // around the place where the contour lies that a rough fit has found; null: not asked
    KeptValue<RimFit> fit;
    KeptValue<RimTrace> trace;
  };

  RimTracer(ImageView<const float> data, ImageView<const std::uint8_t> mask, const TraceOptions& options,
            TraceBuffers& buffers);

  // Null where there is no step from a core to something brighter, or the core shrinks to nothing. Stays valid until
  // another tracer begins with these buffers.
  Found* settle(const RimCandidate& candidate);

  // Null where the fit fails; valid for as long.
  const RimTrace* trace(Found* settled);

 private:
  Found& locate(const Place& place);
  const GreyCrop& crop(const Place& place);
  void fit(const Found& at, const RoughFit& goes_on, RimFit& fit);
  void trace(const Place& place, const RimFit& fitted, RimTrace& trace);
  [[nodiscard]] bool in_frame(const Place& place) const;
  static Place place_of(const Place& about, const std::vector<double>& radii);

  ImageView<const float> data_;
  ImageView<const std::uint8_t> mask_;
  TraceOptions options_;
  TraceBuffers& buffers_;
  bool any_crop_ = false;
  Place crop_place_{};  // of the last one that was cut
};

// Reused between frames.
struct TraceBuffers {
  PolarBuffers polar;
  GreyCrop crop;
  RimRadii start;  // of a fit
  RimFitter fitter;
  RimFit fit;  // of which it is not known yet whether it counts
  KeptList<RimTracer::Found> found;
};

}  // namespace pyicg::detail
