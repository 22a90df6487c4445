#include "blurred_edge.hpp"

#include <cmath>
#include <numbers>

#include "../../kernels/rim_profile.hpp"

namespace pyicg::detail {
namespace {

std::vector<double> make_table() {
  std::vector<double> table;
  table.reserve(2 * kernels::normal_places);
  for (int i = 0; i < kernels::normal_places; ++i) {
    const double u = static_cast<double>(i) / kernels::normal_per_unit - kernels::normal_end;
    table.push_back(std::exp(-0.5 * u * u) / std::sqrt(2 * std::numbers::pi));
    table.push_back(0.5 * std::erfc(-u / std::numbers::sqrt2));
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
