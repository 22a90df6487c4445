// Who runs the shares of a call that is split over threads: the library's own threads, or a host's.
#pragma once

#include <cstddef>

namespace pyicg {

// One share of the work. It never throws.
using Task = void (*)(void* context, std::size_t index);

// Calls task(context, index) once for every index of [0, count), on whatever threads and in whatever order, and comes
// back when all of these calls have. Plain functions and pointers, so that a host written in C can hand in its pool.
struct Runner {
  void (*run)(void* host, std::size_t count, Task task, void* context) = nullptr;  // nullptr: the library's own pool
  void* host = nullptr;
};

// How many shares work is split into at most, and who runs them. The bits depend on neither.
struct Threads {
  Threads(unsigned most = 1, const Runner& host_runner = {}) : count(most), runner(host_runner) {}

  unsigned count;
  Runner runner;
};

// Runs the calls on the runner told. The library's own pool lends threads that are free; the calling one works with
// them, so that calls within calls and calls from several threads at once never wait for a thread.
void run_shares(const Runner& runner, std::size_t count, Task task, void* context);

}  // namespace pyicg
