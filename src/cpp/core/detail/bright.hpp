// What "bright" means: the one rule that the rim and the residual fluorescence share.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <vector>

#include "pyicg/calibrate.hpp"
#include "pyicg/contrast.hpp"
#include "pyicg/image_view.hpp"

namespace pyicg::detail {

// What a smoothed picture leaves out. Saturated pixels and those cut off below stay: they are bounds.
inline constexpr std::uint8_t not_in_picture = mask_bad | mask_excluded | mask_out_of_range | mask_not_finite;

// White noise of one pixel after a Gaussian of width s: 1/(2 sqrt(pi) s) of it is left.
inline double noise_after_blur(double sigma, double s) { return sigma / (2 * std::sqrt(std::numbers::pi) * s); }

// A pixel is bright over the SBR cut, and over five times the noise left after smoothing.
inline double bright_level(const Background& background, double sbr_cut, double smooth_px) {
  const double noise = noise_after_blur(background.sigma, smooth_px);
  return background.level + std::max((sbr_cut - 1) * background.level, 5 * noise);
}

// The largest float that is not over the level: the same floats are over it.
inline float not_over(double level) {
  const auto rounded = static_cast<float>(level);
  constexpr float down = -std::numeric_limits<float>::infinity();
  return static_cast<double>(rounded) > level ? std::nextafter(rounded, down) : rounded;
}

// A buffer of a workspace as a frame-sized plane.
template <class T>
ImageView<T> plane(std::vector<T>& buffer, std::size_t height, std::size_t width) {
  buffer.resize(height * width);
  return {buffer.data(), height, width};
}

}  // namespace pyicg::detail
