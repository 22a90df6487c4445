// Room 2, first half: the level of what does not glow, under a named policy, and how well it is known.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "pyicg/calibrate.hpp"
#include "pyicg/image_view.hpp"
#include "pyicg/measurement.hpp"

namespace pyicg {

// What a level's standard error is made of, each a standard uncertainty in the unit of the level. Joined in quadrature.
struct UncertaintyBudget {
  double pixel_noise = nan;  // the camera's, from the profile, and rounding to whole counts; NaN: not known
  double sampling = 0;  // a finite number of pixels, each its own sample of the tissue (holds an unknown pixel noise)
  double heterogeneity = 0;  // what unevenness over more than a pixel adds
  double placement = 0;      // where the region lies

  [[nodiscard]] double total() const;
};

// Scatter of a background between patches of it, beyond that of as many independent pixels; 0 where none is seen.
struct Patch {
  double pixels = 0;
  double sigma = 0;
  double patches = 0;  // how many it is known from
};
inline constexpr std::size_t max_patches = 20;

enum class BackgroundPolicy { mode, median, percentile, mask, annulus, distant };

struct Background {
  double level = nan;
  double sigma = nan;        // spatial standard deviation of one pixel
  double sem = nan;          // standard error of the level
  double sigma_error = nan;  // standard error of sigma
  std::size_t n_pixels = 0;
  Reason reason = Reason::none;
  bool empty_field = false;  // a dark field without tissue was left out (mode, distant)
  UncertaintyBudget budget;
  double dof = infinity;          // degrees of freedom behind the spatial part of sem
  double effective_pixels = nan;  // independent values as good as the n_pixels correlated ones
  // How much the level differs from place to place: between patches of so many pixels, in order of size.
  std::array<Patch, max_patches> patches{};
  std::size_t n_patches = 0;

  // Standard deviation between patches of that many pixels, and the number of patches it is known from. Linear in the
  // logarithm of the size between two sizes; beyond the largest it falls with the square root.
  [[nodiscard]] Patch patch_of(double pixels) const;
};

// Masks: non-zero = true; no data pointer: none.
struct BackgroundOptions {
  BackgroundPolicy policy = BackgroundPolicy::mode;
  ImageView<const std::uint8_t> use;      // nothing else is looked at; needed by `mask`
  ImageView<const std::uint8_t> exclude;  // left out
  ImageView<const std::uint8_t> signal;   // the lesion; needed by `annulus` and `distant`
  double guard_px = nan;                  // free space around the lesion; NaN: default_guard_px
  double width_px = nan;                  // of the annulus; NaN: default_width_px
};

// A quarter of the lesion's equivalent radius sqrt(area/pi), at least 3 px; and half of it, at least 5 px. Assumptions
// of ours: relative, so that the same scene in finer pixels has the same ring.
double default_guard_px(double lesion_area_px);
double default_width_px(double lesion_area_px);

// Buffers of one thread, reused between frames.
class BackgroundWorkspace {
 public:
  BackgroundWorkspace();
  BackgroundWorkspace(const BackgroundWorkspace&) = delete;
  BackgroundWorkspace& operator=(const BackgroundWorkspace&) = delete;
  BackgroundWorkspace(BackgroundWorkspace&&) noexcept;
  BackgroundWorkspace& operator=(BackgroundWorkspace&&) noexcept;
  ~BackgroundWorkspace();

  struct Buffers;
  [[nodiscard]] Buffers& buffers() { return *buffers_; }

 private:
  std::unique_ptr<Buffers> buffers_;
};

// Throws Error(input) when a shape differs or a mask that the policy needs is missing.
//   mode        centre of the densest part of the histogram of tile means, tiles just large enough that their noise is
//               small: robust to a bright lesion and to a dark drape, and not moved by the skew of counted photons;
//               where the densest part is an empty field (a tenth of the frame lies over 20 times its level), of the
//               rest
//   median      median after clipping at 3 sigma until nothing changes
//   percentile  25th percentile
//   mask        mean of `use`
//   annulus     mean of the ring from guard_px to guard_px + width_px around the lesion
//   distant     mode of what lies farther from the lesion than that ring
Background estimate_background(const CalibratedView& frame, const BackgroundOptions& options,
                               BackgroundWorkspace& workspace);

// Standard error that whole counts leave in a mean when a pixel's standard deviation `sd` (rounding in it) is too small
// to dither them: first harmonic of the rounding error of a normal variable, step/sqrt(12) exp(-2 pi^2 (sd/step)^2).
double rounding_error(double sd, double step);

}  // namespace pyicg
