#include "kernels/rim_profile.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "check.hpp"
#include "core/detail/blurred_edge.hpp"
#include "core/detail/profile_equations.hpp"
#include "pyicg/instruction_set.hpp"
#include "scene.hpp"

using pyicg::InstructionSet;
using pyicg::detail::average;
using pyicg::detail::blurred_edge;
using pyicg::detail::eliminate;
using pyicg::detail::Equations;
using pyicg::detail::normal_table;
using pyicg::kernels::profile_kernels;
using pyicg::kernels::profile_room;
using pyicg::kernels::RimProfile;

namespace {

using Falls = std::array<double, 5>;

// The model written down place by place.
Equations direct(const RimProfile& p, const Falls& own_falls, const Falls& beyond_falls) {
  Equations sums;
  for (std::size_t i = 0; i < p.places.n; ++i) {
    if (std::isnan(p.signals[i])) continue;
    const double t = p.places.step * (p.places.first + static_cast<int>(i));
    const auto own = blurred_edge(t, own_falls, p.own.sigma);
    auto beyond = blurred_edge(t - p.beyond_at, beyond_falls, p.own.sigma);
    if (p.alone) beyond = {0, 0, 0};
    const auto& inner = p.inner ? own : beyond;
    const auto& outer = p.inner ? beyond : own;
    const double inner_step = p.rim - p.core;
    const double outer_step = p.outside - p.rim;
    std::array<double, Equations::columns> f{};
    f[Equations::core] = 1 - inner.level;
    f[Equations::rim] = inner.level - outer.level;
    f[Equations::outside] = outer.level;
    f[Equations::beyond] = -(p.inner ? outer_step : inner_step) * beyond.position;
    f[Equations::place] = -(p.inner ? inner_step : outer_step) * own.position;
    const double ramp =
        t * f[Equations::rim] + p.own.sigma * p.own.sigma * (inner.position - outer.position);  // blurred
    f[Equations::slope] = (p.inner ? inner_step : -outer_step) * ramp;
    f[Equations::blur] = inner_step * inner.blur + outer_step * outer.blur;
    f[Equations::rest] = p.signals[i] - p.core * f[Equations::core] - p.rim * f[Equations::rim] -
                         p.outside * f[Equations::outside] - p.tilt * f[Equations::slope];
    for (std::size_t a = 0; a < f.size(); ++a) {
      for (std::size_t b = 0; b < f.size(); ++b) sums(a, b) += f.at(a) * f.at(b);
    }
  }
  return sums;
}

struct Found {
  std::vector<Equations> sums;
  std::vector<std::size_t> counts;
};

// Profiles of all lengths, of both boundaries, with and without the other one and with signals that are not there.
Found profiles() {
  Found found;
  scene::Normal normal(3);
  for (std::size_t n = 1; n < 70; ++n) {
    const double sigma = 0.7 + 0.05 * static_cast<double>(n);
    const double inside = n % 3 == 0 ? -1 : 1;
    Falls own_falls{};
    Falls beyond_falls{};
    for (std::size_t q = 0; q < own_falls.size(); ++q) {
      own_falls.at(q) = std::pow(pyicg::detail::blur_nodes.at(q) * sigma, 2) / 40;
      beyond_falls.at(q) = inside * own_falls.at(q) * 0.6;
    }
    std::vector<double> signals(n + profile_room);
    for (std::size_t i = 0; i < n; ++i) {
      signals[i] = i % 7 == 5 && n % 2 == 0 ? std::numeric_limits<double>::quiet_NaN() : 100 + 20 * normal();
    }
    const bool inner = n % 4 < 2;
    const RimProfile profile{{0.25 * sigma, -static_cast<int>(n / 2), n},
                             signals.data(),
                             {normal_table().data(), own_falls.data(), sigma},
                             {normal_table().data(), beyond_falls.data(), sigma},
                             n % 5 == 4,
                             inner ? 3 * sigma : -3 * sigma,
                             inner,
                             40,
                             160,
                             70,
                             0.02};
    std::vector<double> rows((n + profile_room) * Equations::columns);
    Equations sums;
    const std::size_t count = profile_kernels().products(profile, rows.data(), sums.sums.data());
    found.sums.push_back(sums);
    found.counts.push_back(count);
    check::equal(count, static_cast<std::size_t>(std::count_if(signals.begin(), signals.begin() + static_cast<long>(n),
                                                               [](double v) { return !std::isnan(v); })));
    const Equations expected = direct(profile, own_falls, beyond_falls);
    for (std::size_t a = 0; a < Equations::columns; ++a) {
      for (std::size_t b = 0; b < Equations::columns; ++b) {
        const double scale = std::sqrt(expected(a, a) * expected(b, b));
        check::near(sums(a, b), expected(a, b), 1e-11 * scale + 1e-300);
        check::equal(sums(a, b), sums(b, a));
      }
    }
  }
  return found;
}

// Two boxes around the circle, summed ray by ray.
std::vector<Equations> boxes(const std::vector<Equations>& equations) {
  std::vector<Equations> scratch;
  std::vector<Equations> means;
  average(equations, 3, scratch, means);
  const std::size_t n = equations.size();
  constexpr std::size_t m = 3;  // 0.5 (sqrt(6 * 9 + 1) - 1), rounded
  std::vector<Equations> from = equations;
  std::vector<Equations> to(n);
  for (int pass = 0; pass < 2; ++pass) {
    for (std::size_t k = 0; k < n; ++k) {
      to[k] = {};
      for (std::size_t d = 0; d <= 2 * m; ++d) {
        for (std::size_t i = 0; i < to[k].sums.size(); ++i) {
          to[k].sums.at(i) += from[(k + n - m + d) % n].sums.at(i) * (1.0 / (2 * m + 1));
        }
      }
    }
    std::swap(from, to);
  }
  for (std::size_t k = 0; k < n; ++k) check::is_true(means[k].sums == from[k].sums, "the mean over the boxes");
  return means;
}

// What elimination leaves are the equations that hold once the others' unknowns have their best values.
void elimination() {
  Equations e;
  scene::Normal normal(9);
  for (int i = 0; i < 40; ++i) {
    std::array<double, Equations::columns> f{};
    for (double& v : f) v = normal();
    for (std::size_t a = 0; a < f.size(); ++a) {
      for (std::size_t b = 0; b < f.size(); ++b) e(a, b) += f.at(a) * f.at(b);
    }
  }
  Equations left = e;
  eliminate(left, 0, Equations::rest);
  std::array<double, Equations::rest> x{};
  for (std::size_t i = x.size(); i-- > 0;) {
    double value = left(i, Equations::rest);
    for (std::size_t j = i + 1; j < x.size(); ++j) value -= left(i, j) * x.at(j);
    x.at(i) = value / left(i, i);
  }
  for (std::size_t a = 0; a < x.size(); ++a) {
    double sum = 0;
    for (std::size_t b = 0; b < x.size(); ++b) sum += e(a, b) * x.at(b);
    check::near(sum, e(a, Equations::rest), 1e-11 * e(a, a));
  }
}

}  // namespace

int main() {
  Found first;
  std::vector<Equations> first_means;
  for (const InstructionSet set : pyicg::instruction_sets()) {
    pyicg::use_instruction_set(pyicg::instruction_set_name(set));
    const Found found = profiles();
    const std::vector<Equations> means = boxes(found.sums);
    if (set == InstructionSet::baseline) {
      first = found;
      first_means = means;
    }
    check::is_true(found.counts == first.counts, "the same counts");
    for (std::size_t k = 0; k < found.sums.size(); ++k) {
      check::is_true(found.sums[k].sums == first.sums[k].sums, "the same bits from each instruction set");
      check::is_true(means[k].sums == first_means[k].sums, "the same bits from each instruction set");
    }
  }
  elimination();
  return check::result();
}
