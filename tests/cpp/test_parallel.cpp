#include "core/detail/parallel.hpp"

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "check.hpp"

using namespace pyicg::detail;

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

}  // namespace

int main() {
  ranges_cover_each_index_once();
  pieces_cover_each_index_once();
  errors_reach_the_caller();
  return check::result();
}
