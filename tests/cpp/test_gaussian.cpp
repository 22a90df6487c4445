#include "kernels/gaussian.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <tuple>
#include <vector>

#include "check.hpp"
#include "scene.hpp"

using pyicg::kernels::gaussian;
using scene::Image;

namespace {

Image blurred(pyicg::ImageView<const float> in, double sigma) {
  Image out(in.height, in.width);
  std::vector<float> scratch;
  gaussian(in, sigma, out.view(), scratch);
  return out;
}

Image noise_image(std::size_t height, std::size_t width, std::uint32_t seed) {
  scene::Normal noise(seed);
  Image image(height, width);
  for (float& v : image.pixels) v = static_cast<float>(10 + noise());
  return image;
}

// The definition, in double: a 2-D sum of products with repeated borders.
double definition(const Image& in, double sigma, std::size_t y, std::size_t x) {
  const auto reach = static_cast<long>(std::max(1.0, std::ceil(4 * sigma)));
  const auto at = [](long i, std::size_t n) {
    return static_cast<std::size_t>(std::clamp(i, 0L, static_cast<long>(n) - 1));
  };
  double sum = 0;
  double total = 0;
  for (long dy = -reach; dy <= reach; ++dy) {
    for (long dx = -reach; dx <= reach; ++dx) {
      const double weight = std::exp(-0.5 * static_cast<double>(dy * dy + dx * dx) / (sigma * sigma));
      const auto yy = at(static_cast<long>(y) + dy, in.height);
      const auto xx = at(static_cast<long>(x) + dx, in.width);
      sum += weight * static_cast<double>(in(yy, xx));
      total += weight;
    }
  }
  return sum / total;
}

void against_definition() {
  for (const auto& [height, width, sigma] : {std::tuple<std::size_t, std::size_t, double>{24, 31, 1.0},
                                             {24, 31, 2.7},
                                             {5, 3, 4.0},
                                             {1, 1, 1.0},
                                             {1, 40, 0.5},
                                             {40, 1, 3.0}}) {
    const Image in = noise_image(height, width, 7);
    const Image out = blurred(in.view(), sigma);
    for (std::size_t y = 0; y < height; ++y) {
      for (std::size_t x = 0; x < width; ++x) {
        check::near(static_cast<double>(out(y, x)), definition(in, sigma, y, x), 1e-5);
      }
    }
  }
}

Image mirrored_blur(pyicg::ImageView<const float> in, double sigma, const pyicg::kernels::GaussianKernels& kernels) {
  const pyicg::kernels::MirroredGaussian blur(sigma, kernels);
  Image out(in.height, in.width);
  std::vector<float> scratch;
  for (std::size_t y = 0; y < in.height; y += pyicg::kernels::gaussian_rows) blur.rows(in, y, out.view(), scratch);
  return out;
}

// The definition again: mirrored about the edge pixels, taps to 4 sigma rounded.
void mirrored_against_definition() {
  const auto at = [](long i, std::size_t n) {
    const auto last = static_cast<long>(n) - 1;
    while (last > 0 && (i < 0 || i > last)) i = i < 0 ? -i : 2 * last - i;
    return static_cast<std::size_t>(last > 0 ? i : 0);
  };
  for (const auto& [height, width, sigma] : {std::tuple<std::size_t, std::size_t, double>{24, 31, 1.0},
                                             {21, 70, 2.0},
                                             {5, 3, 4.0},
                                             {1, 1, 1.0},
                                             {1, 40, 0.5},
                                             {40, 1, 3.1},
                                             {30, 45, 20.0}}) {
    const Image in = noise_image(height, width, 7);
    const Image out = mirrored_blur(in.view(), sigma, pyicg::kernels::gaussian_kernels());
    const auto reach = static_cast<long>(std::max(1.0, std::floor(4 * sigma + 0.5)));
    for (std::size_t y = 0; y < height; ++y) {
      for (std::size_t x = 0; x < width; ++x) {
        double sum = 0;
        double total = 0;
        for (long dy = -reach; dy <= reach; ++dy) {
          for (long dx = -reach; dx <= reach; ++dx) {
            const double weight = std::exp(-0.5 * static_cast<double>(dy * dy + dx * dx) / (sigma * sigma));
            sum += weight *
                   static_cast<double>(in(at(static_cast<long>(y) + dy, height), at(static_cast<long>(x) + dx, width)));
            total += weight;
          }
        }
        check::near(static_cast<double>(out(y, x)), sum / total, 1e-5);
      }
    }
    Image turned(height, width);
    for (std::size_t i = 0; i < in.pixels.size(); ++i) turned.pixels[in.pixels.size() - 1 - i] = in.pixels[i];
    const Image back = mirrored_blur(turned.view(), sigma, pyicg::kernels::gaussian_kernels());
    check::is_true(std::equal(out.pixels.begin(), out.pixels.end(), back.pixels.rbegin()), "the same bits when turned");
    for (const auto set : pyicg::instruction_sets()) {
      check::is_true(mirrored_blur(in.view(), sigma, pyicg::kernels::gaussian_kernels(set)) == out,
                     "the same bits on every instruction set");
    }
  }
}

// White noise of width 1 keeps 1/(2 sqrt(pi) s) of it.
void noise_left() {
  const Image out = blurred(noise_image(300, 300, 8).view(), 2);
  double mean = 0;
  double squares = 0;
  for (const float v : out.pixels) mean += static_cast<double>(v) / 90000;
  for (const float v : out.pixels) squares += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean) / 90000;
  check::near(std::sqrt(squares), 1 / (4 * std::sqrt(std::numbers::pi)), 0.005);
}

void same_bits() {
  const Image in = noise_image(19, 23, 9);
  const Image out = blurred(in.view(), 1.5);
  Image mirrored(19, 23);
  for (std::size_t y = 0; y < 19; ++y) {
    for (std::size_t x = 0; x < 23; ++x) mirrored(18 - y, 22 - x) = in(y, x);
  }
  const Image back = blurred(mirrored.view(), 1.5);
  for (std::size_t y = 0; y < 19; ++y) {
    for (std::size_t x = 0; x < 23; ++x) check::equal(back(18 - y, 22 - x), out(y, x));
  }
  const scene::BottomUp<float> stored(in);
  check::is_true(blurred(stored.view(), 1.5) == out, "the same bits from a negative row stride");
  Image place = in;
  std::vector<float> scratch(3, -1.0F);
  gaussian(place.view(), 1.5, place.view(), scratch);
  check::is_true(place == out, "the same bits in place");
}

void same_bits_on_every_instruction_set() {
  for (const auto& [height, width, sigma] :
       {std::tuple<std::size_t, std::size_t, double>{40, 77, 1.0}, {9, 130, 3.3}, {30, 7, 2.0}, {70, 65, 20.0}}) {
    const Image in = noise_image(height, width, 11);
    const Image expected = blurred(in.view(), sigma);
    for (const auto set : pyicg::instruction_sets()) {
      Image out(height, width);
      std::vector<float> scratch;
      gaussian(in.view(), sigma, out.view(), scratch, pyicg::kernels::gaussian_kernels(set));
      check::is_true(out == expected, "the same bits on every instruction set");
      gaussian(in.view(), sigma, out.view(), scratch, pyicg::kernels::gaussian_kernels(set));
      check::is_true(out == expected, "and with a scratch that was used before");
    }
  }
}

}  // namespace

int main() {
  against_definition();
  mirrored_against_definition();
  noise_left();
  same_bits();
  same_bits_on_every_instruction_set();
  return check::result();
}
