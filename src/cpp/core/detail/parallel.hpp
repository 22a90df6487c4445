// Splits independent work over threads. Each index is done exactly once and alone, so the bits do not depend on how
// many threads there are.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>

#include "pyicg/runner.hpp"
#include "worker_pool.hpp"

namespace pyicg::detail {

// What the shares of a call threw: the caller gets that of the first share that did.
class Failure {
 public:
  void keep(std::size_t share) {
    const std::scoped_lock lock(mutex_);
    if (!thrown_ || share < share_) {
      thrown_ = std::current_exception();
      share_ = share;
    }
  }
  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr thrown_;
  std::size_t share_ = 0;
};

// Calls work(first, last) on disjoint ranges that cover [0, count). An exception of any share is thrown again here.
template <class Work>
void parallel_ranges(std::size_t count, const Threads& threads, const Work& work) {
  const std::size_t shares =
      std::min(std::clamp<std::size_t>(threads.count, 1, most_shares), std::max<std::size_t>(count, 1));
  if (shares == 1) {
    work(std::size_t{0}, count);
    return;
  }
  Failure failure;
  const auto share = [&](std::size_t k) {
    try {
      work(count * k / shares, count * (k + 1) / shares);
    } catch (...) {
      failure.keep(k);
    }
  };
  using Share = decltype(share);
  const auto call = [](void* context, std::size_t k) { (*static_cast<Share*>(context))(k); };
  run_shares(threads.runner, shares, call, const_cast<void*>(static_cast<const void*>(&share)));
  failure.rethrow();
}

// Two pieces of work that do not touch each other: one after the other, or side by side.
template <class One, class Other>
void both(const Threads& threads, const One& one, const Other& other) {
  parallel_ranges(2, threads, [&](std::size_t first, std::size_t last) {
    if (first == 0) one();
    if (last == 2) other();
  });
}

// Where the work differs from place to place: whoever is done takes the next piece, of [0, count). Each of the threads
// calls work(next), and next(first, last) says whether there was a piece left.
template <class Work>
void parallel_pieces(std::size_t count, std::size_t piece, const Threads& threads, const Work& work) {
  std::atomic<std::size_t> taken{0};
  const auto next = [&](std::size_t& first, std::size_t& last) {
    first = taken.fetch_add(piece);
    last = std::min(first + piece, count);
    return first < count;
  };
  const std::size_t pieces = (count + piece - 1) / piece;
  parallel_ranges(std::min<std::size_t>(threads.count, pieces), threads, [&](std::size_t, std::size_t) { work(next); });
}

}  // namespace pyicg::detail
