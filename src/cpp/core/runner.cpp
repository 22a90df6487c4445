#include "pyicg/runner.hpp"

#include <array>
#include <cstddef>
#include <new>

#include "detail/worker_pool.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace pyicg {
namespace {

using detail::WorkerPool;

// The one pool of the process. It is never destroyed, since threads of the host may call while the process ends or
// right after a fork; its workers are joined when the library is unloaded or the process ends.
class ProcessPool {
 public:
  ProcessPool() noexcept {
    renew();
#if defined(__unix__) || defined(__APPLE__)
    pthread_atfork(nullptr, nullptr, renew);
#endif
  }
  ProcessPool(const ProcessPool&) = delete;
  ProcessPool& operator=(const ProcessPool&) = delete;
  ProcessPool(ProcessPool&&) = delete;
  ProcessPool& operator=(ProcessPool&&) = delete;
  ~ProcessPool() { pool().stop(); }

  static WorkerPool& pool() { return *std::launder(reinterpret_cast<WorkerPool*>(memory_.data())); }

 private:
  // A forked child has none of the workers, and locks that nobody will open: it begins anew in the same place.
  static void renew() { new (memory_.data()) WorkerPool; }

  alignas(WorkerPool) static std::array<std::byte, sizeof(WorkerPool)> memory_;
};

alignas(WorkerPool) std::array<std::byte, sizeof(WorkerPool)> ProcessPool::memory_;

const ProcessPool process_pool;

}  // namespace

void run_shares(const Runner& runner, std::size_t count, Task task, void* context) {
  if (runner.run != nullptr) {
    runner.run(runner.host, count, task, context);
  } else {
    ProcessPool::pool().run(count, task, context);
  }
}

}  // namespace pyicg
