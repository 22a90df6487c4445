// Order statistics of values that may be reordered, in linear time.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace pyicg::detail {

// Quantile by linear interpolation between order statistics (numpy's default). `values` is reordered; not empty.
inline double quantile(std::span<float> values, double q) {
  const double position = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(position));
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(below);
  std::nth_element(values.begin(), nth, values.end());
  const double lower = static_cast<double>(*nth);
  const double share = position - static_cast<double>(below);
  if (share == 0.0) return lower;
  const double upper = static_cast<double>(*std::min_element(nth + 1, values.end()));
  return lower + share * (upper - lower);
}

inline double median(std::span<float> values) { return quantile(values, 0.5); }

struct Moments {
  std::size_t n = 0;
  double mean = 0;
  double sd = 0;
};

// Two passes, double accumulators, in order.
inline Moments moments(std::span<const float> values) {
  Moments m{values.size(), 0, 0};
  if (values.empty()) return m;
  for (const float v : values) m.mean += static_cast<double>(v);
  m.mean /= static_cast<double>(m.n);
  for (const float v : values) m.sd += (static_cast<double>(v) - m.mean) * (static_cast<double>(v) - m.mean);
  m.sd = m.n > 1 ? std::sqrt(m.sd / static_cast<double>(m.n - 1)) : 0.0;
  return m;
}

}  // namespace pyicg::detail
