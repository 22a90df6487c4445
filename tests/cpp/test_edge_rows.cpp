#include "kernels/edge_rows.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "check.hpp"
#include "scene.hpp"

using pyicg::InstructionSet;
using namespace pyicg::kernels;

namespace {

constexpr std::size_t height = 60;
constexpr std::size_t width = 70;

template <class Work>
void each_set(const Work& work) {
  for (const InstructionSet set : pyicg::instruction_sets()) work(edge_kernels(set));
}

// Marks along a ray, place by place.
void places_on_a_ray() {
  scene::Normal normal(1);
  std::vector<std::uint8_t> marked(height * width);
  for (std::uint8_t& m : marked) m = normal.uniform() < 0.3 ? 1 : 0;
  each_set([&](const EdgeKernels& kernels) {
    for (int round = 0; round < 200; ++round) {
      const double angle = 6.3 * normal.uniform();
      const EdgeLine ray{20 + 10 * normal.uniform(), 30 + 10 * normal.uniform(), std::sin(angle), std::cos(angle)};
      const std::size_t first = round % 3 == 0 ? 7 : 2;
      const auto n = static_cast<std::size_t>(1 + 30 * normal.uniform());
      RayPlaces places{};
      const std::uint64_t found = kernels.look(marked.data(), width, ray, first, n, &places);
      std::uint64_t expected = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const double r = 0.5 * static_cast<double>(first + i);
        const double from_top = ray.y + r * ray.dy + 0.5;
        const double from_left = ray.x + r * ray.dx + 0.5;
        const auto y = static_cast<std::size_t>(from_top);
        const auto x = static_cast<std::size_t>(from_left);
        check::equal(static_cast<std::size_t>(places.rows[i]), y);
        check::equal(static_cast<std::size_t>(places.columns[i]), x);
        expected |= std::uint64_t{marked[y * width + x]} << i;
      }
      check::equal(found, expected);
    }
  });
}

void fits_of_radii() {
  scene::Normal normal(2);
  std::vector<double> radii(radii_block);
  for (double& r : radii) r = 2 * normal.uniform();
  const std::vector<double> edges{0.4, 1.1, 1.9};
  each_set([&](const EdgeKernels& kernels) {
    for (std::size_t n = 0; n <= edges.size(); ++n) {
      std::vector<double> sums(radii_block, 0.25);
      kernels.add_fits(edges.data(), n, radii.data(), 1.9, sums.data());
      for (std::size_t k = 0; k < radii_block; ++k) {
        double best = 0;
        for (std::size_t e = 0; e < n; ++e) best = std::max(best, 1 - std::fabs(edges[e] - radii[k]) * 1.9);
        check::equal(sums[k], 0.25 + best);
      }
    }
  });
}

void votes_on_a_line() {
  scene::Normal normal(3);
  each_set([&](const EdgeKernels& kernels) {
    for (std::size_t n = 1; n <= 2 * votes_at_once; ++n) {
      const double angle = 6.3 * normal.uniform();
      const EdgeLine line{30.5, 35.5, std::sin(angle), std::cos(angle)};
      std::vector<double> distances(2 * votes_at_once);
      std::vector<float> weights(n);
      for (std::size_t k = 0; k < distances.size(); ++k) distances[k] = 3.3 + static_cast<double>(k);
      for (float& w : weights) w = static_cast<float>(normal.uniform());
      std::vector<float> votes(height * width / 4, 0.5F);
      std::vector<float> expected = votes;
      kernels.vote(line, distances.data(), weights.data(), n, width / 2, votes.data());
      for (std::size_t k = 0; k < n; ++k) {
        const auto y = static_cast<std::size_t>(0.5 * (line.y + distances[k] * line.dy));
        const auto x = static_cast<std::size_t>(0.5 * (line.x + distances[k] * line.dx));
        expected[y * (width / 2) + x] += weights[k];
      }
      check::is_true(votes == expected, "the same votes");
    }
  });
}

}  // namespace

int main() {
  places_on_a_ray();
  fits_of_radii();
  votes_on_a_line();
  return check::result();
}
