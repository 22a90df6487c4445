#include "host.hpp"

#include <array>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <utility>

#include "core/detail/worker_pool.hpp"

namespace pyicg::capi {
namespace {

// The shares of one call, each of which is taken once. Whoever ends one says so under the lock, so that the call may
// end, and this object with it, as soon as the last one has.
class Shares {
 public:
  Shares(std::size_t count, Task task, void* context) noexcept : count_(count), task_(task), context_(context) {}

  // Whether nobody had taken it before.
  bool run(std::size_t index) noexcept {
    if (!take(index)) return false;
    task_(context_, index);
    const std::scoped_lock lock(mutex_);
    ++done_;
    ended_.notify_all();
    return true;
  }

  void wait() noexcept {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return done_ == count_; });
  }

 private:
  bool take(std::size_t index) noexcept {
    const std::scoped_lock lock(mutex_);
    return index < count_ && !std::exchange(taken_.at(index), true);
  }

  std::size_t count_;
  Task task_;
  void* context_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::array<bool, detail::most_shares> taken_{};
  std::size_t done_ = 0;
};

}  // namespace

void HostLog::write(pyicg_log_level level, const char* message) const noexcept {
  if (log_.write == nullptr) return;
  try {
    log_.write(log_.user, level, message);
  } catch (...) {  // NOLINT(bugprone-empty-catch): a host's log that fails must not fail the call
  }
}

Runner HostRunner::core() noexcept {
  if (runner_.run == nullptr) return {};
  return {[](void* self, std::size_t count, Task task, void* context) {
            static_cast<const HostRunner*>(self)->run(count, task, context);
          },
          this};
}

void HostRunner::run(std::size_t count, Task task, void* context) const noexcept {
  Shares shares(count, task, context);
  try {
    runner_.run(
        runner_.host, count, [](void* of, std::size_t index) { static_cast<Shares*>(of)->run(index); }, &shares);
  } catch (...) {
    log_.write(PYICG_LOG_WARNING, "the host's runner threw an exception");
  }
  std::size_t left = 0;
  for (std::size_t index = 0; index < count; ++index) left += shares.run(index) ? 1 : 0;
  shares.wait();
  if (left > 0) log_.write(PYICG_LOG_WARNING, "the host's runner left shares undone: they ran on the calling thread");
}

}  // namespace pyicg::capi
