// What the files behind background.hpp share: buffers, the choice of pixels, and what makes a standard error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "detail/blocks.hpp"
#include "detail/ranked_pixels.hpp"
#include "detail/tiles.hpp"
#include "pyicg/background.hpp"

namespace pyicg {

inline constexpr std::size_t min_background_pixels = 16;
// A mode stands up to a twentieth of its pixels cut off; a mean or a median would be wrong by several per cent.
inline constexpr double clipped_share_of_mode = 0.05;
inline constexpr double clipped_share_of_mean = 0.01;

struct BackgroundWorkspace::Buffers {
  std::vector<std::uint8_t> mask;  // the frame's, where more than it is left out
  std::vector<float> values;
  std::vector<std::int32_t> bins;  // of values
  std::vector<float> deviations;
  std::vector<std::uint8_t> outside;  // of the lesion
  std::vector<float> row_distance;
  std::vector<double> squared_distance;
  std::vector<double> influences;  // of a row
  std::vector<double> weights;     // of tiles
  detail::PrevalentScratch prevalent;
  detail::RankedPixels ranked;
  detail::Tiles tiles;
  detail::Blocks blocks;
};

// What was seen while the pixels were selected.
struct Selection {
  CalibratedView frame;  // its mask leaves out what was not asked for too
  std::size_t n = 0;
  std::size_t zeros = 0;        // cut off at count 0, marked so or of value 0
  std::size_t exact_zeros = 0;  // of these, valid pixels of value 0
  std::size_t saturated = 0;
  double least_saturated = infinity;
  std::uint8_t bits = 0;

  // More counts than `share` at an end of the range, and a level near it: that tail is cut off, and the level is not
  // known, however many pixels say so.
  [[nodiscard]] bool piled_up_at_zero(double level, double sigma, double share) const;
  [[nodiscard]] Reason limit(double level, double sigma, double share) const;
};

// Checks the options against the frame and counts the pixels that they ask for.
Selection select_background(const CalibratedView& frame, const BackgroundOptions& options,
                            BackgroundWorkspace::Buffers& ws);

// What is known of a level.
struct LevelError {
  double white = 0;                 // its standard error if all pixels were independent
  double noise_variance = nan;      // mean camera noise of a pixel; NaN: unknown
  detail::Correlation correlation;  // of its pixels
  double pixels_per_value = 1;      // where its values are tiles
  double efficiency = 1;            // variance of the level over that of a mean
  bool on_grid = false;             // the level clings to whole counts, and is not known better than to one of them
  double spread_efficiency = 1;     // variance of sigma over that of a standard deviation, 1/(2 (n - 1)) of its square
};

// Sets budget, sem, sigma_error, dof and effective_pixels of a background whose level, sigma and n_pixels are set.
void set_error(Background& b, const LevelError& known, double step);

// Fills Background::patches and returns how many there are. `variance` is that of a value times its pixels, `sigma`
// that of a pixel.
std::size_t set_patches(const detail::Correlation& correlation, double variance, double pixels_per_value, double sigma,
                        std::array<Patch, max_patches>& patches);

// The policy `mode` on the pixels selected. Without `lesion_excluded` the error allows for one that cannot be seen.
Background mode_background(const Selection& selection, bool lesion_excluded, BackgroundWorkspace::Buffers& ws);

}  // namespace pyicg
