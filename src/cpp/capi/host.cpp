#include "host.hpp"

#include <cstddef>
#include <mutex>
#include <utility>

#include "core/detail/float_environment.hpp"

namespace pyicg::capi {

void Shares::begin(std::size_t count, Task task, void* context) noexcept {
  const std::scoped_lock lock(mutex_);
  count_ = count;
  task_ = task;
  context_ = context;
  taken_.fill(false);
  done_ = 0;
}

bool Shares::run(std::size_t index) noexcept {
  std::unique_lock lock(mutex_);
  if (index >= count_ || std::exchange(taken_.at(index), true)) return false;
  const Task task = task_;
  void* const context = context_;
  lock.unlock();
  {
    const detail::FloatEnvironment usual;  // the thread is the host's
    task(context, index);
  }
  lock.lock();
  ++done_;
  ended_.notify_all();
  return true;
}

void Shares::end() noexcept {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return done_ == count_; });
  count_ = done_ = 0;
}

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
            static_cast<HostRunner*>(self)->run(count, task, context);
          },
          this};
}

void HostRunner::run(std::size_t count, Task task, void* context) noexcept {
  shares_.begin(count, task, context);
  try {
    runner_.run(
        runner_.host, count, [](void* of, std::size_t index) { static_cast<Shares*>(of)->run(index); }, &shares_);
  } catch (...) {
    log_.write(PYICG_LOG_WARNING, "the host's runner threw an exception");
  }
  std::size_t left = 0;
  for (std::size_t index = 0; index < count; ++index) left += shares_.run(index) ? 1 : 0;
  shares_.end();
  if (left > 0) log_.write(PYICG_LOG_WARNING, "the host's runner left shares undone: they ran on the calling thread");
}

}  // namespace pyicg::capi
