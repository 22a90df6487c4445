// A failed check prints where, what was found and what was expected; main returns how many failed.
#pragma once

#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>
#include <source_location>

#include "pyicg/error.hpp"

namespace check {

using Where = std::source_location;

inline int failures = 0;

template <class Found, class Expected>
void fail(const Where& where, const Found& found, const Expected& expected) {
  ++failures;
  std::cout.precision(std::numeric_limits<double>::max_digits10);
  std::cout << where.file_name() << ':' << where.line() << ": found " << found << ", expected " << expected << '\n';
}

template <class Found, class Expected>
void equal(const Found& found, const Expected& expected, const Where& where = Where::current()) {
  if (!(found == expected)) fail(where, +found, +expected);
}

inline void near(double found, double expected, double tolerance, const Where& where = Where::current()) {
  if (!(std::fabs(found - expected) <= tolerance)) fail(where, found, expected);
}

inline void is_true(bool ok, const char* expected, const Where& where = Where::current()) {
  if (!ok) fail(where, "the contrary", expected);
}

inline void is_nan(double found, const Where& where = Where::current()) {
  if (!std::isnan(found)) fail(where, found, "NaN");
}

template <class Enum>
void same(Enum found, Enum expected, const Where& where = Where::current()) {
  if (found != expected) fail(where, static_cast<int>(found), static_cast<int>(expected));
}

template <class Work>
void throws(pyicg::ErrorKind kind, const Work& work, const Where& where = Where::current()) {
  try {
    work();
    fail(where, "no error", "pyicg::Error");
  } catch (const pyicg::Error& error) {
    same(error.kind(), kind, where);
  }
}

// The exit code of main.
inline int result() { return std::min(failures, 255); }

}  // namespace check
