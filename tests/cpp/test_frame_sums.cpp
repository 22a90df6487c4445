#include "pyicg/frame_sums.hpp"

#include <cstdint>
#include <vector>

#include "check.hpp"
#include "scene.hpp"

using namespace pyicg;

namespace {

// Counts of every size, zero and full scale among them.
template <class T>
std::vector<T> random_frame(std::size_t size, std::uint32_t full_scale, scene::Normal& random) {
  std::vector<T> frame(size);
  for (auto& v : frame) {
    const double u = random.uniform();
    v = static_cast<T>(u < 0.1 ? 0 : u > 0.9 ? full_scale : full_scale * random.uniform());
  }
  return frame;
}

template <class T>
void against_naive(std::size_t height, std::size_t width, std::uint32_t full_scale, std::size_t frames) {
  scene::Normal random(static_cast<std::uint32_t>(height * 100 + width));
  const std::size_t size = height * width;
  FrameSums sums(height, width, full_scale);
  std::vector<std::int64_t> sum(size);
  std::vector<std::int64_t> squares(size);
  std::vector<std::int64_t> steps(size);
  std::vector<std::int64_t> totals;
  std::int64_t zeros = 0;
  std::int64_t saturated = 0;
  std::vector<T> before;
  for (std::size_t k = 0; k < frames; ++k) {
    const auto frame = random_frame<T>(size, full_scale, random);
    totals.push_back(0);
    for (std::size_t i = 0; i < size; ++i) {
      const std::int64_t v = frame[i];
      sum[i] += v;
      squares[i] += v * v;
      if (k > 0) steps[i] += (v - before[i]) * (v - before[i]);
      totals.back() += v;
      zeros += v == 0;
      saturated += v == full_scale;
    }
    before = frame;
    if (k % 2 == 0) {
      sums.add(ImageView<const T>(frame.data(), height, width));
    } else {  // the same pixels bottom up with padded rows
      const std::size_t pitch = width + 3;
      std::vector<T> flipped(height * pitch, T{1});
      for (std::size_t i = 0; i < size; ++i) flipped[(height - 1 - i / width) * pitch + i % width] = frame[i];
      const auto stride = -static_cast<std::ptrdiff_t>(pitch * sizeof(T));
      sums.add(ImageView<const T>(flipped.data() + (height - 1) * pitch, height, width, stride));
    }
  }
  check::equal(sums.n(), frames);
  check::is_true(sums.sum() == sum, "the exact sums");
  check::is_true(sums.sum_squares() == squares, "the exact sums of squares");
  check::is_true(sums.step_squares() == steps, "the exact squared steps");
  check::is_true(sums.frame_totals() == totals, "the exact frame totals");
  check::equal(sums.zeros(), zeros);
  check::equal(sums.saturated(), saturated);
}

void largest_steps() {
  // 0 to 65535 and back: the widest step there is, whose square needs all 32 bits.
  FrameSums sums(1, 2, 65535);
  for (int k = 0; k < 5; ++k) {
    const std::uint16_t even = k % 2 == 0 ? 0 : 65535;
    const std::vector<std::uint16_t> frame{even, static_cast<std::uint16_t>(65535 - even)};
    sums.add(ImageView<const std::uint16_t>(frame.data(), 1, 2));
  }
  const std::int64_t square = 65535LL * 65535LL;
  check::equal(sums.step_squares()[0], 4 * square);
  check::equal(sums.step_squares()[1], 4 * square);
  check::equal(sums.sum_squares()[0], 2 * square);
  check::equal(sums.sum_squares()[1], 3 * square);
}

void refusals() {
  check::throws(ErrorKind::input, [] { FrameSums(0, 3, 255); });
  check::throws(ErrorKind::input, [] { FrameSums(2, 3, 0); });
  check::throws(ErrorKind::input, [] { FrameSums(2, 3, 65536); });
  FrameSums sums(2, 3, 4095);
  std::vector<std::uint16_t> frame{1, 2, 3, 4, 5, 6};
  sums.add(ImageView<const std::uint16_t>(frame.data(), 2, 3));
  const auto before = sums.sum();
  check::throws(ErrorKind::input, [&] { sums.add(ImageView<const std::uint16_t>(frame.data(), 3, 2)); });
  frame[5] = 4096;
  check::throws(ErrorKind::input, [&] { sums.add(ImageView<const std::uint16_t>(frame.data(), 2, 3)); });
  check::equal(sums.n(), std::size_t{1});
  check::is_true(sums.sum() == before, "sums that a refused frame leaves alone");
}

}  // namespace

int main() {
  against_naive<std::uint8_t>(7, 33, 255, 5);
  against_naive<std::uint8_t>(1, 1, 15, 4);
  against_naive<std::uint16_t>(13, 40, 65535, 6);
  against_naive<std::uint16_t>(5, 17, 4095, 1);
  largest_steps();
  refusals();
  return check::result();
}
