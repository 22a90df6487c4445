// The threads that the library lends to calls which are split. They are started when first asked for and then kept: a
// new thread costs more than many a share.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>

#include "pyicg/runner.hpp"

namespace pyicg::detail {

inline constexpr std::size_t most_shares = 256;  // more than any machine gains from: a mistyped number exhausts none

class WorkerPool {
 public:
  WorkerPool() = default;
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  WorkerPool(WorkerPool&&) = delete;
  WorkerPool& operator=(WorkerPool&&) = delete;
  ~WorkerPool() { stop(); }

  // Calls task(context, index) for every index of [0, count): the calling thread does, and with it the workers that
  // have nothing else to do.
  void run(std::size_t count, Task task, void* context);

  // Ends the workers, after the shares that they have begun. From then on the caller runs everything.
  void stop();

 private:
  // A call whose shares are being taken. It lives on the caller's stack for as long as a worker knows of it.
  struct Job {
    Task task;
    void* context;
    std::size_t count;
    std::size_t places;                   // for further workers
    std::atomic<std::size_t> next{0};     // index that nobody has taken yet
    std::atomic<std::size_t> helpers{0};  // workers that are at it
    Job* older = nullptr;

    void take_shares();
  };

  void work();
  void start_workers(std::size_t wanted);
  void offer(Job& job);
  void withdraw(const Job& job);
  Job* open_job();

  std::mutex mutex_;  // of all that follows; the atomic numbers may be read without it
  std::condition_variable offered_;
  std::condition_variable left_;
  std::array<std::thread, most_shares - 1> workers_;
  std::size_t started_ = 0;
  std::size_t asleep_ = 0;
  Job* newest_ = nullptr;
  std::atomic<std::size_t> places_{0};  // of all jobs: what a worker that spins looks at
  std::atomic<bool> stopping_{false};
};

}  // namespace pyicg::detail
