// Faster ends of iterations x -> g(x).
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace pyicg::detail {

// Anderson's mixing (J. ACM 12 (1965) 547; Walker and Ni, SIAM J. Numer. Anal. 49 (2011) 1715): of the last steps the
// combination is taken whose rests g - x cancel best. A slow way in one or two directions is done in a step or two.
class AndersonMixing {
 public:
  // Another iteration; the memory is kept.
  void begin() { count_ = 0; }

  // A step led from x to g; g becomes where the next one begins. Weights say which rests matter: those of the first
  // values, one each.
  void mix(std::span<const double> x, std::span<double> g, std::span<const double> weights);

 private:
  static constexpr std::size_t depth = 2;  // steps that are looked back
  struct Step {
    std::vector<double> end, rest;
  };
  std::array<Step, depth + 1> steps_;  // in turn
  std::size_t count_ = 0;
};

}  // namespace pyicg::detail
