#include "worker_pool.hpp"

#include <algorithm>
#include <system_error>

#include "float_environment.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <csignal>
#endif

namespace pyicg::detail {
namespace {

constexpr int spins = 1000;  // some 20 us: about what it costs to fall asleep and be woken

// Waits a moment as the processor likes it in a loop that does nothing.
void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#else
  std::this_thread::yield();
#endif
}

// Whether the condition came true in time.
template <class Condition>
bool spin_until(const Condition& condition) {
  for (int k = 0; k < spins; ++k) {
    if (condition()) return true;
    relax();
  }
  return false;
}

// Signals are the host's: its threads keep getting them, those started here do not.
class SignalsBlocked {
 public:
#if defined(__unix__) || defined(__APPLE__)
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
#else
  SignalsBlocked() = default;
  ~SignalsBlocked() = default;
#endif
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  SignalsBlocked(SignalsBlocked&&) = delete;
  SignalsBlocked& operator=(SignalsBlocked&&) = delete;

 private:
#if defined(__unix__) || defined(__APPLE__)
  sigset_t before_{};
#endif
};

}  // namespace

void WorkerPool::Job::take_shares() {
  for (std::size_t k = next.fetch_add(1); k < count; k = next.fetch_add(1)) task(context, k);
}

void WorkerPool::run(std::size_t count, Task task, void* context) {
  if (count == 0) return;
  Job job{task, context, count, std::min(count, most_shares) - 1};
  if (job.places > 0) offer(job);
  job.take_shares();
  if (count == 1) return;
  withdraw(job);
  const auto all_left = [&] { return job.helpers.load() == 0; };
  spin_until(all_left);
  std::unique_lock lock(mutex_);  // taken in any case: the last helper lets go of the job with it
  left_.wait(lock, all_left);
}

void WorkerPool::offer(Job& job) {
  std::size_t sleepers = 0;
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_) return;
    start_workers(job.places);
    job.older = newest_;
    newest_ = &job;
    places_ += job.places;
    sleepers = std::min(asleep_, job.places);
  }
  for (; sleepers > 0; --sleepers) offered_.notify_one();
}

void WorkerPool::withdraw(const Job& job) {
  const std::scoped_lock lock(mutex_);
  for (Job** at = &newest_; *at != nullptr; at = &(*at)->older) {
    if (*at != &job) continue;
    *at = job.older;
    places_ -= job.places;
    return;
  }
}

// With the mutex held.
void WorkerPool::start_workers(std::size_t wanted) {
  if (started_ >= wanted) return;
  const SignalsBlocked blocked;
  try {
    while (started_ < wanted) {
      workers_.at(started_) = std::thread([this] { work(); });
      ++started_;
    }
  } catch (const std::system_error&) {
    // The machine gives no more threads: those that there are, the caller among them, do it all.
    return;
  }
}

// The latest job that takes a further worker; calls within calls hold up the others. With the mutex held.
WorkerPool::Job* WorkerPool::open_job() {
  Job* job = newest_;
  while (job != nullptr && job->places == 0) job = job->older;
  return job;
}

void WorkerPool::work() {
  const FloatEnvironment usual;  // not that of the thread which started this one
  for (;;) {
    const auto called = [&] { return places_.load() > 0 || stopping_.load(); };
    const bool in_time = spin_until(called);
    std::unique_lock lock(mutex_);
    if (in_time && !called()) continue;  // the caller did it all by itself: the next call may be near
    ++asleep_;
    offered_.wait(lock, called);
    --asleep_;
    if (stopping_) return;
    Job& job = *open_job();
    --job.places;
    --places_;
    ++job.helpers;
    lock.unlock();
    job.take_shares();
    lock.lock();
    if (--job.helpers == 0) left_.notify_all();
  }
}

void WorkerPool::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  offered_.notify_all();
  for (std::size_t k = 0; k < started_; ++k) {
    if (workers_.at(k).joinable()) workers_.at(k).join();
  }
}

}  // namespace pyicg::detail
