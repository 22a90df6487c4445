#include "core/detail/grey_crop.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "check.hpp"
#include "pyicg/calibrate.hpp"
#include "pyicg/instruction_set.hpp"
#include "scene.hpp"

using pyicg::InstructionSet;
using pyicg::mask_bad;
using pyicg::mask_saturated;
using pyicg::detail::GreyCrop;
using pyicg::detail::LinePlaces;
using scene::Image;
using scene::Mask;

namespace {

template <class Value>
Image image_of(std::size_t height, std::size_t width, const Value& value) {
  Image image(height, width);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      image(y, x) = static_cast<float>(value(static_cast<double>(y) - 20, static_cast<double>(x) - 20));
    }
  }
  return image;
}

// A plane is read as it is; of a parabola the reading is higher by its blur's second moment, everywhere alike.
void moments() {
  const Mask mask(41, 41);
  for (const double smooth : {0.0, 1.5}) {
    const Image plane = image_of(41, 41, [](double y, double x) { return 3 + 0.5 * y - 0.25 * x; });
    const Image across = image_of(41, 41, [](double y, double) { return 0.125 * y * y; });
    const Image mixed = image_of(41, 41, [](double y, double x) { return 0.125 * x * x + 0.125 * y * x; });
    const auto crop = [&](const Image& image) { return GreyCrop(image.view(), mask.view(), 0, 20, 20, 20, smooth); };
    const GreyCrop of_plane = crop(plane);
    const GreyCrop of_across = crop(across);
    const GreyCrop of_mixed = crop(mixed);
    check::near(of_plane.blur(), 1.0 / 3 + smooth * smooth, 1e-12);
    const double tolerance = smooth > 0 ? 2e-3 : 2e-6;  // the Gaussian's samples are cut off at four sigma
    for (int i = -13; i <= 13; ++i) {
      for (int j = -12; j <= 12; ++j) {
        const double dy = 0.37 * i;
        const double dx = 0.41 * j;
        check::near(of_plane.at(dy, dx), 3 + 0.5 * dy - 0.25 * dx, 1e-5);
        check::near(of_across.at(dy, dx), 0.125 * (dy * dy + of_plane.blur()), tolerance);
        check::near(of_mixed.at(dy, dx), 0.125 * (dx * dx + dy * dx + of_plane.blur()), tolerance);
      }
    }
  }
}

// The crop's size changes nothing, and shifted by whole pixels it reads the same bits.
void place() {
  const Image image = scene::noise(60, 50, 10, 1, 5);
  const Mask mask(60, 50);
  const GreyCrop small(image.view(), mask.view(), 0, 30, 25, 8, 0);
  const GreyCrop large(image.view(), mask.view(), 0, 30, 25, 1000, 0);
  const GreyCrop beside(image.view(), mask.view(), 0, 33, 23, 12, 0);
  for (int i = -16; i <= 16; ++i) {
    const double d = 0.25 * i;
    check::equal(small.at(d, 0.5 * d), large.at(d, 0.5 * d));
    check::equal(small.at(d, 0.5 * d), beside.at(d - 3, 0.5 * d + 2));
  }
}

void invalid_pixels() {
  Image image(41, 41, 7);
  Mask mask(41, 41);
  image(20, 22) = std::numeric_limits<float>::quiet_NaN();
  mask(20, 22) = mask_bad;
  for (std::size_t y = 27; y < 36; ++y) {
    for (std::size_t x = 15; x < 26; ++x) {
      image(y, x) = std::numeric_limits<float>::quiet_NaN();
      mask(y, x) = mask_bad;
    }
  }
  image(10, 20) = 500;
  mask(10, 20) = mask_saturated;  // not among the bits asked for: it counts
  for (const double smooth : {0.0, 1.0}) {
    const GreyCrop crop(image.view(), mask.view(), mask_bad, 20, 20, 20, smooth);
    for (int i = -15; i <= 15; ++i) check::near(crop.at(0, 0.2 * i), 7, 1e-5);
    check::is_nan(crop.at(11, 0));  // the middle of the patch
    check::is_true(crop.at(-10, 0) > 20, "the saturated pixel's own value");
  }
}

void border() {
  const Image image(30, 40, 5);
  const Mask mask(30, 40);
  const GreyCrop crop(image.view(), mask.view(), 0, 2, 37, 50, 0);
  for (const double dy : {-2.0, -1.4, 0.0, 27.0}) {
    for (const double dx : {2.0, 1.3, 0.0, -37.0}) check::near(crop.at(dy, dx), 5, 1e-12);
  }
  check::is_nan(crop.at(-2.001, 0));
  check::is_nan(crop.at(27.001, 0));
  check::is_nan(crop.at(0, 2.001));
  check::is_nan(crop.at(0, -37.001));
  const GreyCrop narrow(image.view(), mask.view(), 0, 15, 20, 3, 0);
  check::is_nan(narrow.at(0, 3.001));  // beyond the crop as beyond the frame
  check::near(narrow.at(3, -3), 5, 1e-12);
}

// Many places of a line at once, the same bits as one by one: inside, over the crop's borders, outside of it, with and
// without pixels that are not valid; lines of all lengths.
void along_lines() {
  Image image = scene::noise(60, 50, 10, 1, 6);
  Mask mask(60, 50);
  for (const bool whole : {true, false}) {
    if (!whole) {
      for (std::size_t y = 20; y < 27; ++y) {
        for (std::size_t x = 30; x < 36; ++x) {
          image(y, x) = std::numeric_limits<float>::quiet_NaN();
          mask(y, x) = mask_bad;
        }
      }
    }
    const GreyCrop crop(image.view(), mask.view(), mask_bad, 28, 24, 26, 0);
    for (std::size_t n = 0; n < 90; ++n) {
      const double angle = 0.7 * static_cast<double>(n);
      const double y = 8 * std::sin(3 * angle);
      const double x = 8 * std::cos(5 * angle);
      const LinePlaces line{y, x, std::sin(angle), std::cos(angle), 0.37, -static_cast<int>(n) / 3};
      std::vector<double> signals(n);
      crop.along(line, signals);
      for (std::size_t i = 0; i < n; ++i) {
        const double t = 0.37 * (line.first + static_cast<int>(i));
        const double one = crop.at(y + t * line.dy, x + t * line.dx);
        if (std::isnan(one)) {
          check::is_nan(signals[i]);
        } else {
          check::equal(signals[i], one);
        }
      }
    }
  }
}

}  // namespace

int main() {
  moments();
  place();
  invalid_pixels();
  border();
  for (const InstructionSet set : pyicg::instruction_sets()) {
    pyicg::use_instruction_set(pyicg::instruction_set_name(set));
    along_lines();
  }
  return check::result();
}
