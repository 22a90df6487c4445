// The floating-point environment that numbers are made in: round to nearest, no traps, no flush to zero.
#pragma once

#include <cfenv>

namespace pyicg::detail {

// Sets it for as long as this lives, whatever the host's is; that one, with its flags, is given back.
class FloatEnvironment {
 public:
  FloatEnvironment() noexcept {
    std::fegetenv(&host_);
    std::fesetenv(FE_DFL_ENV);
  }
  FloatEnvironment(const FloatEnvironment&) = delete;
  FloatEnvironment& operator=(const FloatEnvironment&) = delete;
  FloatEnvironment(FloatEnvironment&&) = delete;
  FloatEnvironment& operator=(FloatEnvironment&&) = delete;
  ~FloatEnvironment() { std::fesetenv(&host_); }

 private:
  std::fenv_t host_{};
};

}  // namespace pyicg::detail
