#include "core/detail/ranked_pixels.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <utility>
#include <vector>

#include "check.hpp"
#include "core/detail/select.hpp"
#include "pyicg/background.hpp"
#include "scene.hpp"

using namespace pyicg;
using detail::RankedPixels;
using detail::Ranks;
using scene::Image;
using scene::Mask;

namespace {

std::vector<float> usable(const Image& image, const Mask& mask) {
  std::vector<float> values;
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    if ((mask.pixels[i] & mask_left_out) == 0) values.push_back(image.pixels[i]);
  }
  std::sort(values.begin(), values.end());
  return values;
}

// Against sorted copies, to the bit, for all pixels and for some of their ranks.
void against_sorting(const Image& image, const Mask& mask, unsigned threads) {
  const std::vector<float> sorted = usable(image, mask);
  const auto pixels = std::make_unique<RankedPixels>();
  const detail::UsablePixels rows(scene::frame(image, mask));
  pixels->count(rows, sorted.size(), threads);
  const std::size_t n = sorted.size();
  for (const Ranks& ranks : {Ranks{0, n}, {n / 10, n}, {n / 7, n - n / 5}, {n / 3, n / 3 + 1}, {0, n - n / 3}}) {
    if (ranks.size() == 0) continue;
    const auto at = [&](std::size_t i) { return sorted.begin() + static_cast<std::ptrdiff_t>(i); };
    std::vector<float> some(at(ranks.first), at(ranks.last));
    for (const double q : {0.0, 0.05, 0.25, 0.5, 0.9, 1.0}) {
      double found = 0;
      pixels->exactly(threads, [&] { found = pixels->quantile(ranks, q); });
      std::vector<float> copy = some;
      check::equal(found, detail::quantile(copy, q));
    }
    for (const float centre : {sorted[n / 2], sorted[n / 4], sorted[ranks.first], sorted[ranks.last - 1]}) {
      std::pair<double, double> found;
      const auto distance = [](float v, double from) { return std::fabs(static_cast<double>(v) - from); };
      pixels->exactly(threads, [&] { found = pixels->middle_distances(ranks, static_cast<double>(centre), distance); });
      std::vector<double> distances(some.size());
      std::transform(some.begin(), some.end(), distances.begin(),
                     [&](float v) { return distance(v, static_cast<double>(centre)); });
      std::sort(distances.begin(), distances.end());
      check::equal(found.first, distances[(distances.size() - 1) / 2]);
      check::equal(found.second, distances[distances.size() / 2]);
    }
  }
  for (const std::size_t rank : {std::size_t{0}, n / 5, n / 2, n - 1}) {
    const auto limit = static_cast<double>(sorted[rank]);
    const auto before = [&](float v) { return static_cast<double>(v) < limit; };
    std::size_t found = 0;
    pixels->exactly(threads, [&] { found = pixels->count_before(limit, 1e-9 * std::fabs(limit), before); });
    check::equal(found, static_cast<std::size_t>(std::count_if(sorted.begin(), sorted.end(), before)));
  }
}

// Clipped at 3 sigma until nothing changes, on a copy of the values.
void clipped_median(const Image& image, const Mask& mask) {
  std::vector<float> values = usable(image, mask);
  double level = 0;
  double sigma = 0;
  for (std::size_t before = 0; before != values.size();) {
    before = values.size();
    level = detail::median(values);
    std::vector<float> distances = values;
    for (float& v : distances) v = std::fabs(v - static_cast<float>(level));
    sigma = 1.4826022185056018 * detail::median(distances);
    if (sigma == 0) break;
    std::erase_if(values, [&](float v) { return std::fabs(static_cast<double>(v) - level) > 3 * sigma; });
  }
  BackgroundOptions o;
  o.policy = BackgroundPolicy::median;
  BackgroundWorkspace ws;
  const Background found = estimate_background(scene::frame(image, mask), o, ws);
  check::equal(found.level, level);
  check::equal(found.sigma, sigma);
  check::equal(found.n_pixels, values.size());
}

void all(const Image& image, const Mask& mask) {
  against_sorting(image, mask, 1);
  against_sorting(image, mask, 3);
  clipped_median(image, mask);
}

void scenes() {
  scene::Normal random(4);
  Mask mask(150, 211);
  for (auto& bits : mask.pixels) {
    const double u = random.uniform();
    if (u < 0.05) bits = u < 0.02 ? mask_bad : mask_repaired;
  }
  Image image = scene::noise(150, 211, 400, 5, 1);
  all(image, mask);
  for (float& v : image.pixels) v = std::round(v);  // whole counts
  all(image, mask);
  image = scene::noise(150, 211, 400, 5, 2);
  for (std::size_t i = 0; i < 9000; ++i) image.pixels[i] *= 10;  // a lesion
  all(image, mask);
  for (std::size_t i = 9000; i < 22000; ++i) image.pixels[i] *= 0.1F;  // two thirds are not of the middle
  all(image, mask);
  for (float& v : image.pixels) v = static_cast<float>(std::exp(8 * random()));  // no scale
  all(image, mask);
  for (float& v : image.pixels) v = static_cast<float>(random() * 1e-3);  // around zero
  all(image, mask);
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) image.pixels[i] = 7;  // many equal
  all(image, mask);
  all(Image(150, 211, 3.25F), mask);
  image = scene::noise(150, 211, 1e7, 0.6, 3);  // hardly more than one float apart
  all(image, mask);
  for (const std::size_t width : {16U, 17U, 31U}) all(scene::noise(1, width, 5, 1, 9), Mask(1, width));
}

}  // namespace

int main() {
  scenes();
  return check::result();
}
