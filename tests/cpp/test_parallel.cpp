#include "core/detail/parallel.hpp"

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#endif

#include "check.hpp"

using namespace pyicg::detail;
using pyicg::Runner;
using pyicg::Task;
using pyicg::Threads;

namespace {

void ranges_cover_each_index_once() {
  for (const std::size_t count : {0, 1, 5, 1000}) {
    for (const unsigned threads : {0U, 1U, 2U, 7U, 100'000U}) {
      std::vector<std::atomic<int>> calls(count);
      parallel_ranges(count, threads, [&](std::size_t first, std::size_t last) {
        for (std::size_t k = first; k < last; ++k) ++calls[k];
      });
      for (const auto& c : calls) check::equal(c.load(), 1);
    }
  }
}

void pieces_cover_each_index_once() {
  for (const std::size_t count : {0, 1, 5, 1000}) {
    for (const std::size_t piece : {1, 3, 5000}) {
      for (const unsigned threads : {0U, 1U, 2U, 7U}) {
        std::vector<std::atomic<int>> calls(count);
        parallel_pieces(count, piece, threads, [&](const auto& next) {
          for (std::size_t first = 0, last = 0; next(first, last);) {
            check::is_true(last - first == piece || last == count, "whole pieces but the last");
            for (std::size_t k = first; k < last; ++k) ++calls[k];
          }
        });
        for (const auto& c : calls) check::equal(c.load(), 1);
      }
    }
  }
}

// Whichever thread fails, the caller's own among them, the others end first and the caller hears of it.
void errors_reach_the_caller() {
  constexpr std::size_t count = 3;
  for (std::size_t bad = 0; bad < count; ++bad) {
    std::atomic<int> ended{0};
    std::string heard;
    try {
      parallel_ranges(count, count, [&](std::size_t first, std::size_t) {
        if (first == bad) throw std::runtime_error("share " + std::to_string(first));
        ++ended;
      });
    } catch (const std::runtime_error& error) {
      heard = error.what();
    }
    check::is_true(heard == "share " + std::to_string(bad), "the worker's own error");
    check::equal(ended.load(), 2);
  }
}

// Waits for so many threads to be in the same call at once; false when they do not come.
bool all_here(std::atomic<int>& here, int expected) {
  ++here;
  for (int k = 0; k < 5000 && here.load() < expected; ++k) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return here.load() >= expected;
}

std::size_t sum_in_parallel(std::size_t count, const Threads& threads) {
  std::atomic<std::size_t> sum{0};
  parallel_ranges(count, threads, [&](std::size_t first, std::size_t last) {
    for (std::size_t k = first; k < last; ++k) sum += k;
  });
  return sum;
}

void shares_run_at_the_same_time() {
  constexpr int threads = 5;
  std::atomic<int> here{0};
  std::atomic<int> together{0};
  parallel_ranges(threads, threads, [&](std::size_t, std::size_t) { together += all_here(here, threads) ? 1 : 0; });
  check::equal(together.load(), threads);
}

// Threads are kept: later calls find those of the first.
void workers_are_used_again() {
  WorkerPool pool;
  struct Context {
    std::mutex mutex;
    std::set<std::thread::id> seen;
    std::atomic<int> here{0};
  } context;
  for (int call = 0; call < 20; ++call) {
    context.here = 0;
    const auto note = [](void* c, std::size_t) {
      auto& in = *static_cast<Context*>(c);
      all_here(in.here, 3);
      const std::scoped_lock lock(in.mutex);
      in.seen.insert(std::this_thread::get_id());
    };
    pool.run(3, note, &context);
  }
  check::equal(context.seen.size(), std::size_t{3});
}

void calls_within_calls() {
  std::atomic<std::size_t> sum{0};
  parallel_ranges(6, 6, [&](std::size_t, std::size_t) {
    parallel_ranges(7, 3, [&](std::size_t first, std::size_t last) {
      for (std::size_t k = first; k < last; ++k) sum += sum_in_parallel(10, 4);
    });
  });
  check::equal(sum.load(), std::size_t{6 * 7 * 45});
}

void calls_from_many_threads() {
  constexpr int callers = 6;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < callers; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t call = 0; call < 300; ++call) {
        const std::size_t n = 1 + call % 50;
        if (sum_in_parallel(n, static_cast<unsigned>(1 + t)) != n * (n - 1) / 2) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  check::equal(wrong.load(), 0);
}

void errors_within_calls_within_calls() {
  std::string heard;
  try {
    parallel_ranges(4, 4, [](std::size_t outer, std::size_t) {
      parallel_ranges(4, 4, [&](std::size_t inner, std::size_t) {
        if (inner >= 2) throw std::runtime_error(std::to_string(outer) + "." + std::to_string(inner));
      });
    });
  } catch (const std::runtime_error& error) {
    heard = error.what();
  }
  check::is_true(heard == "0.2", "that of the first share of the first share");
}

// A host that runs everything itself, and counts.
void the_hosts_own_runner() {
  struct Host {
    std::size_t calls = 0;
    std::size_t shares = 0;
  } host;
  const Runner runner{[](void* self, std::size_t count, Task task, void* context) {
                        ++static_cast<Host*>(self)->calls;
                        static_cast<Host*>(self)->shares += count;
                        for (std::size_t k = count; k > 0; --k) task(context, k - 1);
                      },
                      &host};
  check::equal(sum_in_parallel(100, {7, runner}), std::size_t{4950});
  check::equal(host.calls, std::size_t{1});
  check::equal(host.shares, std::size_t{7});
  check::equal(sum_in_parallel(100, {1, runner}), std::size_t{4950});
  check::equal(host.calls, std::size_t{1});
  std::string heard;
  try {
    parallel_ranges(3, {3, runner}, [](std::size_t first, std::size_t) {
      if (first > 0) throw std::runtime_error(std::to_string(first));
    });
  } catch (const std::runtime_error& error) {
    heard = error.what();
  }
  check::is_true(heard == "1", "an error through the host's runner");
}

void a_stopped_pool_leaves_the_work_to_the_caller() {
  WorkerPool pool;
  struct Context {
    std::thread::id caller = std::this_thread::get_id();
    std::atomic<int> own{0};
    std::atomic<int> all{0};
  } context;
  const auto count = [](void* c, std::size_t) {
    auto& in = *static_cast<Context*>(c);
    ++in.all;
    if (std::this_thread::get_id() == in.caller) ++in.own;
  };
  pool.run(8, count, &context);
  check::equal(context.all.load(), 8);
  pool.stop();
  context.own = 0;
  pool.run(8, count, &context);
  check::equal(context.own.load(), 8);
  pool.stop();
}

#if defined(__unix__) || defined(__APPLE__)
// The exit code of a child that runs `work`; it is killed when it hangs.
template <class Work>
int in_a_child(const Work& work) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    _exit(work());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int works_in_parallel() {
  std::atomic<int> here{0};
  std::atomic<int> together{0};
  parallel_ranges(3, 3, [&](std::size_t, std::size_t) { together += all_here(here, 3) ? 1 : 0; });
  return together == 3 && sum_in_parallel(1000, 4) == 499'500 ? 0 : 1;
}

// A child has none of its parent's threads, and makes its own; grandchildren too.
void forked_children_make_their_own_threads() {
  check::equal(sum_in_parallel(1000, 4), std::size_t{499'500});
  check::equal(in_a_child(works_in_parallel), 0);
  check::equal(in_a_child([] { return works_in_parallel() + in_a_child(works_in_parallel); }), 0);
  check::equal(sum_in_parallel(1000, 4), std::size_t{499'500});
}

void a_fork_while_others_use_the_pool() {
  std::atomic<bool> enough{false};
  std::vector<std::thread> users;
  for (int t = 0; t < 3; ++t) {
    users.emplace_back([&] {
      while (!enough) sum_in_parallel(64, 4);
    });
  }
  for (int k = 0; k < 20; ++k) check::equal(in_a_child(works_in_parallel), 0);
  enough = true;
  for (std::thread& user : users) user.join();
}

void signals_are_left_to_the_host() {
  std::atomic<int> here{0};
  std::atomic<int> open{0};
  parallel_ranges(3, 3, [&](std::size_t, std::size_t) {
    all_here(here, 3);
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    open += sigismember(&blocked, SIGINT) == 0 ? 1 : 0;
  });
  check::equal(open.load(), 1);  // the caller's own
}

// A plug-in with a pool of its own is unloaded: its threads end before their code goes.
void a_library_is_unloaded() {
  for (int k = 0; k < 3; ++k) {
    void* const library = dlopen(PYICG_TEST_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    check::is_true(library != nullptr, "the plug-in");
    if (library == nullptr) return;
    const auto sum = reinterpret_cast<std::size_t (*)(std::size_t)>(dlsym(library, "sum_in_plugin"));
    check::equal(sum(100), std::size_t{4950});
    check::equal(dlclose(library), 0);
    check::is_true(dlopen(PYICG_TEST_PLUGIN, RTLD_NOW | RTLD_NOLOAD) == nullptr, "no plug-in in memory");
    check::equal(in_a_child(works_in_parallel), 0);
  }
}
#endif

}  // namespace

#if defined(__SANITIZE_THREAD__)
// Children of a process with threads may start threads of their own.
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_options() { return "die_after_fork=0"; }
#endif

int main() {
  ranges_cover_each_index_once();
  pieces_cover_each_index_once();
  errors_reach_the_caller();
  shares_run_at_the_same_time();
  workers_are_used_again();
  calls_within_calls();
  calls_from_many_threads();
  errors_within_calls_within_calls();
  the_hosts_own_runner();
  a_stopped_pool_leaves_the_work_to_the_caller();
#if defined(__unix__) || defined(__APPLE__)
  forked_children_make_their_own_threads();
  a_fork_while_others_use_the_pool();
  signals_are_left_to_the_host();
  a_library_is_unloaded();
#endif
  // The process ends while a thread still calls.
  std::thread([] {
    for (;;) sum_in_parallel(64, 4);
  }).detach();
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  return check::result();
}
