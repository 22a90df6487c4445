// Every allocation behind the C interface fails once, and once with all that follow: a status, no leak, and a handle
// that serves the next call as if nothing had been.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "c_scene.hpp"
#include "check.hpp"
#include "heap.hpp"
#include "pyicg/pyicg.h"

namespace {

// Calls work(), which says how often it asked for memory, with the first allocation failing, the one `step` after it,
// ... until none is left to fail.
template <class Work>
std::size_t starve(std::size_t step, const Work& work) {
  for (std::size_t n = 0;; n += step) {
    heap::failing = n;
    if (work() > n) continue;
    heap::failing = SIZE_MAX;
    return n;
  }
}

// Runs call() on a heap that fails as told, and returns how often it asked for memory.
template <class Call>
std::size_t counted(pyicg_status& status, const Call& call) {
  heap::allocations = 0;
  heap::counting = true;
  status = call();
  heap::counting = false;
  return heap::allocations;
}

void profiles() {
  const std::vector<float> map(c_scene::height * c_scene::width, 1.0F);
  pyicg_profile_data data = c_scene::profile_data();
  data.dark = data.flat = data.gain_map = map.data();
  const std::size_t failed = starve(1, [&] {
    pyicg_profile* profile = nullptr;
    pyicg_error error = pyicg_no_error();
    pyicg_status status = PYICG_OK;
    const std::size_t asked = counted(status, [&] { return pyicg_profile_create(&data, &profile, &error); });
    if (status != PYICG_OK) {
      check::equal(status, PYICG_ERROR_MEMORY);
      check::is_true(profile == nullptr, "no profile");
      check::equal(error.status, std::uint32_t{PYICG_ERROR_MEMORY});
    } else {
      check::is_true(asked <= heap::failing, "a failure that is told");
    }
    pyicg_profile_destroy(profile);
    return asked;
  });
  check::is_true(failed > 5 && failed < 200, "several allocations, and none for a pixel");
}

void scorers(const pyicg_profile* profile, pyicg_view view, std::uint32_t threads, std::size_t step) {
  const std::vector<std::uint16_t> pixels = c_scene::pixels();
  const pyicg_frame frame = c_scene::frame(pixels);
  pyicg_scorer_options options = c_scene::options(view);
  options.threads = threads;
  pyicg_status status = PYICG_OK;
  const std::size_t made = starve(step, [&] {
    pyicg_scorer* scorer = nullptr;
    const std::size_t asked = counted(status, [&] { return pyicg_scorer_create(profile, &options, &scorer, nullptr); });
    check::equal(status, asked > heap::failing ? PYICG_ERROR_MEMORY : PYICG_OK);
    check::is_true((scorer != nullptr) == (status == PYICG_OK), "a scorer, or an error");
    pyicg_scorer_destroy(scorer);
    return asked;
  });
  check::is_true(made > 1, "several allocations");

  pyicg_scorer* calm = nullptr;
  pyicg_frame_score expected = pyicg_empty_score();
  check::equal(pyicg_scorer_create(profile, &options, &calm, nullptr), PYICG_OK);
  check::equal(pyicg_scorer_score(calm, &frame, &expected, nullptr), PYICG_OK);
  check::equal(expected.n_lesions, 1U);
  pyicg_scorer_destroy(calm);

  const std::size_t scored = starve(step, [&] {
    pyicg_scorer* scorer = nullptr;
    check::equal(pyicg_scorer_create(profile, &options, &scorer, nullptr), PYICG_OK);
    pyicg_frame_score score = pyicg_empty_score();
    const std::size_t asked = counted(status, [&] { return pyicg_scorer_score(scorer, &frame, &score, nullptr); });
    if (status == PYICG_OK) {  // what can be done without is done without: a thread, room to sort in
      check::is_true(c_scene::same(score, expected), "the same score");
    } else {
      check::equal(status, PYICG_ERROR_MEMORY);
      check::is_true(c_scene::knows_nothing(score), "no score");
      std::uint64_t count = 9;
      check::equal(pyicg_scorer_lesions(scorer, nullptr, 0, &count), PYICG_OK);
      check::equal(count, 0U);
    }
    check::equal(pyicg_scorer_score(scorer, &frame, &score, nullptr), PYICG_OK);
    check::is_true(c_scene::same(score, expected), "the same score after a failure");
    pyicg_scorer_destroy(scorer);
    return asked;
  });
  check::is_true(scored > 20, "many allocations");
}

}  // namespace

// In two halves, to run side by side.
int main(int count, char** words) {
  check::equal(count, 2);
  const bool bed = count == 2 && std::string_view(words[1]) == "bed";
  const pyicg_profile_data data = c_scene::profile_data();
  pyicg_profile* profile = nullptr;
  check::equal(pyicg_profile_create(&data, &profile, nullptr), PYICG_OK);
  if (bed) {
    scorers(profile, PYICG_VIEW_BED, 1, 1);
  } else {
    profiles();
    scorers(profile, PYICG_VIEW_SECTION, 1, 1);
    scorers(profile, PYICG_VIEW_BED, 2, 7);
    heap::for_good = true;
    profiles();
    scorers(profile, PYICG_VIEW_SECTION, 1, 7);
    scorers(profile, PYICG_VIEW_BED, 2, 7);
  }
  pyicg_profile_destroy(profile);
  return check::result();
}
