#include "pyicg/background_surface.hpp"

#include <cmath>
#include <utility>

#include "check.hpp"
#include "pyicg/calibrate.hpp"
#include "scene.hpp"

using namespace pyicg;
using scene::Image;
using scene::Mask;

namespace {

BackgroundSurface fit(const Image& image, int order, ImageView<const std::uint8_t> exclude = {}) {
  BackgroundWorkspace ws;
  return fit_background_surface(scene::frame(image, Mask(image.height, image.width)), exclude, order, ws);
}

// Light that falls off to the sides, of degree 3 in y and x together.
double light(double y, double x, double degree) {
  const double u = y / 40 - 1;
  const double v = x / 50 - 1;
  double sum = 200;
  if (degree >= 1) sum += 30 * u - 12 * v;
  if (degree >= 2) sum += -25 * u * u + 8 * u * v - 18 * v * v;
  if (degree >= 3) sum += 6 * u * u * u + 5 * u * u * v - 4 * v * v * v;
  return sum;
}

Image lit(double degree, double sigma, std::uint32_t seed) {
  Image image = scene::noise(80, 100, 0, sigma, seed);
  for (std::size_t y = 0; y < 80; ++y) {
    for (std::size_t x = 0; x < 100; ++x) {
      image(y, x) += static_cast<float>(light(static_cast<double>(y), static_cast<double>(x), degree));
    }
  }
  return image;
}

void polynomials_are_recovered() {
  for (int order = 0; order <= 3; ++order) {
    for (int degree = 0; degree <= order; ++degree) {
      const BackgroundSurface s = fit(lit(degree, 0, 1), order);
      check::equal(s.terms(), static_cast<std::size_t>((order + 1) * (order + 2) / 2));
      check::same(s.reason, Reason::none);
      for (const auto& [y, x] : {std::pair{0.0, 0.0}, {79.0, 99.0}, {0.0, 99.0}, {31.5, 47.0}}) {
        check::near(s.at(y, x), light(y, x, degree), 1e-3);  // counts are floats: 1e-5 of 200 each
      }
      Image map(80, 100);
      evaluate(s, map.view());
      check::near(static_cast<double>(map(12, 34)), s.at(12, 34), 1e-4);
    }
  }
}

// A bright lesion and a dark drape lose their weight.
void outliers() {
  for (const double sigma : {0.5, 6.0}) {
    Image image = lit(2, sigma, 2);
    for (std::size_t y = 20; y < 45; ++y) {
      for (std::size_t x = 60; x < 90; ++x) image(y, x) *= 3;
    }
    for (std::size_t y = 0; y < 80; ++y) {
      for (std::size_t x = 0; x < 6; ++x) image(y, x) = 5;
    }
    const BackgroundSurface s = fit(image, 2);
    // Of 15 % outliers and the rest, the median absolute deviation is 1.2 times that of the rest.
    check::is_true(s.sigma > sigma && s.sigma < 1.3 * sigma, "the liver's own scatter");
    for (const auto& [y, x] : {std::pair{32.0, 75.0}, {5.0, 95.0}, {70.0, 12.0}}) {
      check::near(s.at(y, x), light(y, x, 2), 0.4 * sigma);
    }
    check::is_true(s.n_pixels < 7000 && s.n_pixels > 5800, "6770 pixels of liver");
  }
}

// The error told of the surface under a region is the scatter of the surface under it.
void covariance() {
  constexpr std::uint32_t runs = 120;
  Mask region(80, 100);
  for (std::size_t y = 30; y < 50; ++y) {
    for (std::size_t x = 70; x < 95; ++x) region(y, x) = 1;
  }
  double truth = 0;
  for (std::size_t y = 30; y < 50; ++y) {
    for (std::size_t x = 70; x < 95; ++x) {
      truth += light(static_cast<double>(y), static_cast<double>(x), 2) / 500;
    }
  }
  double squares = 0;
  double told = 0;
  double sigma = 0;
  for (std::uint32_t seed = 1; seed <= runs; ++seed) {
    const BackgroundSurface s = fit(lit(2, 6, seed), 2, region.view());
    const Background b = background_under(s, region.view());
    squares += (b.level - truth) * (b.level - truth) / runs;
    told += b.sem * b.sem / runs;
    sigma += b.sigma / runs;
    check::near(b.sem, b.budget.total(), 1e-12);
    check::same(b.reason, Reason::none);
  }
  check::near(std::sqrt(squares / told), 1, 0.2);  // 120 runs know their scatter to 6.5 %
  check::near(sigma, 6, 0.1);
}

// What the profile knows of the noise moves from one part of the budget to another.
void known_noise() {
  const Image image = lit(1, 6, 3);
  const Mask mask(80, 100);
  const Mask region(80, 100, 1);
  BackgroundWorkspace ws;
  const Background blind = background_under(fit(image, 1), region.view());
  const Image variance(80, 100, 16);
  const BackgroundSurface s = fit_background_surface({image.view(), mask.view(), variance.view()}, {}, 1, ws);
  const Background b = background_under(s, region.view());
  check::is_nan(blind.budget.pixel_noise);
  check::near(b.sem, blind.sem, 1e-9);
  check::near(b.budget.pixel_noise, blind.budget.sampling * 4 / s.sigma, 1e-6);
  check::near(std::hypot(b.budget.pixel_noise, b.budget.sampling), blind.budget.sampling, 1e-9);
}

void refusals() {
  const Image image = lit(1, 2, 4);
  for (const int order : {-1, 4, 100}) {
    check::throws(ErrorKind::input, [&] { fit(image, order); });
  }
  const Mask other(80, 99);
  check::throws(ErrorKind::input, [&] { fit(image, 1, other.view()); });
  const BackgroundSurface s = fit(image, 1);
  check::throws(ErrorKind::input, [&] { background_under(s, other.view()); });
  check::throws(ErrorKind::input, [&] { background_under(s, Mask(80, 100).view()); });
  Image wrong(100, 80);
  check::throws(ErrorKind::input, [&] { evaluate(s, wrong.view()); });
}

void too_little() {
  for (const auto& [height, width] : {std::pair<std::size_t, std::size_t>{1, 1}, {3, 5}, {1, 400}, {400, 1}}) {
    const BackgroundSurface s = fit(Image(height, width, 7), 2);
    check::same(s.reason, Reason::too_few_pixels);
    const Background b = background_under(s, Mask(height, width, 1).view());
    check::is_nan(b.level);
    check::same(b.reason, Reason::too_few_pixels);
    Image map(height, width);
    evaluate(s, map.view());
    check::is_nan(static_cast<double>(map(0, 0)));
  }

  const Mask all(80, 100, 1);
  check::same(fit(lit(1, 2, 5), 1, all.view()).reason, Reason::too_few_pixels);
  BackgroundWorkspace ws;
  const Image image = lit(1, 2, 5);
  const Mask beyond(80, 100, mask_out_of_range);
  check::same(fit_background_surface(scene::frame(image, beyond), {}, 1, ws).reason, Reason::out_of_range);
  // Darkness is no background.
  const Background dark = background_under(fit(scene::noise(80, 100, 0, 5, 6), 0), all.view());
  check::same(dark.reason, Reason::background_not_resolved);
}

}  // namespace

int main() {
  polynomials_are_recovered();
  outliers();
  covariance();
  known_noise();
  refusals();
  too_little();
  return check::result();
}
