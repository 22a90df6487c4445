// Splits independent work over threads. Each index is done exactly once and alone, so the bits do not depend on how
// many threads there are.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

namespace pyicg::detail {

// Threads that are joined when they go out of scope (std::jthread is not in every standard library yet).
struct Pool {
  std::vector<std::thread> threads;
  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  Pool(Pool&&) = delete;
  Pool& operator=(Pool&&) = delete;
  ~Pool() {
    for (std::thread& thread : threads) thread.join();
  }
};

// Calls work(first, last) on disjoint ranges that cover [0, count). An exception of any worker is thrown again here.
template <class Work>
void parallel_ranges(std::size_t count, unsigned threads, const Work& work) {
  constexpr unsigned most = 256;  // more threads than any machine gains from: a mistyped number must not exhaust one
  const std::size_t workers = std::min<std::size_t>(std::clamp(threads, 1U, most), std::max<std::size_t>(count, 1));
  if (workers <= 1) {
    work(std::size_t{0}, count);
    return;
  }
  std::vector<std::exception_ptr> failures(workers);
  const auto share = [&](std::size_t k) {
    try {
      work(count * k / workers, count * (k + 1) / workers);
    } catch (...) {
      failures[k] = std::current_exception();
    }
  };
  {
    Pool pool;
    pool.threads.reserve(workers - 1);
    for (std::size_t k = 1; k < workers; ++k) pool.threads.emplace_back(share, k);
    share(0);  // the calling thread is one of them
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

// Where the work differs from place to place: whoever is done takes the next piece, of [0, count). Each of the threads
// calls work(next), and next(first, last) says whether there was a piece left.
template <class Work>
void parallel_pieces(std::size_t count, std::size_t piece, unsigned threads, const Work& work) {
  std::atomic<std::size_t> taken{0};
  const auto next = [&](std::size_t& first, std::size_t& last) {
    first = taken.fetch_add(piece);
    last = std::min(first + piece, count);
    return first < count;
  };
  const std::size_t pieces = (count + piece - 1) / piece;
  parallel_ranges(std::min<std::size_t>(threads, pieces), threads, [&](std::size_t, std::size_t) { work(next); });
}

}  // namespace pyicg::detail
