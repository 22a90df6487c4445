#include "blurred_edge.hpp"

#include <cmath>
#include <numbers>

#include "../../kernels/rim_profile.hpp"

namespace pyicg::detail {
namespace {

std::vector<double> make_table() {
  std::vector<double> table;
  table.reserve(4 * static_cast<std::size_t>(kernels::normal_middle) + 2);
  for (int i = -kernels::normal_middle; i <= kernels::normal_middle; ++i) {
    const double u = static_cast<double>(i) / kernels::normal_per_unit;
    const bool inside = std::fabs(u) <= kernels::normal_end;
    table.push_back(inside ? std::exp(-0.5 * u * u) / std::sqrt(2 * std::numbers::pi) : 0.0);
    table.push_back(inside ? 0.5 * std::erfc(-u / std::numbers::sqrt2) : (u > 0 ? 1.0 : 0.0));
  }
  return table;
}

}  // namespace

const std::vector<double>& normal_table() {
  static const std::vector<double> table = make_table();
  return table;
}

EdgeValue blurred_edge(double distance, const std::array<double, 5>& falls, double sigma) {
  std::array<double, kernels::profile_room> level{};
  std::array<double, kernels::profile_room> position{};
  std::array<double, kernels::profile_room> blur{};
  kernels::profile_kernels().edge({normal_table().data(), falls.data(), sigma}, {0, 0, 1}, -distance, level.data(),
                                  position.data(), blur.data());
  return {level[0], position[0], blur[0]};
}

}  // namespace pyicg::detail
