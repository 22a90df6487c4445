// What the host of the C interface may lend: a log, and a pool of threads.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <mutex>

#include "core/detail/worker_pool.hpp"
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

// The shares of one call after the other, each of which is taken once. It outlives them: a pool that forgets to wait
// may come with a share of a call that has ended, and finds nothing to do, or one of the call that runs by then.
class Shares {
 public:
  void begin(std::size_t count, Task task, void* context) noexcept;
  // Whether nobody had taken it before.
  bool run(std::size_t index) noexcept;
  // Comes back when all have run.
  void end() noexcept;

 private:
  std::mutex mutex_;  // of all that follows
  std::condition_variable ended_;
  std::size_t count_ = 0;
  Task task_ = nullptr;
  void* context_ = nullptr;
  std::array<bool, detail::most_shares> taken_{};
  std::size_t done_ = 0;
};

// Holds a host's pool to its promise: every share runs exactly once, whatever the host does, so that a careless one
// costs time and no number.
class HostRunner {
 public:
  HostRunner(const pyicg_runner& runner, const HostLog& log) noexcept : runner_(runner), log_(log) {}
  // As the core takes it; valid as long as this object stays where it is.
  [[nodiscard]] Runner core() noexcept;

 private:
  void run(std::size_t count, Task task, void* context) noexcept;

  pyicg_runner runner_;
  HostLog log_;
  Shares shares_;
};

}  // namespace pyicg::capi
