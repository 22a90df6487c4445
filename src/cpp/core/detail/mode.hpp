// The mode of a set of values with sub-bin accuracy, and each value's weight in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pyicg::detail {

// Shortest interval that holds a quarter of the values, found on a histogram that zooms in until it is finely resolved.
struct Densest {
  double centre = 0;
  double width = 0;
};
Densest densest_interval(std::span<const float> values, std::vector<std::int32_t>& scratch);

struct Mode {
  double level = 0;
  double sigma = 0;          // standard deviation of the peak
  double held = 0;           // values that make up the peak
  double efficiency = 1;     // variance of the level over sigma^2 / held
  double weights_sigma = 0;  // of the Gaussian weights; 0: all values are one
};

// Fixed point of the mean under Gaussian weights as wide as the peak, begun at the densest interval `start`. `step` is
// the size of one grey level of the values (0: none): weights narrower than one would only ever see one of them.
Mode find_mode(std::span<const float> values, const Densest& start, double step, std::vector<std::int32_t>& scratch);

// The weight of every value in the mode.
void weigh(const Mode& mode, std::span<const float> values, std::vector<double>& weights);

}  // namespace pyicg::detail
