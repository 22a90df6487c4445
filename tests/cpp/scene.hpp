// What the tests measure: planes of pixels with a known truth.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <random>
#include <vector>

#include "pyicg/calibrate.hpp"
#include "pyicg/image_view.hpp"

namespace scene {

template <class T>
struct Plane {
  std::size_t height, width;
  std::vector<T> pixels;

  Plane(std::size_t height_, std::size_t width_, T value = T{})
      : height(height_), width(width_), pixels(height_ * width_, value) {}

  T& operator()(std::size_t y, std::size_t x) { return pixels[y * width + x]; }
  const T& operator()(std::size_t y, std::size_t x) const { return pixels[y * width + x]; }
  pyicg::ImageView<T> view() { return {pixels.data(), height, width}; }
  pyicg::ImageView<const T> view() const { return {pixels.data(), height, width}; }
  bool operator==(const Plane&) const = default;
};

using Image = Plane<float>;
using Mask = Plane<std::uint8_t>;

// Values that somebody calibrated, with `step` as the size of a count and no known noise.
inline pyicg::CalibratedView frame(const Image& data, const Mask& mask, double step = 0) {
  return {data.view(), mask.view(), {}, step};
}

// The same rows stored bottom up and padded: read through `view` it is the plane it was made from.
template <class T>
class BottomUp {
 public:
  explicit BottomUp(const Plane<T>& plane) : height_(plane.height), width_(plane.width), stored_(height_, width_ + 3) {
    for (std::size_t y = 0; y < height_; ++y) {
      for (std::size_t x = 0; x < width_; ++x) stored_(height_ - 1 - y, x) = plane(y, x);
    }
  }
  pyicg::ImageView<const T> view() const {
    return {&stored_(height_ - 1, 0), height_, width_, -static_cast<std::ptrdiff_t>((width_ + 3) * sizeof(T))};
  }

 private:
  std::size_t height_, width_;
  Plane<T> stored_;
};

// Standard normal numbers, the same ones from every standard library (Box-Muller).
class Normal {
 public:
  explicit Normal(std::uint32_t seed) : bits_(seed) {}
  double operator()() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }
  // In (0, 1).
  double uniform() { return (static_cast<double>(bits_()) + 0.5) / 4294967296.0; }

 private:
  std::mt19937 bits_;
};

inline Image noise(std::size_t height, std::size_t width, double level, double sigma, std::uint32_t seed) {
  Normal normal(seed);
  Image image(height, width);
  for (float& v : image.pixels) v = static_cast<float>(level + sigma * normal());
  return image;
}

inline double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

// A disc of height 1 and radius R blurred by a Gaussian of width s: strips across the disc, each blurred in closed
// form.
class BlurredDisc {
 public:
  BlurredDisc(double radius, double s) {
    constexpr int strips = 400;
    const double reach = std::min(radius, 6 * s);  // strips farther off add less than 1e-9
    for (std::size_t i = 0;; ++i) {
      const double r = static_cast<double>(i) * step;
      double sum = 0;
      for (int k = 0; k < strips; ++k) {
        const double a = reach * ((2.0 * k + 1) / strips - 1);
        const double half = std::sqrt(radius * radius - a * a);
        const double weight = std::exp(-0.5 * a * a / (s * s)) / (s * std::sqrt(2 * std::numbers::pi));
        sum += weight * (normal_cdf((half - r) / s) - normal_cdf((-half - r) / s));
      }
      table_.push_back(sum * 2 * reach / strips);
      if (r > radius + 8 * s) break;
    }
  }
  double operator()(double r) const {
    const auto i = static_cast<std::size_t>(r / step);
    if (i + 1 >= table_.size()) return 0;
    const double share = r / step - static_cast<double>(i);
    return (1 - share) * table_[i] + share * table_[i + 1];
  }

 private:
  static constexpr double step = 1.0 / 64;
  std::vector<double> table_;
};

struct Annulus {
  double cy, cx, inner, outer;
  double core, rim;
};

// Background of level 1 with one annulus, seen through a Gaussian blur of width s.
inline Image annulus(std::size_t height, std::size_t width, const Annulus& a, double s) {
  const BlurredDisc inner(a.inner, s);
  const BlurredDisc outer(a.outer, s);
  Image image(height, width);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      const double r = std::hypot(static_cast<double>(y) - a.cy, static_cast<double>(x) - a.cx);
      image(y, x) = static_cast<float>(1 + (a.rim - 1) * outer(r) + (a.core - a.rim) * inner(r));
    }
  }
  return image;
}

}  // namespace scene
