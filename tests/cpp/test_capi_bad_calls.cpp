// A catalogue of wrong calls of the C interface: each gives the status that belongs to it, and a message, and leaves
// what the caller handed in as it was.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

#include "c_scene.hpp"
#include "check.hpp"
#include "pyicg/handles.hpp"
#include "pyicg/pyicg.h"

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double inf = std::numeric_limits<double>::infinity();

int calls = 0;

// A pointer that no object of the type can be at.
template <class T>
T* askew(T* p) {
  return reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(p) + 1);
}

template <class Item>
void expect(const std::string& name, pyicg_status found, pyicg_status expected, const pyicg_error& error,
            const Item& unchanged, const Item& before) {
  ++calls;
  const bool told = error.status == std::uint32_t{expected} && error.message[0] != '\0';
  const bool kept = std::memcmp(&unchanged, &before, sizeof before) == 0;
  if (found == expected && told && kept) return;
  ++check::failures;
  std::cout << name << ": status " << found << ", expected " << expected << "; \"" << error.message << "\""
            << (kept ? "" : "; what was handed in has changed") << '\n';
}

struct Maps {
  std::vector<float> ones = std::vector<float>(c_scene::height * c_scene::width + 1, 1.0F);
  std::vector<float> with_nan = ones;
  std::vector<float> with_zero = ones;
  std::vector<float> with_minus = ones;
  std::vector<float> counts = std::vector<float>(ones.size(), 5000.0F);
  std::vector<double> table = {0, 100, 190};
  std::vector<double> falling = {0, 100, 90};
  std::vector<double> from_one = {1, 100, 190};
  std::vector<double> with_gap = {0, nan, 190};
  Maps() {
    with_nan[5] = std::numeric_limits<float>::quiet_NaN();
    with_zero[5] = 0;
    with_minus[5] = -1;
  }
};

void profiles() {
  Maps m;
  const auto refused = [&](const char* name, pyicg_status expected,
                           const std::function<void(pyicg_profile_data&)>& spoil) {
    pyicg_profile_data data = c_scene::profile_data();
    spoil(data);
    pyicg_profile* profile = nullptr;
    pyicg_error error = pyicg_no_error();
    const pyicg_profile_data before = data;
    const pyicg_status found = pyicg_profile_create(&data, &profile, &error);
    expect(std::string("profile: ") + name, found, expected, error, data, before);
    check::is_true(profile == nullptr, "no profile");
    pyicg_profile_destroy(profile);
  };
  using Data = pyicg_profile_data;
  constexpr pyicg_status argument = PYICG_ERROR_ARGUMENT;
  constexpr pyicg_status profile = PYICG_ERROR_PROFILE;
  refused("struct_size 0", argument, [](Data& d) { d.struct_size = 0; });
  refused("struct_size short by one", argument, [](Data& d) { d.struct_size -= 1; });
  refused("no rows", profile, [](Data& d) { d.height = 0; });
  refused("no columns", profile, [](Data& d) { d.width = 0; });
  refused("a product that wraps", argument, [](Data& d) { d.height = d.width = std::uint64_t{1} << 33; });
  refused("the largest height", argument, [](Data& d) { d.height = UINT64_MAX; });
  refused("the largest width", argument, [](Data& d) { d.width = UINT64_MAX; });
  refused("dark askew", argument, [&](Data& d) { d.dark = askew(m.ones.data()); });
  refused("dark_rate askew", argument, [&](Data& d) {
    d.dark = m.ones.data();
    d.dark_rate = askew(m.ones.data());
  });
  refused("flat askew", argument, [&](Data& d) { d.flat = askew(m.ones.data()); });
  refused("flat_sigma askew", argument, [&](Data& d) {
    d.flat = m.ones.data();
    d.flat_sigma = askew(m.ones.data());
  });
  refused("read_noise_map askew", argument, [&](Data& d) { d.read_noise_map = askew(m.ones.data()); });
  refused("gain_map askew", argument, [&](Data& d) { d.gain_map = askew(m.ones.data()); });
  refused("linearity_table askew", argument, [&](Data& d) {
    d.linearity_table = askew(m.table.data());
    d.linearity_table_size = 2;
  });
  refused("NaN in dark", profile, [&](Data& d) { d.dark = m.with_nan.data(); });
  refused("NaN in flat", profile, [&](Data& d) { d.flat = m.with_nan.data(); });
  refused("zero in flat", profile, [&](Data& d) { d.flat = m.with_zero.data(); });
  refused("a flat in counts", profile, [&](Data& d) { d.flat = m.counts.data(); });
  refused("a dark map over saturation", profile, [&](Data& d) { d.dark = m.counts.data(); });
  refused("a mean exposure without a dark rate", profile, [&](Data& d) {
    d.dark = m.ones.data();
    d.dark_mean_exposure_ms = d.dark_exposure_sd_ms = 5;
  });
  refused("a negative gain", profile, [&](Data& d) { d.gain_map = m.with_minus.data(); });
  refused("a negative noise", profile, [&](Data& d) { d.read_noise_map = m.with_minus.data(); });
  refused("dark_sigma without dark", profile, [&](Data& d) { d.dark_sigma = m.ones.data(); });
  refused("flat_sigma without flat", profile, [&](Data& d) { d.flat_sigma = m.ones.data(); });
  refused("dark_rate without dark", profile, [&](Data& d) { d.dark_rate = m.ones.data(); });
  refused("a table without a size", argument, [&](Data& d) { d.linearity_table = m.table.data(); });
  refused("a size without a table", argument, [](Data& d) { d.linearity_table_size = 3; });
  refused("a table of one value", profile, [&](Data& d) {
    d.linearity_table = m.table.data();
    d.linearity_table_size = 1;
    d.linearity_step_dn = 100;
  });
  refused("a table without a step", profile, [&](Data& d) {
    d.linearity_table = m.table.data();
    d.linearity_table_size = 3;
  });
  for (const auto& [name, table] : {std::pair{"a falling table", &m.falling},
                                    {"a table that begins at 1", &m.from_one},
                                    {"NaN in a table", &m.with_gap}}) {
    refused(name, profile, [&, &values = *table](Data& d) {
      d.linearity_table = values.data();
      d.linearity_table_size = values.size();
      d.linearity_step_dn = 100;
    });
  }
  refused("a table larger than memory can be", argument, [&](Data& d) {
    d.linearity_table = m.table.data();
    d.linearity_table_size = UINT64_MAX;
  });
  refused("a polynomial of zeros", profile, [](Data& d) { d.linearity[0] = 0; });
  refused("a polynomial that falls", profile, [](Data& d) { d.linearity[1] = -1; });
  refused("NaN in the polynomial", profile, [](Data& d) { d.linearity[2] = nan; });
  for (const double level : {nan, 0.0, -1.0}) refused("saturation", profile, [&](Data& d) { d.saturation_dn = level; });
  for (const double time : {0.0, -1.0, inf}) refused("exposure", profile, [&](Data& d) { d.exposure_ms = time; });
  refused("a range backwards", profile, [](Data& d) {
    d.exposure_min_ms = 20;
    d.exposure_max_ms = 10;
  });
  refused("half a range", profile, [](Data& d) { d.exposure_min_ms = 20; });
  refused("half a range", profile, [](Data& d) { d.exposure_max_ms = 20; });
  refused("a mean exposure without its spread", profile, [](Data& d) { d.dark_mean_exposure_ms = 5; });
  for (const double gain : {0.0, -1.0, inf, 1e300, 1e-300})
    refused("gain", profile, [&](Data& d) { d.gain_dn_per_e = gain; });
  for (const double noise : {-1.0, inf}) refused("read noise", profile, [&](Data& d) { d.read_noise_dn = noise; });
  for (const double r : {0.0, -2.0, inf}) refused("response", profile, [&](Data& d) { d.response_nm_per_dn_ms = r; });

  const pyicg_profile_data data = c_scene::profile_data();
  pyicg_profile* out = nullptr;
  pyicg_error error = pyicg_no_error();
  expect("profile: NULL data", pyicg_profile_create(nullptr, &out, &error), argument, error, out, out);
  error = pyicg_no_error();
  expect("profile: NULL out", pyicg_profile_create(&data, nullptr, &error), argument, error, data, data);
  error = pyicg_no_error();
  expect("profile: data askew", pyicg_profile_create(askew(&data), &out, &error), argument, error, data, data);
  error = pyicg_no_error();
  expect("profile: out askew", pyicg_profile_create(&data, askew(&out), &error), argument, error, data, data);
  pyicg_profile_destroy(nullptr);

  pyicg_error small = pyicg_no_error();  // what is too small, or askew, is not written to
  small.struct_size -= 1;
  const pyicg_error before = small;
  for (pyicg_error* wrong : {&small, askew(&small)}) {
    out = reinterpret_cast<pyicg_profile*>(&small);
    check::equal(pyicg_profile_create(&data, &out, wrong), argument);
    check::is_true(out == nullptr, "no profile");
  }
  check::is_true(std::memcmp(&small, &before, sizeof small) == 0, "an untouched error");
  calls += 2;
}

void scorers(const pyicg::c::Profile& profile) {
  const auto refused = [&](const char* name, pyicg_status expected,
                           const std::function<void(pyicg_scorer_options&)>& spoil) {
    pyicg_scorer_options options = c_scene::options(PYICG_VIEW_SECTION);
    spoil(options);
    pyicg_scorer* scorer = nullptr;
    pyicg_error error = pyicg_no_error();
    const pyicg_scorer_options before = options;
    const pyicg_status found = pyicg_scorer_create(profile.get(), &options, &scorer, &error);
    expect(std::string("scorer: ") + name, found, expected, error, options, before);
    check::is_true(scorer == nullptr, "no scorer");
    pyicg_scorer_destroy(scorer);
  };
  using Options = pyicg_scorer_options;
  refused("struct_size 0", PYICG_ERROR_ARGUMENT, [](Options& o) { o.struct_size = 0; });
  refused("struct_size of nothing known", PYICG_ERROR_ARGUMENT, [](Options& o) { o.struct_size = 47; });
  refused("struct_size between two versions", PYICG_ERROR_ARGUMENT, [](Options& o) { o.struct_size -= 8; });
  refused("no view", PYICG_ERROR_ARGUMENT, [](Options& o) { o.view = 2; });
  for (const double cut : {1.0, 0.0, -1.0, nan, inf}) {
    refused("SBR cut", PYICG_ERROR_INPUT, [&](Options& o) { o.sbr_cut = cut; });
  }
  for (const double size : {0.0, -1.0, inf, std::numeric_limits<double>::max(), 1e-200}) {
    refused("pixel size", PYICG_ERROR_UNIT, [&](Options& o) { o.pixel_size_mm = size; });
  }
  for (const double area : {0.5, -1.0, inf}) {
    refused("area", PYICG_ERROR_INPUT, [&](Options& o) { o.min_area_px = area; });
  }
  for (const double sigma : {0.0, 0.4, 101.0, nan}) {
    refused("smoothing", PYICG_ERROR_INPUT, [&](Options& o) { o.smooth_px = sigma; });
  }
  for (const double sigma : {-1.0, inf}) {
    refused("blur", PYICG_ERROR_INPUT, [&](Options& o) { o.psf_sigma_px = sigma; });
  }
  refused("without_lesions 2", PYICG_ERROR_ARGUMENT, [](Options& o) { o.without_lesions = 2; });
  refused("a section without lesions", PYICG_ERROR_INPUT, [](Options& o) { o.without_lesions = 1; });

  const pyicg_scorer_options options = c_scene::options(PYICG_VIEW_BED);
  pyicg_scorer* out = nullptr;
  const auto call = [&](const char* name, const pyicg_profile* p, const pyicg_scorer_options* o, pyicg_scorer** to) {
    pyicg_error error = pyicg_no_error();
    const pyicg_status found = pyicg_scorer_create(p, o, to, &error);
    expect(std::string("scorer: ") + name, found, PYICG_ERROR_ARGUMENT, error, options, options);
  };
  const pyicg::c::Scorer other(profile, options);
  call("NULL profile", nullptr, &options, &out);
  call("NULL options", profile.get(), nullptr, &out);
  call("NULL out", profile.get(), &options, nullptr);
  call("a profile askew", askew(profile.get()), &options, &out);
  call("options askew", profile.get(), askew(&options), &out);
  call("out askew", profile.get(), &options, askew(&out));
  call("a scorer for a profile", reinterpret_cast<const pyicg_profile*>(other.get()), &options, &out);
  check::is_true(out == nullptr, "no scorer");
  pyicg_scorer_destroy(nullptr);
  pyicg_scorer_destroy(reinterpret_cast<pyicg_scorer*>(const_cast<pyicg_profile*>(profile.get())));  // left alone
  check::is_true(pyicg::c::Scorer(profile, options).get() != nullptr, "a profile that still serves");
}

void frames(const pyicg::c::Profile& profile) {
  const pyicg::c::Scorer scorer(profile, c_scene::options(PYICG_VIEW_BED));
  const std::vector<std::uint16_t> pixels = c_scene::pixels();
  std::vector<std::uint16_t> over = pixels;
  over[5] = 4096;  // more than 12 bits
  pyicg_frame good = c_scene::frame(pixels);
  good.timestamp_ns = 77;
  const std::int64_t row = good.stride_bytes;
  pyicg_frame_score last = pyicg_empty_score();
  check::equal(pyicg_scorer_score(scorer.get(), &good, &last, nullptr), PYICG_OK);
  const auto refused = [&](const char* name, pyicg_status expected, const std::function<void(pyicg_frame&)>& spoil) {
    pyicg_frame frame = good;
    spoil(frame);
    pyicg_frame_score score = last;
    pyicg_error error = pyicg_no_error();
    const pyicg_frame before = frame;
    const pyicg_status found = pyicg_scorer_score(scorer.get(), &frame, &score, &error);
    expect(std::string("frame: ") + name, found, expected, error, frame, before);
    check::is_true(c_scene::knows_nothing(score), "nothing of the frame before");
    check::equal(score.timestamp_ns, frame.struct_size < sizeof frame ? 0U : frame.timestamp_ns);
    std::uint64_t count = 9;
    check::equal(pyicg_scorer_mask(scorer.get(), nullptr, 0, &count), PYICG_OK);
    check::equal(count, 0U);  // a failed score leaves nothing to read
  };
  using Frame = pyicg_frame;
  constexpr pyicg_status argument = PYICG_ERROR_ARGUMENT;
  constexpr pyicg_status input = PYICG_ERROR_INPUT;
  refused("struct_size 0", argument, [](Frame& f) { f.struct_size = 0; });
  refused("struct_size short by one", argument, [](Frame& f) { f.struct_size -= 1; });
  refused("NULL pixels", argument, [](Frame& f) { f.data = nullptr; });
  refused("pixels askew", argument, [](Frame& f) { f.data = static_cast<const char*>(f.data) + 1; });
  refused("float pixels askew", argument, [](Frame& f) {
    f.pixel_format = PYICG_PIXEL_F32;
    f.data = static_cast<const char*>(f.data) + 2;
    f.stride_bytes *= 2;
  });
  for (const std::uint32_t format : {0U, 6U, UINT32_MAX}) {
    refused("no pixel format", argument, [&](Frame& f) { f.pixel_format = format; });
  }
  for (const std::int64_t stride :
       {row - 2, 2 - row, std::int64_t{0}, row + 1, std::numeric_limits<std::int64_t>::min(),
        std::numeric_limits<std::int64_t>::max()}) {
    refused("stride", argument, [&](Frame& f) { f.stride_bytes = stride; });
  }
  refused("the stride of 16-bit pixels for float", argument, [](Frame& f) { f.pixel_format = PYICG_PIXEL_F32; });
  for (const std::uint64_t size : {UINT64_MAX, UINT64_MAX / 2, std::uint64_t{1} << 63}) {
    refused("height", argument, [&](Frame& f) { f.height = size; });
    refused("width", argument, [&](Frame& f) { f.width = size; });
  }
  for (const std::uint32_t format : {PYICG_PIXEL_MONO10P, PYICG_PIXEL_MONO12P}) {
    refused("a packed row that is short", argument, [&](Frame& f) {
      f.pixel_format = format;
      f.stride_bytes = static_cast<std::int64_t>(f.width * 10 / 8);
    });
    refused("a packed height", argument, [&](Frame& f) {
      f.pixel_format = format;
      f.height = UINT64_MAX;
    });
    refused("a packed width", argument, [&](Frame& f) {
      f.pixel_format = format;
      f.width = UINT64_MAX;
    });
    refused("another packed height", input, [&](Frame& f) {
      f.pixel_format = format;
      f.height -= 1;
    });
    refused("a larger packed height", input, [&](Frame& f) {
      f.pixel_format = format;
      f.height += 1000;
    });
    refused("a larger packed width", input, [&](Frame& f) {
      f.pixel_format = format;
      f.width = f.width * 16 / 12;
    });
    refused("more packed pixels than memory holds", input, [&](Frame& f) {
      f.pixel_format = format;
      f.height = std::uint64_t{1} << 30;
    });
    refused("no packed rows", input, [&](Frame& f) {
      f.pixel_format = format;
      f.height = 0;
    });
  }
  refused("no rows", input, [](Frame& f) { f.height = 0; });
  refused("no columns", input, [](Frame& f) { f.width = 0; });
  refused("another height", input, [](Frame& f) { f.height -= 1; });
  refused("another width", input, [](Frame& f) { f.width -= 1; });
  refused("rows and columns exchanged", input, [](Frame& f) { std::swap(f.height, f.width); });
  for (const double time : {0.0, -1.0, inf}) {
    refused("exposure", PYICG_ERROR_UNIT, [&](Frame& f) { f.exposure_ms = time; });
  }
  for (const double time : {1e-18, 1e18, 1e-300}) {
    refused("exposure of no camera", PYICG_ERROR_UNIT, [&](Frame& f) { f.exposure_ms = time; });
  }
  refused("gain", PYICG_ERROR_UNIT, [](Frame& f) { f.gain_db = inf; });
  refused("a count over saturation", input, [&](Frame& f) { f.data = over.data(); });

  pyicg_frame_score score = pyicg_empty_score();
  const auto call = [&](const char* name, pyicg_scorer* s, const pyicg_frame* f, pyicg_frame_score* to) {
    pyicg_error error = pyicg_no_error();
    const pyicg_frame_score before = score = last;
    const pyicg_status found = pyicg_scorer_score(s, f, to, &error);
    expect(std::string("score: ") + name, found, argument, error, good, good);
    check::is_true(to == &score ? c_scene::knows_nothing(score) : c_scene::same(score, before),
                   "no score, or untouched");
  };
  call("NULL scorer", nullptr, &good, &score);
  call("NULL frame", scorer.get(), nullptr, &score);
  call("NULL score", scorer.get(), &good, nullptr);
  call("a scorer askew", askew(scorer.get()), &good, &score);
  call("a frame askew", scorer.get(), askew(&good), &score);
  call("a score askew", scorer.get(), &good, askew(&score));
  call("a profile for a scorer", reinterpret_cast<pyicg_scorer*>(const_cast<pyicg_profile*>(profile.get())), &good,
       &score);
  const double isotropy = last.isotropy;
  for (const std::uint32_t size : {0U, 735U, 740U}) {
    last.struct_size = size;
    pyicg_error error = pyicg_no_error();
    const pyicg_status found = pyicg_scorer_score(scorer.get(), &good, &last, &error);
    expect("score: a size of no version", found, argument, error, last.isotropy, isotropy);
  }
  score = pyicg_empty_score();
  check::equal(pyicg_scorer_score(scorer.get(), &good, &score, nullptr), PYICG_OK);  // it still serves
  pyicg_error zeros;  // the last score is gone with this one, too
  std::memset(&zeros, 0, sizeof zeros);
  std::uint64_t count = 9;
  check::equal(pyicg_scorer_score(scorer.get(), &good, &score, &zeros), argument);
  check::equal(zeros.status, 0U);
  check::equal(pyicg_scorer_data(scorer.get(), nullptr, 0, &count), PYICG_OK);
  check::equal(count, 0U);
  ++calls;
}

// Calls that have no error struct: the status alone, and an untouched count.
void reading(const pyicg::c::Profile& profile) {
  pyicg::c::Scorer scorer(profile, c_scene::options(PYICG_VIEW_SECTION));
  const std::vector<std::uint16_t> pixels = c_scene::pixels();
  scorer.score(c_scene::frame(pixels));
  std::uint64_t count = 77;
  const auto refused = [&](pyicg_status found) {
    ++calls;
    check::equal(found, PYICG_ERROR_ARGUMENT);
    check::equal(count, 77U);
  };
  pyicg_scorer* s = scorer.get();
  pyicg_lesion lesions[1];
  pyicg_hot_spot spots[1];
  double yx[4];
  float values[1];
  std::uint8_t mask[1];
  auto* const no_scorer = reinterpret_cast<pyicg_scorer*>(const_cast<pyicg_profile*>(profile.get()));
  for (pyicg_scorer* wrong : {static_cast<pyicg_scorer*>(nullptr), askew(s), no_scorer}) {
    refused(pyicg_scorer_lesions(wrong, lesions, 1, &count));
    refused(pyicg_scorer_hot_spots(wrong, spots, 1, &count));
    refused(pyicg_scorer_contour(wrong, 0, 0, yx, 4, &count));
    refused(pyicg_scorer_data(wrong, values, 1, &count));
    refused(pyicg_scorer_mask(wrong, mask, 1, &count));
  }
  refused(pyicg_scorer_lesions(s, nullptr, 1, &count));
  refused(pyicg_scorer_hot_spots(s, nullptr, UINT64_MAX, &count));
  refused(pyicg_scorer_contour(s, 0, 0, nullptr, 2, &count));
  refused(pyicg_scorer_data(s, nullptr, 1, &count));
  refused(pyicg_scorer_mask(s, nullptr, 1, &count));
  refused(pyicg_scorer_lesions(s, askew(lesions), 1, &count));
  refused(pyicg_scorer_contour(s, 0, 0, askew(yx), 2, &count));
  refused(pyicg_scorer_data(s, askew(values), 1, &count));
  for (std::uint64_t* wrong : {static_cast<std::uint64_t*>(nullptr), askew(&count)}) {
    refused(pyicg_scorer_lesions(s, lesions, 1, wrong));
    refused(pyicg_scorer_hot_spots(s, spots, 1, wrong));
    refused(pyicg_scorer_contour(s, 0, 0, yx, 4, wrong));
    refused(pyicg_scorer_data(s, values, 1, wrong));
    refused(pyicg_scorer_mask(s, mask, 1, wrong));
  }
  refused(pyicg_scorer_contour(s, 1, 0, yx, 4, &count));  // there is one lesion
  refused(pyicg_scorer_contour(s, UINT64_MAX, 0, yx, 4, &count));
  refused(pyicg_scorer_contour(s, 0, 2, yx, 4, &count));
  refused(pyicg_scorer_contour(s, 0, -1, yx, 4, &count));
  check::is_true(pyicg_status_string(UINT32_MAX) == nullptr, "no such status");
  check::is_true(pyicg_reason_string(UINT32_MAX) == nullptr, "no such reason");
  calls += 2;
}

}  // namespace

int main() {
  profiles();
  const pyicg::c::Profile profile(c_scene::profile_data());
  scorers(profile);
  frames(profile);
  reading(profile);
  std::cout << calls << " wrong calls\n";
  check::is_true(calls >= 150, "at least 150 wrong calls");
  return check::result();
}
