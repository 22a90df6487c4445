// What the host of the C interface may lend: a log, and a pool of threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pyicg/pyicg.h"
#include "pyicg/runner.hpp"

namespace pyicg::capi {

// What the host's function throws ends here: nothing may come through the C interface.
class HostLog {
 public:
  explicit HostLog(const pyicg_log& log) noexcept : log_(log) {}
  void write(pyicg_log_level level, const char* message) const noexcept;

 private:
  pyicg_log log_;
};

// Holds a host's pool to its promise: every share runs exactly once, whatever the host does, so that a careless one
// costs time and no number.
class HostRunner {
 public:
  HostRunner(const pyicg_runner& runner, const HostLog& log) noexcept : runner_(runner), log_(log) {}
  // As the core takes it; valid as long as this object stays where it is.
  [[nodiscard]] Runner core() noexcept;

 private:
  void run(std::size_t count, Task task, void* context) const noexcept;

  pyicg_runner runner_;
  HostLog log_;
};

}  // namespace pyicg::capi
