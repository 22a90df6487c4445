#include "core/detail/blurred_edge.hpp"

#include <array>
#include <cmath>
#include <numbers>

#include "check.hpp"
#include "pyicg/instruction_set.hpp"
#include "scene.hpp"

using pyicg::InstructionSet;
using pyicg::detail::blur_nodes;
using pyicg::detail::blurred_edge;
using pyicg::detail::EdgeValue;

namespace {

std::array<double, 5> falls_of(double radius, double sigma) {
  std::array<double, 5> falls{};
  for (std::size_t q = 0; q < falls.size(); ++q) {
    const double along = blur_nodes.at(q) * sigma;
    falls.at(q) = std::isinf(radius) ? 0.0 : along * along / (2 * radius);
  }
  return falls;
}

// A disc under a Gaussian, summed in strips: what the edge's model stands for.
void against_a_blurred_disc() {
  struct Case {
    double radius, sigma, tolerance;
  };
  for (const Case& c : {Case{20, 1, 1e-4}, Case{20, 4, 5e-3}, Case{10, 1.2, 1e-3}, Case{40, 2, 1e-4}}) {
    const scene::BlurredDisc disc(c.radius, c.sigma);
    for (int i = -16; i <= 16; ++i) {
      const double d = 0.25 * i * c.sigma;
      check::near(blurred_edge(d, falls_of(c.radius, c.sigma), c.sigma).level, 1 - disc(c.radius + d), c.tolerance);
    }
  }
}

// The half level of a curved edge lies sigma^2/(2 R) inside it; where it curves the other way, outside.
void half_level() {
  for (const double radius : {20.0, -20.0, 60.0}) {
    constexpr double sigma = 1.5;
    const EdgeValue at = blurred_edge(-sigma * sigma / (2 * radius), falls_of(radius, sigma), sigma);
    check::near(at.level, 0.5, 2e-3);
  }
}

void straight_edge() {
  const std::array<double, 5> none{};
  for (int i = -60; i <= 60; ++i) {
    const double d = 0.173 * i;
    check::near(blurred_edge(d, none, 1.7).level, scene::normal_cdf(d / 1.7), 1e-9);
    check::near(blurred_edge(d, none, 1.7).level + blurred_edge(-d, none, 1.7).level, 1, 1e-9);
  }
  check::equal(blurred_edge(100, none, 1).level, 1.0);
  check::equal(blurred_edge(-100, none, 1).level, 0.0);
}

// The mean over the nodes written down, with falls that hardly differ and falls that do, alike on both sides or not.
void against_the_nodes() {
  constexpr std::array<double, 5> weights{0.01125741132772068, 0.22207592200561263, 0.53333333333333333,
                                          0.22207592200561263, 0.01125741132772068};
  for (const auto& shape :
       {std::array<double, 5>{1, 0.22, 0, 0.22, 1}, {1, 0.3, 0, -0.1, -0.6}, {-1, -0.2, 0, 0.1, 0.9}}) {
    for (const double most : {0.0, 0.05, 0.2, 0.26, 0.4, 1.2}) {
      for (const double sigma : {0.7, 3.0}) {
        std::array<double, 5> falls{};
        for (std::size_t q = 0; q < falls.size(); ++q) falls.at(q) = most * sigma * shape.at(q);
        for (int i = -32; i <= 32; ++i) {
          const double d = 0.23 * i * sigma;
          if (std::fabs(d) > 7 * sigma) continue;
          EdgeValue expected{0, 0, 0};
          for (std::size_t q = 0; q < falls.size(); ++q) {
            const double v = (d + falls.at(q)) / sigma;
            const double density = weights.at(q) * std::exp(-0.5 * v * v) / std::sqrt(2 * std::numbers::pi) / sigma;
            expected.level += weights.at(q) * scene::normal_cdf(v);
            expected.position += density;
            expected.blur += density * (falls.at(q) - d) / sigma;
          }
          const EdgeValue found = blurred_edge(d, falls, sigma);
          check::near(found.level, expected.level, 3e-8);
          check::near(found.position * sigma, expected.position * sigma, 2e-7);
          check::near(found.blur * sigma, expected.blur * sigma, 2e-6);
        }
      }
    }
  }
}

// Both derivatives against differences; the falls follow sigma, as they do along a circle.
void derivatives() {
  constexpr double h = 1e-3;
  for (const double radius : {12.0, 30.0, -25.0}) {
    for (const double sigma : {0.7, 1.6, 3.0}) {
      for (int i = -20; i <= 20; ++i) {
        const double d = 0.2 * i * sigma;
        const auto at = [&](double distance, double s) { return blurred_edge(distance, falls_of(radius, s), s).level; };
        const EdgeValue value = blurred_edge(d, falls_of(radius, sigma), sigma);
        check::near(value.position, (at(d + h, sigma) - at(d - h, sigma)) / (2 * h), 3e-6);
        check::near(value.blur, (at(d, sigma + h) - at(d, sigma - h)) / (2 * h), 1e-5);
      }
    }
  }
}

}  // namespace

int main() {
  for (const InstructionSet set : pyicg::instruction_sets()) {
    pyicg::use_instruction_set(pyicg::instruction_set_name(set));
    against_a_blurred_disc();
    half_level();
    straight_edge();
    against_the_nodes();
    derivatives();
  }
  return check::result();
}
