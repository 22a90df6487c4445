// C++17 over pyicg.h: handles that free themselves, errors as exceptions, results as vectors. For programs that link
// the C library and stay with it; the core's own headers beside this one may change until 1.0.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <vector>

#include "pyicg/pyicg.h"

namespace pyicg::c {

// What a call of the C interface says when it fails.
class Error : public std::runtime_error {
 public:
  Error(pyicg_status status, const char* message) : std::runtime_error(message), status_(status) {}
  [[nodiscard]] pyicg_status status() const noexcept { return status_; }

 private:
  pyicg_status status_;
};

// Immutable; any number of scorers on any threads may share it, and may outlive it.
class Profile {
 public:
  explicit Profile(const pyicg_profile_data& data) {
    pyicg_profile* handle = nullptr;
    pyicg_error error = pyicg_no_error();
    const pyicg_status status = pyicg_profile_create(&data, &handle, &error);
    if (status != PYICG_OK) throw Error(status, error.message);
    handle_.reset(handle);
  }
  [[nodiscard]] const pyicg_profile* get() const noexcept { return handle_.get(); }

 private:
  struct Destroy {
    void operator()(pyicg_profile* handle) const noexcept { pyicg_profile_destroy(handle); }
  };
  std::unique_ptr<pyicg_profile, Destroy> handle_;
};

// Serves one call at a time: a scorer for every thread. Each call throws Error.
class Scorer {
 public:
  Scorer(const Profile& profile, const pyicg_scorer_options& options) {
    pyicg_scorer* handle = nullptr;
    pyicg_error error = pyicg_no_error();
    const pyicg_status status = pyicg_scorer_create(profile.get(), &options, &handle, &error);
    if (status != PYICG_OK) throw Error(status, error.message);
    handle_.reset(handle);
  }

  // The pixels are read in place and not looked at after the call.
  pyicg_frame_score score(const pyicg_frame& frame) {
    pyicg_frame_score result = pyicg_empty_score();
    pyicg_error error = pyicg_no_error();
    const pyicg_status status = pyicg_scorer_score(handle_.get(), &frame, &result, &error);
    if (status != PYICG_OK) throw Error(status, error.message);
    return result;
  }

  // Of the last frame. Vectors are made anew: hosts that want no memory at work call the C functions with get().
  [[nodiscard]] std::vector<pyicg_lesion> lesions() const {
    return read<pyicg_lesion>([&](auto... array) { return pyicg_scorer_lesions(get(), array...); });
  }
  [[nodiscard]] std::vector<pyicg_hot_spot> hot_spots() const {
    return read<pyicg_hot_spot>([&](auto... array) { return pyicg_scorer_hot_spots(get(), array...); });
  }
  // y, x pairs, in pixels. The inner contour is the tumour's edge.
  [[nodiscard]] std::vector<double> inner_contour(std::uint64_t lesion) const { return contour(lesion, 0); }
  [[nodiscard]] std::vector<double> outer_contour(std::uint64_t lesion) const { return contour(lesion, 1); }
  [[nodiscard]] std::vector<float> data() const {
    return read<float>([&](auto... array) { return pyicg_scorer_data(get(), array...); });
  }
  [[nodiscard]] std::vector<std::uint8_t> mask() const {
    return read<std::uint8_t>([&](auto... array) { return pyicg_scorer_mask(get(), array...); });
  }

  [[nodiscard]] pyicg_scorer* get() const noexcept { return handle_.get(); }

 private:
  struct Destroy {
    void operator()(pyicg_scorer* handle) const noexcept { pyicg_scorer_destroy(handle); }
  };

  [[nodiscard]] std::vector<double> contour(std::uint64_t lesion, int outer) const {
    return read<double>([&](auto... array) { return pyicg_scorer_contour(get(), lesion, outer, array...); });
  }

  template <class Item, class Call>
  static std::vector<Item> read(const Call& call) {
    std::uint64_t count = 0;
    std::vector<Item> items;
    pyicg_status status = call(static_cast<Item*>(nullptr), std::uint64_t{0}, &count);
    while (status == PYICG_TRUNCATED) {  // again where another thread scored meanwhile
      items.resize(static_cast<std::size_t>(count));
      status = call(items.data(), std::uint64_t{items.size()}, &count);
    }
    if (status != PYICG_OK) throw Error(status, pyicg_status_string(status));
    items.resize(static_cast<std::size_t>(count));
    return items;
  }

  std::unique_ptr<pyicg_scorer, Destroy> handle_;
};

}  // namespace pyicg::c
