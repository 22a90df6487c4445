// The C interface over the core. Arguments are checked here, and here exceptions become status codes.
#include "pyicg/pyicg.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "convert.hpp"
#include "core/detail/float_environment.hpp"
#include "core/detail/worker_pool.hpp"
#include "host.hpp"
#include "pyicg/error.hpp"
#include "pyicg/image_view.hpp"
#include "pyicg/instruction_set.hpp"
#include "pyicg/measurement.hpp"
#include "pyicg/profile.hpp"
#include "pyicg/rim.hpp"
#include "pyicg/scorer.hpp"
#include "pyicg/version.hpp"

using namespace pyicg::capi;

// Handles begin with a word that tells them from each other and from anything else: hosts that keep them as void
// pointers mix them up.
struct pyicg_profile {
  static constexpr std::uint64_t kind = 0x70796963672d7072;  // "pyicg-pr"
  std::uint64_t word = kind;
  std::shared_ptr<const pyicg::Profile> shared;
};

struct pyicg_scorer {
  static constexpr std::uint64_t kind = 0x70796963672d7363;  // "pyicg-sc"

  pyicg_scorer(const std::shared_ptr<const pyicg::Profile>& profile, pyicg::ScorerOptions options,
               const pyicg_runner& host_runner, const HostLog& host_log)
      : log(host_log), runner(host_runner, host_log), core(profile, with(options, runner)) {}

  std::uint64_t word = kind;
  HostLog log;
  HostRunner runner;
  pyicg::Scorer core;
  std::vector<std::uint16_t> unpacked;  // of a packed frame
  bool scored = false;                  // there is a last score to read
  mutable std::atomic<bool> busy = false;

 private:
  static pyicg::ScorerOptions with(pyicg::ScorerOptions options, HostRunner& runner) {
    options.threads.runner = runner.core();
    return options;
  }
};

namespace {

// Sizes of first versions.
constexpr std::size_t first_options = offsetof(pyicg_scorer_options, without_lesions);
constexpr std::size_t first_score = offsetof(pyicg_frame_score, isotropy);

class BusyError : public std::exception {
 public:
  [[nodiscard]] const char* what() const noexcept override {
    return "another call is using this scorer; give every thread a scorer of its own, or wait";
  }
};

bool usable(const pyicg_error* error) noexcept { return error == nullptr || is_struct(error, sizeof *error); }

// Once what a failed call leaves behind is in place, so that a bad error struct leaves no more than any other mistake.
void require_error(const pyicg_error* error) {
  require(usable(error), "error is not aligned, or its struct_size is too small: set it to sizeof the struct");
}

pyicg_status fail(pyicg_error* error, pyicg_status status, const char* message) noexcept {
  if (error != nullptr && usable(error)) {
    error->status = static_cast<std::uint32_t>(status);
    const std::size_t length = std::min(std::strlen(message), sizeof(error->message) - 1);
    std::memcpy(error->message, message, length);
    error->message[length] = '\0';
  }
  return status;
}

pyicg_status status_of(pyicg::ErrorKind kind) noexcept {
  switch (kind) {
    case pyicg::ErrorKind::input:
      return PYICG_ERROR_INPUT;
    case pyicg::ErrorKind::profile:
      return PYICG_ERROR_PROFILE;
    case pyicg::ErrorKind::unit:
      return PYICG_ERROR_UNIT;
  }
  return PYICG_ERROR_INTERNAL;
}

// Runs work; whatever it throws becomes a status and a message.
template <class Work>
pyicg_status guarded(pyicg_error* error, const Work& work) noexcept {
  const pyicg::detail::FloatEnvironment usual;
  try {
    work();
    return PYICG_OK;
  } catch (const BusyError& e) {
    return fail(error, PYICG_ERROR_BUSY, e.what());
  } catch (const ArgumentError& e) {
    return fail(error, PYICG_ERROR_ARGUMENT, e.what());
  } catch (const pyicg::Error& e) {
    return fail(error, status_of(e.kind()), e.what());
  } catch (const std::bad_alloc&) {
    return fail(error, PYICG_ERROR_MEMORY, "out of memory");
  } catch (const std::exception& e) {
    return fail(error, PYICG_ERROR_INTERNAL, e.what());
  } catch (...) {
    return fail(error, PYICG_ERROR_INTERNAL, "unknown failure");
  }
}

// Holds a scorer for one call.
class Hold {
 public:
  explicit Hold(const pyicg_scorer& scorer) noexcept : busy_(scorer.busy), held_(!busy_.exchange(true)) {}
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  Hold(Hold&&) = delete;
  Hold& operator=(Hold&&) = delete;
  ~Hold() {
    if (held_) busy_ = false;
  }
  explicit operator bool() const noexcept { return held_; }

 private:
  std::atomic<bool>& busy_;
  bool held_;
};

template <class Handle>
bool is_handle(const Handle* handle) noexcept {
  return handle != nullptr && aligned(handle) && handle->word == Handle::kind;
}

template <class Handle>
void require_handle(const Handle* handle, const char* name) {
  require_pointer(handle, name);
  if (handle->word != Handle::kind) throw ArgumentError(std::string(name) + " is no handle of that kind");
}

template <class Handle>
void destroy(Handle* handle) noexcept {
  if (!is_handle(handle)) return;
  handle->word = 0;
  std::default_delete<Handle>{}(handle);
}

template <class Handle>
void require_out(Handle** out) {
  require_pointer(out, "out");
  *out = nullptr;
}

// Runs fill of a scorer that has a last score, or one without anything in it.
template <class Read>
pyicg_status reading(const pyicg_scorer* scorer, const Read& read) noexcept {
  if (!is_handle(scorer)) return PYICG_ERROR_ARGUMENT;
  const Hold hold(*scorer);
  return hold ? read() : PYICG_ERROR_BUSY;
}

// Writes at(0), at(1), ... of the `there` elements there are, as far as they fit.
template <class Out, class At>
pyicg_status fill(std::size_t there, Out* array, std::uint64_t capacity, std::uint64_t* count, const At& at) noexcept {
  if (count == nullptr || !aligned(count) || (array == nullptr && capacity > 0) || !aligned(array))
    return PYICG_ERROR_ARGUMENT;
  *count = there;
  const auto fits = static_cast<std::size_t>(std::min<std::uint64_t>(capacity, there));
  for (std::size_t i = 0; i < fits; ++i) array[i] = at(i);
  return fits < there ? PYICG_TRUNCATED : PYICG_OK;
}

// As much of a score as the caller has room for.
void give(pyicg_frame_score& out, pyicg_frame_score score, std::uint64_t timestamp_ns) noexcept {
  score.struct_size = out.struct_size;
  score.timestamp_ns = timestamp_ns;
  std::memcpy(&out, &score, out.struct_size < sizeof score ? first_score : sizeof score);
}

void tell(const HostLog& log, const pyicg::ProfileData& profile, const pyicg::ScorerOptions& options) {
  log.write(PYICG_LOG_INFO, ("pyicg " + std::string(pyicg::version()) + ", " +
                             std::string(pyicg::instruction_set_name(pyicg::instruction_set())) + ": " +
                             (options.view == pyicg::View::bed ? "bed" : "section") + " frames of " +
                             std::to_string(profile.height) + " x " + std::to_string(profile.width) + " pixels on " +
                             std::to_string(std::min<std::size_t>(options.threads.count, pyicg::detail::most_shares)) +
                             " thread(s). Research software, not a medical device")
                                .c_str());
  if (!profile.calibrated) log.write(PYICG_LOG_WARNING, "the profile is uncalibrated, and so is every result");
  if (std::isnan(options.pixel_size_mm)) log.write(PYICG_LOG_WARNING, "no pixel size: lengths are in pixels alone");
}

}  // namespace

uint32_t pyicg_abi_version() noexcept { return PYICG_ABI_VERSION; }

const char* pyicg_version_string() noexcept { return pyicg::version(); }

const char* pyicg_status_string(uint32_t status) noexcept {
  static constexpr std::array<const char*, 9> names = {"ok",           "truncated",      "error_argument",
                                                       "error_input",  "error_profile",  "error_unit",
                                                       "error_memory", "error_internal", "error_busy"};
  return status < names.size() ? names[status] : nullptr;
}

const char* pyicg_reason_string(uint32_t reason) noexcept {
  return pyicg::reason_name(static_cast<pyicg::Reason>(reason));
}

pyicg_status pyicg_profile_create(const pyicg_profile_data* data, pyicg_profile** out, pyicg_error* error) noexcept {
  return guarded(error, [&] {
    require_out(out);
    require_error(error);
    require_struct(data, "data");
    auto handle = std::make_unique<pyicg_profile>();
    handle->shared = std::make_shared<const pyicg::Profile>(profile_data(*data));
    *out = handle.release();
  });
}

void pyicg_profile_destroy(pyicg_profile* profile) noexcept { destroy(profile); }

pyicg_status pyicg_scorer_create(const pyicg_profile* profile, const pyicg_scorer_options* options, pyicg_scorer** out,
                                 pyicg_error* error) noexcept {
  return guarded(error, [&] {
    require_out(out);
    require_error(error);
    require_handle(profile, "profile");
    require_struct(options, "options", first_options);
    const pyicg::ScorerOptions checked = scorer_options(*options);
    const bool whole = options->struct_size >= sizeof *options;
    const HostLog log(whole ? options->log : pyicg_log{});
    auto handle =
        std::make_unique<pyicg_scorer>(profile->shared, checked, whole ? options->runner : pyicg_runner{}, log);
    tell(log, profile->shared->data(), checked);
    *out = handle.release();
  });
}

void pyicg_scorer_destroy(pyicg_scorer* scorer) noexcept {
  // In use it is left alone: what a mistake then costs is memory.
  if (is_handle(scorer) && !scorer->busy.exchange(true)) destroy(scorer);
}

pyicg_status pyicg_scorer_score(pyicg_scorer* scorer, const pyicg_frame* frame, pyicg_frame_score* out,
                                pyicg_error* error) noexcept {
  return guarded(error, [&] {
    if (is_struct(out, first_score)) give(*out, no_score(), is_struct(frame, sizeof *frame) ? frame->timestamp_ns : 0);
    require_handle(scorer, "scorer");
    const Hold hold(*scorer);
    if (!hold) throw BusyError();
    scorer->scored = false;
    try {
      require_error(error);
      require_struct(frame, "frame");
      require_struct(out, "out", first_score);
      const pyicg::FrameScore& score = scorer->core.score(
          raw_frame(*frame, scorer->core.profile().data(), scorer->unpacked), {frame->exposure_ms, frame->gain_db});
      give(*out, frame_score(score), frame->timestamp_ns);
    } catch (const std::exception& e) {
      scorer->log.write(PYICG_LOG_ERROR, e.what());
      throw;
    }
    scorer->scored = true;
  });
}

// Before a first score and after one that failed there is nothing to read: every count is 0.

pyicg_status pyicg_scorer_lesions(const pyicg_scorer* scorer, pyicg_lesion* array, uint64_t capacity,
                                  uint64_t* count) noexcept {
  return reading(scorer, [&] {
    const std::vector<pyicg::Lesion>& lesions = scorer->core.last().lesions;
    return fill(scorer->scored ? lesions.size() : 0, array, capacity, count,
                [&](std::size_t i) { return lesion_of(lesions[i]); });
  });
}

pyicg_status pyicg_scorer_hot_spots(const pyicg_scorer* scorer, pyicg_hot_spot* array, uint64_t capacity,
                                    uint64_t* count) noexcept {
  return reading(scorer, [&] {
    const std::vector<pyicg::HotSpot>& spots = scorer->core.last().hot_spots;
    return fill(scorer->scored ? spots.size() : 0, array, capacity, count, [&](std::size_t i) {
      const pyicg::HotSpot& h = spots[i];
      return pyicg_hot_spot{h.peak_sbr, h.peak_y, h.peak_x, h.area_px};
    });
  });
}

pyicg_status pyicg_scorer_contour(const pyicg_scorer* scorer, uint64_t lesion, int outer, double* yx, uint64_t capacity,
                                  uint64_t* count) noexcept {
  return reading(scorer, [&] {
    if (!scorer->scored || (outer != 0 && outer != 1)) return PYICG_ERROR_ARGUMENT;
    const std::vector<pyicg::Lesion>& lesions = scorer->core.last().lesions;
    if (lesion >= lesions.size()) return PYICG_ERROR_ARGUMENT;
    const pyicg::Lesion& found = lesions[static_cast<std::size_t>(lesion)];
    const std::vector<pyicg::Vertex>& vertices = outer != 0 ? found.outer : found.inner;
    return fill(2 * vertices.size(), yx, capacity, count,
                [&](std::size_t i) { return i % 2 == 0 ? vertices[i / 2].y : vertices[i / 2].x; });
  });
}

pyicg_status pyicg_scorer_data(const pyicg_scorer* scorer, float* array, uint64_t capacity, uint64_t* count) noexcept {
  return reading(scorer, [&] {
    const pyicg::ImageView<const float> view = scorer->core.data();
    return fill(scorer->scored ? view.size() : 0, array, capacity, count, [&](std::size_t i) { return view.data[i]; });
  });
}

pyicg_status pyicg_scorer_mask(const pyicg_scorer* scorer, uint8_t* array, uint64_t capacity,
                               uint64_t* count) noexcept {
  return reading(scorer, [&] {
    const pyicg::ImageView<const std::uint8_t> view = scorer->core.mask();
    return fill(scorer->scored ? view.size() : 0, array, capacity, count, [&](std::size_t i) { return view.data[i]; });
  });
}

const pyicg_api* pyicg_api_table() noexcept {
  static constexpr pyicg_api table = {
      sizeof(pyicg_api),    PYICG_ABI_VERSION,      pyicg_version_string, pyicg_status_string,  pyicg_reason_string,
      pyicg_profile_create, pyicg_profile_destroy,  pyicg_scorer_create,  pyicg_scorer_destroy, pyicg_scorer_score,
      pyicg_scorer_lesions, pyicg_scorer_hot_spots, pyicg_scorer_contour, pyicg_scorer_data,    pyicg_scorer_mask};
  return &table;
}
