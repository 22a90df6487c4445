// A background that varies over the frame: a low-order polynomial through what does not glow, for uneven illumination
// and a curved organ. Robust: tiles far over or under it (lesion, drape) lose their weight.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "pyicg/background.hpp"
#include "pyicg/calibrate.hpp"
#include "pyicg/image_view.hpp"

namespace pyicg {

inline constexpr int max_surface_order = 3;
inline constexpr std::size_t max_surface_terms = 10;

struct BackgroundSurface {
  int order = 0;
  std::size_t height = 0;
  std::size_t width = 0;
  double step = 0;                                      // one count of the frame
  std::array<double, max_surface_terms> coefficient{};  // of products of Legendre polynomials over [-1, 1] x [-1, 1]
  std::array<std::array<double, max_surface_terms>, max_surface_terms> covariance{};
  double sigma = nan;           // standard deviation of a pixel around the surface
  double noise_variance = nan;  // of that, the camera's, from the profile
  double heterogeneity = 0;     // share of the covariance that unevenness over more than a tile adds
  double dof = infinity;
  double effective_pixels = nan;
  std::size_t n_pixels = 0;
  std::array<Patch, max_patches> patches{};
  std::size_t n_patches = 0;
  Reason reason = Reason::none;

  [[nodiscard]] std::size_t terms() const;
  [[nodiscard]] std::array<double, max_surface_terms> basis(double y, double x) const;
  [[nodiscard]] double at(double y, double x) const;
};

// `exclude`: non-zero = left out (the lesion and what surrounds it); no data pointer: nothing. Order 0 to 3. Throws
// Error(input) for another order or shape.
BackgroundSurface fit_background_surface(const CalibratedView& frame, ImageView<const std::uint8_t> exclude, int order,
                                         BackgroundWorkspace& workspace);

// The surface at every pixel, in the unit of the frame; NaN where there is none.
void evaluate(const BackgroundSurface& surface, ImageView<float> out);

// The background that a region has under itself: mean of the surface over the region's pixels.
Background background_under(const BackgroundSurface& surface, ImageView<const std::uint8_t> region);

}  // namespace pyicg
