#include "pyicg/frame_quality.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "check.hpp"
#include "kernels/box_means.hpp"
#include "pyicg/calibrate.hpp"
#include "pyicg/instruction_set.hpp"
#include "scene.hpp"

using namespace pyicg;
using scene::Image;
using scene::Mask;

namespace {

using pyicg::nan;  // not the C library's

constexpr std::size_t height = 120;
constexpr std::size_t width = 150;

// Level 1 with a disc of level `sbr` off the centre, seen through a blur of width s; the noise of a pixel is
// `noise` x sqrt(signal).
Image bed(double sbr, double s, double noise, std::uint32_t seed) {
  const scene::BlurredDisc disc(22, s);
  scene::Normal normal(seed);
  Image image(height, width);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      const double r = std::hypot(static_cast<double>(y) - 57.3, static_cast<double>(x) - 80.6);
      const double signal = 1 + (sbr - 1) * disc(r);
      image(y, x) = static_cast<float>(signal + noise * std::sqrt(signal) * normal());
    }
  }
  return image;
}

Sharpness sharpness_of(const Image& image, const Mask& mask) {
  QualityWorkspace ws;
  ws.glare.assign(image.pixels.size(), 0);
  return sharpness(image.view(), mask.view(), ws);
}

Sharpness sharpness_of(const Image& image) { return sharpness_of(image, Mask(image.height, image.width)); }

// An edge of width s under 30 degrees: about the reciprocal of its width in means of 2 x 2 px.
void width_of_an_edge() {
  for (const double s : {1.0, 1.5, 2.5, 4.0}) {
    Image image(height, width);
    for (std::size_t y = 0; y < height; ++y) {
      for (std::size_t x = 0; x < width; ++x) {
        const double d = 0.5 * (static_cast<double>(y) - 60) + 0.866 * (static_cast<double>(x) - 75);
        image(y, x) = static_cast<float>(1 + 2 * scene::normal_cdf(d / s));
      }
    }
    const Sharpness found = sharpness_of(image);
    check::near(found.focus * std::sqrt(s * s + 4.0 / 6), 1.1, 0.16);
    check::is_nan(found.isotropy);  // one direction only
  }
}

// Neither noise nor the brightness of lesion or frame changes it; blur does.
void what_changes_the_focus() {
  const Sharpness clean = sharpness_of(bed(3, 1.2, 0, 0));
  check::near(clean.isotropy, 1, 0.02);
  for (const double sbr : {1.5, 2.0, 6.0}) {
    check::near(sharpness_of(bed(sbr, 1.2, 0, 0)).focus, clean.focus, 1e-3 * clean.focus);
  }
  for (const double noise : {0.02, 0.1, 0.2}) {
    double focus = 0;
    double isotropy = 0;
    for (std::uint32_t seed = 0; seed < 8; ++seed) {
      const Sharpness found = sharpness_of(bed(3, 1.2, noise, seed));
      focus += found.focus / 8;
      isotropy += found.isotropy / 8;
    }
    check::near(focus, clean.focus, 0.03 * clean.focus);
    check::near(isotropy, 1, 0.08);
  }
  Image bright = bed(3, 1.2, 0.05, 1);
  const Sharpness dark = sharpness_of(bright);
  for (float& v : bright.pixels) v *= 1024;
  check::equal(sharpness_of(bright).focus, dark.focus);
  check::near(sharpness_of(bed(3, 2.4, 0.05, 1)).focus, 0.62 * clean.focus, 0.05 * clean.focus);
  check::near(sharpness_of(bed(3, 4.8, 0.05, 1)).focus, 0.34 * clean.focus, 0.04 * clean.focus);
}

// Moved by n px along x, or along the diagonal: smeared in one direction.
Image moved(const Image& image, std::size_t n, bool diagonal) {
  Image result(image.height, image.width);
  for (std::size_t y = 0; y < image.height; ++y) {
    for (std::size_t x = 0; x < image.width; ++x) {
      double sum = 0;
      for (std::size_t k = 0; k < n; ++k) {
        sum += static_cast<double>(
            image(std::min(y + (diagonal ? k : 0), image.height - 1), std::min(x + k, image.width - 1)));
      }
      result(y, x) = static_cast<float>(sum / static_cast<double>(n));
    }
  }
  return result;
}

void motion() {
  const Image still = bed(3, 1.2, 0.02, 2);
  const double isotropy = sharpness_of(still).isotropy;
  double before = isotropy;
  for (const std::size_t n : {4U, 8U, 12U}) {
    const double found = sharpness_of(moved(still, n, false)).isotropy;
    check::is_true(found < before - 0.05, "a longer path, less isotropy");
    before = found;
  }
  check::near(sharpness_of(moved(still, 8, false)).isotropy, 0.75, 0.05);
  check::near(sharpness_of(moved(still, 6, true)).isotropy, 0.73, 0.05);  // 8.5 px
  check::near(sharpness_of(bed(3, 2.4, 0.02, 2)).isotropy, isotropy, 0.03);
}

// The same bits from a frame that is stored bottom up, flipped or turned.
void symmetry() {
  const Image image = bed(3, 1.2, 0.1, 3);
  const Sharpness plain = sharpness_of(image);
  const scene::BottomUp<float> stored(image);
  QualityWorkspace ws;
  ws.glare.assign(image.pixels.size(), 0);
  const Mask mask(height, width);
  check::equal(sharpness(stored.view(), mask.view(), ws).focus, plain.focus);
  Image turned(width, height);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) turned(width - 1 - x, y) = image(y, x);
  }
  check::near(sharpness_of(turned).focus, plain.focus, 1e-12);
  check::near(sharpness_of(turned).isotropy, plain.isotropy, 1e-10);
}

void nothing_to_judge() {
  for (const double noise : {0.0, 0.001, 0.05, 0.3}) {
    const Sharpness found = sharpness_of(bed(1, 1.2, noise, 4));
    check::is_nan(found.focus);
    check::is_nan(found.isotropy);
  }
  check::is_nan(sharpness_of(Image(15, 40, 1)).focus);
  check::is_nan(sharpness_of(bed(3, 1.2, 0, 0), Mask(height, width, mask_bad)).focus);
  Image huge = bed(3, 1.2, 0, 0);
  for (float& v : huge.pixels) v *= 1e38F;
  check::is_nan(sharpness_of(huge).focus);
}

// Pixels that cannot be used leave the measure as it is.
void masked() {
  Image image = bed(3, 1.2, 0.02, 5);
  const Sharpness plain = sharpness_of(image);
  Mask mask(height, width);
  for (std::size_t i = 0; i < image.pixels.size(); i += 97) {
    mask.pixels[i] = mask_bad;
    image.pixels[i] = std::numeric_limits<float>::quiet_NaN();
  }
  check::near(sharpness_of(image, mask).focus, plain.focus, 0.03 * plain.focus);
}

void glare() {
  Image image = bed(3, 1.2, 0.02, 6);
  Mask mask(height, width);
  QualityWorkspace ws;
  const auto share = [&] { return glare_fraction(image.view(), mask.view(), image.view(), 1.5, 64, ws); };
  const auto square = [&](std::size_t top, std::size_t left, std::size_t size, float level) {
    for (std::size_t y = top; y < top + size; ++y) {
      for (std::size_t x = left; x < left + size; ++x) image(y, x) = level;
    }
  };
  const double px = 1.0 / static_cast<double>(height * width);
  const double focus = sharpness_of(image).focus;
  check::near(share(), 0, 0);
  square(10, 20, 5, 12);    // beside the lesion
  square(50, 80, 4, 12);    // on it
  square(20, 100, 1, 40);   // a hot pixel
  square(90, 20, 5, 8.5F);  // under three times the lesion
  check::near(share(), 41 * px, 1e-12);
  check::equal(int{ws.glare[10 * width + 20]}, 1);
  check::equal(int{ws.glare[20 * width + 100]}, 0);
  square(90, 20, 5, 1);
  square(20, 100, 1, 1);
  share();
  check::near(sharpness(image.view(), mask.view(), ws).focus, focus, 0.03 * focus);
  square(95, 100, 8, 30);  // as large as a lesion may be
  check::near(share(), 41 * px, 1e-12);
  for (std::size_t x = 30; x < 37; ++x) mask(100, x) = mask_saturated;
  mask(3, 3) = mask_saturated;
  mask(10, 20) = mask_bad;
  check::near(share(), 47 * px, 1e-12);
  check::is_nan(glare_fraction(image.view(), mask.view(), image.view(), nan, 64, ws));
  check::near(glare_fraction(image.view(), Mask(height, width, mask_excluded).view(), image.view(), 1.5, 64, ws), 0, 0);
}

// Products of gradients, against one place after the other.
void tensors() {
  constexpr std::size_t n = 200;
  constexpr std::size_t coarse = 8;
  constexpr std::size_t fine = 2;
  scene::Normal normal(11);
  std::array<std::vector<float>, 4> rows;
  for (auto& row : rows) {
    row.resize(n + coarse);
    for (float& v : row)
      v = normal.uniform() < 0.01 ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(normal());
  }
  const kernels::BoxRows boxes{rows[0].data(), rows[1].data(), rows[2].data(), rows[3].data()};
  for (const InstructionSet set : instruction_sets()) {
    for (const std::size_t count : {std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{129}, n}) {
      std::vector<float> energy((count + kernels::places_at_once - 1) / kernels::places_at_once *
                                kernels::places_at_once);
      std::vector<float> largest(count);
      kernels::Tensor of_fine;
      kernels::Tensor of_coarse;
      kernels::box_kernels(set).energies(boxes, count, coarse, fine, energy.data(), largest.data());
      kernels::box_kernels(set).add_tensors(boxes, count, coarse, fine, largest.data(), 0.7F, 0.25, &of_fine,
                                            &of_coarse);
      kernels::Tensor f;
      kernels::Tensor c;
      for (std::size_t x = 0; x < count; ++x) {
        if (!(energy[x] >= 0.7F)) continue;
        const auto sides = [&](std::size_t top, std::size_t apart) {
          return std::array{rows.at(top)[x], rows.at(top)[x + apart], rows.at(top + 1)[x], rows.at(top + 1)[x + apart]};
        };
        const auto along_x = [](const auto& b) { return ((b[1] + b[3]) - (b[0] + b[2])) / 2; };
        const auto along_y = [](const auto& b) { return ((b[2] + b[3]) - (b[0] + b[1])) / 2; };
        const auto small = sides(2, fine);
        const auto large = sides(0, coarse);
        f.xx += static_cast<double>((small[1] - small[0]) * (small[3] - small[2]));
        f.xy += static_cast<double>(along_x(small) * along_y(small));
        f.yy += static_cast<double>((small[2] - small[0]) * (small[3] - small[1]));
        c.xx += static_cast<double>(along_x(large) * along_x(large)) - 0.25;
        c.xy += static_cast<double>(along_x(large) * along_y(large));
        c.yy += static_cast<double>(along_y(large) * along_y(large)) - 0.25;
      }
      check::is_true(count == 1 || c.xx > 0, "places that count");
      check::is_true(std::all_of(energy.begin() + static_cast<std::ptrdiff_t>(count), energy.end(),
                                 [](float e) { return e == -1; }),
                     "nothing behind the last place");
      check::is_true(of_fine.xx == f.xx && of_fine.xy == f.xy && of_fine.yy == f.yy, "fine");
      check::is_true(of_coarse.xx == c.xx && of_coarse.xy == c.xy && of_coarse.yy == c.yy, "coarse");
    }
  }
}

// Rows whose boxes are all whole take a way of their own, to the same means. Where a stripe beside the picture is left
// out, in all rows or in some, the measure stays.
void whole_rows() {
  scene::Normal normal(12);
  std::vector<float> sums(101);
  for (float& v : sums) v = static_cast<float>(normal());
  for (const InstructionSet set : instruction_sets()) {
    for (const std::size_t pixels : {std::size_t{4}, std::size_t{64}}) {
      std::vector<float> whole(sums.size());
      std::vector<float> counted(sums.size());
      const std::vector<std::uint8_t> counts(sums.size(), static_cast<std::uint8_t>(pixels));
      kernels::box_kernels(set).full_means(sums.data(), sums.size(), pixels, whole.data());
      kernels::box_kernels(set).means(sums.data(), counts.data(), sums.size(), pixels, counted.data());
      check::is_true(whole == counted, "the same means");
    }
  }

  const Image image = bed(3, 1.2, 0.05, 3);
  Image wide(image.height, image.width + 40, 1);
  Mask left_out(wide.height, wide.width);
  Mask some(wide.height, wide.width);
  for (std::size_t y = 0; y < wide.height; ++y) {
    for (std::size_t x = 0; x < wide.width; ++x) {
      wide(y, x) = x < image.width ? image(y, x) : 1;
      left_out(y, x) = x < image.width ? 0 : mask_bad;
      some(y, x) = x < image.width || y % 20 < 10 ? 0 : mask_bad;
    }
  }
  QualityWorkspace ws;
  ws.glare.assign(wide.pixels.size(), 0);
  const Sharpness every = sharpness(wide.view(), left_out.view(), ws);
  check::near(sharpness(wide.view(), some.view(), ws).focus, every.focus, 0.02 * every.focus);
  check::near(every.focus, sharpness_of(image).focus, 0.02 * every.focus);
}

}  // namespace

int main() {
  tensors();
  whole_rows();
  width_of_an_edge();
  what_changes_the_focus();
  motion();
  symmetry();
  nothing_to_judge();
  masked();
  glare();
  return check::result();
}
