// What a host lends the C interface (a log, a pool of threads), how it may call (packed pixels, a table of functions,
// C++ handles), and two callers of one scorer.
#include <algorithm>
#include <atomic>
#include <cfenv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

#include "c_scene.hpp"
#include "check.hpp"
#include "pyicg/handles.hpp"
#include "pyicg/pyicg.h"

namespace {

using c_scene::height;
using c_scene::width;
using Messages = std::vector<std::pair<std::uint32_t, std::string>>;

void keep(void* user, std::uint32_t level, const char* message) {
  static_cast<Messages*>(user)->emplace_back(level, message);
}

pyicg_frame_score score_of(const pyicg_scorer_options& options, const pyicg_frame& frame) {
  const pyicg::c::Profile profile(c_scene::profile_data());
  return pyicg::c::Scorer(profile, options).score(frame);
}

void log() {
  Messages messages;
  pyicg_profile_data data = c_scene::profile_data();
  data.calibrated = 0;
  pyicg_scorer_options options = pyicg_options_for(PYICG_VIEW_BED);
  options.log = {keep, &messages};
  const pyicg::c::Profile profile(data);
  pyicg::c::Scorer scorer(profile, options);
  check::equal(messages.size(), 3U);
  check::equal(messages.at(0).first, std::uint32_t{PYICG_LOG_INFO});
  check::is_true(messages.at(0).second.find("64 x 74") != std::string::npos, "the size");
  check::equal(messages.at(1).first, std::uint32_t{PYICG_LOG_WARNING});
  check::is_true(messages.at(1).second.find("uncalibrated") != std::string::npos, "uncalibrated");
  check::is_true(messages.at(2).second.find("pixel size") != std::string::npos, "no pixel size");

  messages.clear();
  const std::vector<std::uint16_t> pixels = c_scene::pixels();
  pyicg_frame frame = c_scene::frame(pixels);
  scorer.score(frame);
  check::equal(messages.size(), 0U);
  frame.exposure_ms = -1;
  try {
    scorer.score(frame);
    check::is_true(false, "an error");
  } catch (const pyicg::c::Error& error) {
    check::equal(error.status(), PYICG_ERROR_UNIT);
    check::equal(messages.size(), 1U);
    check::equal(messages.at(0).first, std::uint32_t{PYICG_LOG_ERROR});
    check::is_true(messages.at(0).second == error.what(), "the message of the error");
  }

  options.log = {[](void*, std::uint32_t, const char*) { throw std::runtime_error("disk full"); }, nullptr};
  const pyicg::c::Scorer careless(profile, options);  // what a log throws ends there
  check::is_true(careless.get() != nullptr, "a scorer");
}

using Run = std::function<void(std::size_t count, const std::function<void(std::size_t)>& call)>;

void run_of(void* host, std::size_t count, pyicg_task task, void* context) {
  (*static_cast<const Run*>(host))(count, [&](std::size_t index) { task(context, index); });
}

// Whatever a host's pool does, no number changes.
void runners() {
  const std::vector<std::uint16_t> pixels = c_scene::pixels();
  const pyicg_frame frame = c_scene::frame(pixels);
  struct Case {
    Run run;
    bool warned;
  };
  const auto all = [](std::size_t count, const auto& call) {
    for (std::size_t index = 0; index < count; ++index) call(index);
  };
  const std::vector<Case> cases = {
      {all, false},
      {[](std::size_t count, const auto& call) {
         for (std::size_t index = count; index-- > 0;) call(index);
       },
       false},
      {[](std::size_t count, const auto& call) {
         std::vector<std::jthread> threads;
         for (std::size_t index = 0; index < count; ++index) threads.emplace_back([&call, index] { call(index); });
       },
       false},
      {[&](std::size_t count, const auto& call) {
         all(count, call);
         all(count, call);
         call(count);
         call(SIZE_MAX);
       },
       false},
      {[](std::size_t, const auto&) {}, true},
      {[](std::size_t, const auto& call) { call(0); }, true},
      {[](std::size_t, const auto& call) {
         call(1);
         throw std::runtime_error("no thread");
       },
       true},
  };
  for (const pyicg_view view : {PYICG_VIEW_BED, PYICG_VIEW_SECTION}) {
    pyicg_scorer_options options = c_scene::options(view);
    const pyicg_frame_score expected = score_of(options, frame);
    options.threads = 2;
    check::is_true(c_scene::same(score_of(options, frame), expected), "the library's own pool");
    for (const Case& c : cases) {
      Messages messages;
      std::atomic<int> runs = 0;
      const Run run = [&](std::size_t count, const std::function<void(std::size_t)>& call) {
        ++runs;
        c.run(count, call);
      };
      options.runner = {run_of, const_cast<Run*>(&run)};
      options.log = {keep, &messages};
      check::is_true(c_scene::same(score_of(options, frame), expected), "the same score by a host's pool");
      check::is_true(runs > 0, "the host's pool in use");
      const bool warned = std::ranges::any_of(messages, [](const auto& m) { return m.first == PYICG_LOG_WARNING; });
      check::equal(warned, c.warned);
    }
  }
}

// A pool that only keeps what it is asked to do, and does it amid the next call, and at last when no call is left.
void late_runner() {
  struct Call {
    pyicg_task task;
    void* context;
    std::size_t index;
  };
  using Calls = std::vector<Call>;
  const auto late = [](void* host, std::size_t count, pyicg_task task, void* context) {
    auto& kept = *static_cast<Calls*>(host);
    for (const Call& call : std::exchange(kept, {})) call.task(call.context, call.index);
    for (std::size_t index = 0; index < count; ++index) kept.push_back({task, context, index});
  };
  const std::vector<std::uint16_t> pixels = c_scene::pixels();
  const pyicg_frame frame = c_scene::frame(pixels);
  pyicg_scorer_options options = c_scene::options(PYICG_VIEW_BED);
  const pyicg_frame_score expected = score_of(options, frame);
  Calls calls;
  options.threads = 3;
  options.runner = {late, &calls};
  pyicg::c::Scorer scorer(pyicg::c::Profile(c_scene::profile_data()), options);
  for (int k = 0; k < 3; ++k) {
    check::is_true(c_scene::same(scorer.score(frame), expected), "the same score by a pool that does not wait");
    for (const Call& call : calls) call.task(call.context, call.index);
    check::equal(calls.empty(), false);
  }
  check::is_true(c_scene::same(scorer.score(frame), expected), "the same score");

  // The same with threads that nobody waits for.
  std::vector<std::jthread> threads;
  const auto forgets = [](void* host, std::size_t count, pyicg_task task, void* context) {
    auto& kept = *static_cast<std::vector<std::jthread>*>(host);
    for (std::size_t index = 0; index < count; ++index) kept.emplace_back([=] { task(context, index); });
  };
  options.runner = {forgets, &threads};
  pyicg::c::Scorer hasty(pyicg::c::Profile(c_scene::profile_data()), options);
  for (int k = 0; k < 20; ++k) {
    check::is_true(c_scene::same(hasty.score(frame), expected), "the same score by threads that nobody waits for");
  }
  threads.clear();
}

// Whatever the rounding, traps and flushing of the host's threads: the same bits, and the host has its own again.
void float_environment() {
  const std::vector<std::uint16_t> pixels = c_scene::pixels();
  const pyicg_frame frame = c_scene::frame(pixels);
  for (const std::uint32_t threads : {1U, 3U}) {
    pyicg_scorer_options options = c_scene::options(PYICG_VIEW_SECTION);
    const pyicg_frame_score expected = score_of(options, frame);
    options.threads = threads;
    std::jthread([&] {
      for (const int rounding : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
        std::fesetround(rounding);
        const pyicg_frame_score found = score_of(options, frame);
        check::equal(std::fegetround(), rounding);
        std::fesetround(FE_TONEAREST);
        check::is_true(c_scene::same(found, expected), "the same score in any rounding mode");
      }
#ifdef __SSE2__
      constexpr unsigned flush = 0x8040;  // results and inputs that are denormal
      const unsigned usual = _mm_getcsr();
      _mm_setcsr(usual | flush);
      const pyicg_frame_score flushed = score_of(options, frame);
      check::equal(_mm_getcsr() & flush, flush);
      _mm_setcsr(usual);
      check::is_true(c_scene::same(flushed, expected), "the same score where the host flushes to zero");
#endif
#ifdef __GLIBC__
      feenableexcept(FE_ALL_EXCEPT);
      const pyicg_frame_score found = score_of(options, frame);
      check::equal(fegetexcept(), FE_ALL_EXCEPT);
      fedisableexcept(FE_ALL_EXCEPT);
      check::is_true(c_scene::same(found, expected), "the same score where the host traps");
#endif
    }).join();
    const auto upward = [](void*, std::size_t count, pyicg_task task, void* context) {
      for (std::size_t index = 0; index < count; ++index) {
        std::jthread([=] {
          std::fesetround(FE_UPWARD);
          task(context, index);
        }).join();
      }
    };
    options.runner = {upward, nullptr};
    check::is_true(c_scene::same(score_of(options, frame), expected), "the same score by threads that round upward");
  }
}

// Rows anywhere in memory, the scorer's own buffers between them.
void rows_far_apart() {
  const std::vector<std::uint16_t> pixels = c_scene::pixels();
  const pyicg_scorer_options options = c_scene::options(PYICG_VIEW_BED);
  pyicg_profile_data data = c_scene::profile_data();
  data.height = 2;
  const pyicg::c::Profile profile(data);
  pyicg_frame frame = pyicg_frame_of(pixels.data(), PYICG_PIXEL_U16, 2, width);
  const pyicg_frame_score expected = pyicg::c::Scorer(profile, options).score(frame);
  std::vector<std::unique_ptr<std::uint16_t[]>> rows;  // in the heap, before and after a scorer
  rows.push_back(std::make_unique<std::uint16_t[]>(width));
  pyicg::c::Scorer scorer(profile, options);
  scorer.score(frame);
  for (int k = 0; k < 20; ++k) rows.push_back(std::make_unique<std::uint16_t[]>(width));
  for (std::size_t k = 1; k < rows.size(); ++k) {
    std::copy_n(pixels.data(), width, rows[0].get());
    std::copy_n(pixels.data() + width, width, rows[k].get());
    frame.data = rows[0].get();
    frame.stride_bytes = reinterpret_cast<std::intptr_t>(rows[k].get()) - reinterpret_cast<std::intptr_t>(frame.data);
    check::is_true(c_scene::same(scorer.score(frame), expected), "the same score of rows that lie apart");
  }
}

// A call from within a call: the scorer is busy and says so, and the first call does not notice.
void busy_within() {
  const std::vector<std::uint16_t> pixels = c_scene::pixels();
  const pyicg_frame frame = c_scene::frame(pixels);
  pyicg_scorer_options options = c_scene::options(PYICG_VIEW_BED);
  const pyicg_frame_score expected = score_of(options, frame);
  pyicg_scorer* scorer = nullptr;
  int told = 0;
  const Run run = [&](std::size_t count, const std::function<void(std::size_t)>& call) {
    pyicg_frame_score score = pyicg_empty_score();
    pyicg_error error = pyicg_no_error();
    std::uint64_t n = 77;
    told += pyicg_scorer_score(scorer, &frame, &score, &error) == PYICG_ERROR_BUSY ? 1 : 0;
    check::equal(error.status, std::uint32_t{PYICG_ERROR_BUSY});
    check::equal(pyicg_scorer_lesions(scorer, nullptr, 0, &n), PYICG_ERROR_BUSY);
    check::equal(pyicg_scorer_hot_spots(scorer, nullptr, 0, &n), PYICG_ERROR_BUSY);
    check::equal(pyicg_scorer_contour(scorer, 0, 0, nullptr, 0, &n), PYICG_ERROR_BUSY);
    check::equal(pyicg_scorer_data(scorer, nullptr, 0, &n), PYICG_ERROR_BUSY);
    check::equal(pyicg_scorer_mask(scorer, nullptr, 0, &n), PYICG_ERROR_BUSY);
    check::equal(n, 77U);
    pyicg_scorer_destroy(scorer);  // left alone
    for (std::size_t index = 0; index < count; ++index) call(index);
  };
  options.threads = 2;
  options.runner = {run_of, const_cast<Run*>(&run)};
  const pyicg::c::Profile profile(c_scene::profile_data());
  const pyicg::c::Scorer made(profile, options);
  scorer = made.get();
  pyicg_frame_score score = pyicg_empty_score();
  check::equal(pyicg_scorer_score(scorer, &frame, &score, nullptr), PYICG_OK);
  check::is_true(told > 0, "a busy scorer");
  check::is_true(c_scene::same(score, expected), "the same score");
}

// Two threads on one scorer, and scorers of many threads on one profile.
void many_callers() {
  const std::vector<std::uint16_t> pixels = c_scene::pixels();
  const pyicg_frame frame = c_scene::frame(pixels);
  const pyicg_scorer_options options = c_scene::options(PYICG_VIEW_BED);
  const pyicg_frame_score expected = score_of(options, frame);
  const pyicg::c::Profile profile(c_scene::profile_data());
  const pyicg::c::Scorer shared(profile, options);
  std::atomic<int> scored = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        pyicg::c::Scorer own(profile, options);
        for (int k = 0; k < 10; ++k) {
          pyicg_frame_score score = pyicg_empty_score();
          const pyicg_status status = pyicg_scorer_score(shared.get(), &frame, &score, nullptr);
          if (status == PYICG_OK) {
            ++scored;
            check::is_true(c_scene::same(score, expected), "the same score by the shared scorer");
          } else {
            check::equal(status, PYICG_ERROR_BUSY);
          }
          check::is_true(c_scene::same(own.score(frame), expected), "the same score by a scorer of one's own");
        }
      });
    }
  }
  check::is_true(scored > 0, "some scores");
}

std::vector<std::uint8_t> packed(const std::vector<std::uint16_t>& pixels, unsigned bits, std::size_t stride) {
  std::vector<std::uint8_t> bytes(height * stride + 1, 0xAA);
  for (std::size_t y = 0; y < height; ++y) {
    std::uint8_t* row = bytes.data() + 1 + y * stride;  // at an odd place
    std::fill_n(row, (width * bits + 7) / 8, std::uint8_t{0});
    for (std::size_t k = 0; k < width * bits; ++k) {
      const unsigned bit = pixels[y * width + k / bits] >> k % bits & 1U;
      row[k / 8] = static_cast<std::uint8_t>(row[k / 8] | bit << k % 8);
    }
  }
  return bytes;
}

void packed_pixels() {
  const std::vector<std::uint16_t> pixels = c_scene::pixels();
  const pyicg_scorer_options options = c_scene::options(PYICG_VIEW_SECTION);
  const pyicg_frame_score expected = score_of(options, c_scene::frame(pixels));
  check::equal(expected.n_lesions, 1U);
  for (const auto& [bits, format] : {std::pair{10U, PYICG_PIXEL_MONO10P}, {12U, PYICG_PIXEL_MONO12P}}) {
    const std::size_t row = (width * bits + 7) / 8;
    for (const std::size_t padding : {0U, 5U}) {
      const std::vector<std::uint8_t> bytes = packed(pixels, bits, row + padding);
      pyicg_frame frame = pyicg_frame_of(bytes.data() + 1, format, height, width);
      check::equal(frame.stride_bytes, static_cast<std::int64_t>(row));
      frame.stride_bytes += static_cast<std::int64_t>(padding);
      check::is_true(c_scene::same(score_of(options, frame), expected), "the same score of packed pixels");
    }
  }
  std::vector<std::uint16_t> bright = pixels;
  bright[7] = 4095;
  const std::vector<std::uint8_t> bytes = packed(bright, 12, width * 12 / 8);
  pyicg_profile_data data = c_scene::profile_data();
  data.saturation_dn = 1023;
  const pyicg::c::Profile ten_bits(data);
  try {
    pyicg::c::Scorer(ten_bits, options).score(pyicg_frame_of(bytes.data() + 1, PYICG_PIXEL_MONO12P, height, width));
    check::is_true(false, "an error");
  } catch (const pyicg::c::Error& error) {
    check::equal(error.status(), PYICG_ERROR_INPUT);
  }
}

void table() {
  const pyicg_api* const api = pyicg_api_table();
  check::equal(api->struct_size, std::uint32_t{sizeof(pyicg_api)});
  check::equal(api->abi_version, PYICG_ABI_VERSION);
  check::is_true(std::strcmp(api->version_string(), pyicg_version_string()) == 0, "the version");
  check::is_true(std::strcmp(api->status_string(PYICG_TRUNCATED), "truncated") == 0, "a status");
  check::is_true(std::strcmp(api->reason_string(PYICG_REASON_GLARE), "glare") == 0, "a reason");
  const pyicg_profile_data data = c_scene::profile_data();
  const pyicg_scorer_options options = c_scene::options(PYICG_VIEW_SECTION);
  const std::vector<std::uint16_t> pixels = c_scene::pixels();
  const pyicg_frame frame = c_scene::frame(pixels);
  pyicg_profile* profile = nullptr;
  pyicg_scorer* scorer = nullptr;
  pyicg_frame_score score = pyicg_empty_score();
  check::equal(api->profile_create(&data, &profile, nullptr), PYICG_OK);
  check::equal(api->scorer_create(profile, &options, &scorer, nullptr), PYICG_OK);
  check::equal(api->scorer_score(scorer, &frame, &score, nullptr), PYICG_OK);
  check::is_true(c_scene::same(score, score_of(options, frame)), "the same score through the table");

  pyicg::c::Scorer handles(pyicg::c::Profile(data), options);
  handles.score(frame);
  std::uint64_t count = 0;
  std::vector<double> inner(2000);
  std::vector<double> outer(2000);
  std::vector<float> values(height * width);
  std::vector<std::uint8_t> mask(height * width);
  pyicg_lesion lesion;
  check::equal(api->scorer_lesions(scorer, &lesion, 1, &count), PYICG_OK);
  check::is_true(std::memcmp(&handles.lesions().at(0), &lesion, sizeof lesion) == 0, "the same lesion");
  check::equal(api->scorer_contour(scorer, 0, 0, inner.data(), inner.size(), &count), PYICG_OK);
  inner.resize(count);
  check::is_true(handles.inner_contour(0) == inner, "the same inner contour");
  check::equal(api->scorer_contour(scorer, 0, 1, outer.data(), outer.size(), &count), PYICG_OK);
  outer.resize(count);
  check::is_true(handles.outer_contour(0) == outer && outer != inner, "the same outer contour");
  check::equal(api->scorer_data(scorer, values.data(), values.size(), &count), PYICG_OK);
  check::is_true(handles.data() == values, "the same calibrated frame");
  check::equal(api->scorer_mask(scorer, mask.data(), mask.size(), &count), PYICG_OK);
  check::is_true(handles.mask() == mask, "the same mask");
  check::equal(api->scorer_hot_spots(scorer, nullptr, 0, &count), PYICG_OK);
  check::equal(handles.hot_spots().size(), 0U);
  api->scorer_destroy(scorer);
  api->profile_destroy(profile);
}

}  // namespace

int main() {
  float_environment();
  rows_far_apart();
  log();
  runners();
  late_runner();
  busy_within();
  many_callers();
  packed_pixels();
  table();
  return check::result();
}
