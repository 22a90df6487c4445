// An SDK's wrapper in small: a camera thread fills a ring of frames, scoring threads take the oldest ones and read them
// where they are. A frame for which there is no free slot is dropped and counted. The camera is simulated.
// Usage: live_camera [SECONDS [FPS [HEIGHT WIDTH [SCORERS]]]]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <mutex>
#include <pyicg/handles.hpp>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

// Slots of frames. The camera takes a free one and gives it away when it is full, a scorer takes the oldest full one
// and gives it back: between the two nobody copies, and nobody reads what is being written.
class Ring {
 public:
  Ring(std::size_t slots, std::size_t pixels) : frames_(slots, std::vector<std::uint16_t>(pixels)), times_(slots) {
    for (std::size_t k = 0; k < slots; ++k) free_.push_back(k);
  }
  std::vector<std::uint16_t>& frame(std::size_t slot) { return frames_[slot]; }
  Clock::time_point time(std::size_t slot) const { return times_[slot]; }

  // False: every slot is full or being scored.
  bool take_free(std::size_t& slot) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return take(free_, slot);
  }
  void give_full(std::size_t slot, Clock::time_point exposed) {
    const std::lock_guard<std::mutex> lock(mutex_);
    times_[slot] = exposed;
    full_.push_back(slot);
    news_.notify_one();
  }
  // False: the camera has stopped and nothing is left.
  bool take_full(std::size_t& slot) {
    std::unique_lock<std::mutex> lock(mutex_);
    news_.wait(lock, [this] { return !full_.empty() || stopped_; });
    return take(full_, slot);
  }
  void give_free(std::size_t slot) {
    const std::lock_guard<std::mutex> lock(mutex_);
    free_.push_back(slot);
  }
  void stop() {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
    news_.notify_all();
  }

 private:
  static bool take(std::deque<std::size_t>& from, std::size_t& slot) {
    if (from.empty()) return false;
    slot = from.front();
    from.pop_front();
    return true;
  }

  std::vector<std::vector<std::uint16_t>> frames_;
  std::vector<Clock::time_point> times_;
  std::deque<std::size_t> free_, full_;
  std::mutex mutex_;
  std::condition_variable news_;
  bool stopped_ = false;
};

// A bed of 400 counts with grain and a bright patch of SBR 3, as the sensor would deliver it.
std::vector<std::uint16_t> simulated(std::size_t height, std::size_t width) {
  std::vector<std::uint16_t> pixels(height * width);
  std::uint32_t state = 1;
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      state = state * 1664525 + 1013904223;
      const double dy = static_cast<double>(y) - 0.4 * static_cast<double>(height);
      const double dx = static_cast<double>(x) - 0.6 * static_cast<double>(width);
      const bool patch = std::hypot(dy, dx) < 0.05 * static_cast<double>(width);
      pixels[y * width + x] = static_cast<std::uint16_t>((patch ? 1200 : 400) + (state >> 26));
    }
  }
  return pixels;
}

struct Counts {
  std::vector<double> latency_ms;
  std::uint64_t fluorescent = 0;
};

Counts score_frames(Ring& ring, const pyicg::c::Profile& profile, std::size_t height, std::size_t width) {
  pyicg_scorer_options options = pyicg_options_for(PYICG_VIEW_BED);
  options.without_lesions = 1;  // a live bed: sign, hot spots, contrasts and quality
  pyicg::c::Scorer scorer(profile, options);
  Counts counts;
  std::size_t slot = 0;
  while (ring.take_full(slot)) {
    pyicg_frame frame = pyicg_frame_of(ring.frame(slot).data(), PYICG_PIXEL_U16, height, width);
    const auto exposed = ring.time(slot);
    frame.timestamp_ns = static_cast<std::uint64_t>(exposed.time_since_epoch().count());
    const pyicg_frame_score score = scorer.score(frame);
    ring.give_free(slot);
    counts.fluorescent += score.sign == PYICG_SIGN_POSITIVE ? 1 : 0;
    counts.latency_ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - exposed).count());
  }
  return counts;
}

void print(std::vector<double> ms, std::uint64_t dropped, std::uint64_t fluorescent) {
  std::sort(ms.begin(), ms.end());
  const auto at = [&](double share) {
    return ms[static_cast<std::size_t>(share * static_cast<double>(ms.size() - 1))];
  };
  std::printf("scored %zu\ndropped %llu\nfluorescent %llu\n", ms.size(), static_cast<unsigned long long>(dropped),
              static_cast<unsigned long long>(fluorescent));
  if (ms.empty()) return;
  std::printf("latency ms: p50 %.1f, p90 %.1f, p99 %.1f, worst %.1f\n", at(0.5), at(0.9), at(0.99), ms.back());
  for (double low = 0; low < 640; low = low == 0 ? 10 : 2 * low) {
    const double high = low == 0 ? 10 : 2 * low;
    const auto in =
        std::count_if(ms.begin(), ms.end(), [&](double t) { return t >= low && (t < high || high >= 640); });
    std::printf("%4.0f to %4.0f ms  %6lld  %s\n", low, high, static_cast<long long>(in),
                std::string(static_cast<std::size_t>(60 * in / static_cast<long long>(ms.size())), '#').c_str());
  }
}

int run(double seconds, double fps, std::size_t height, std::size_t width, std::size_t scorers) {
  const pyicg::c::Profile profile(pyicg_identity_profile(height, width, 4095));
  Ring ring(8, height * width);
  std::vector<Counts> counts(scorers);
  std::vector<std::thread> threads;
  std::atomic<bool> failed{false};
  for (Counts& own : counts) {
    threads.emplace_back([&] {
      try {
        own = score_frames(ring, profile, height, width);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        failed = true;
      }
    });
  }
  const std::vector<std::uint16_t> picture = simulated(height, width);
  const auto start = Clock::now();
  const auto frames = static_cast<std::uint64_t>(seconds * fps);
  std::uint64_t dropped = 0;
  for (std::uint64_t k = 0; k < frames; ++k) {
    const auto due = start + std::chrono::duration_cast<Clock::duration>(
                                 std::chrono::duration<double>(static_cast<double>(k) / fps));
    std::this_thread::sleep_until(due);
    std::size_t slot = 0;
    if (!ring.take_free(slot)) {
      ++dropped;
      continue;
    }
    // In place of the camera's DMA.
    std::memcpy(ring.frame(slot).data(), picture.data(), picture.size() * sizeof picture[0]);
    ring.give_full(slot, due);
  }
  ring.stop();
  for (std::thread& thread : threads) thread.join();
  Counts all;
  for (const Counts& own : counts) {
    all.latency_ms.insert(all.latency_ms.end(), own.latency_ms.begin(), own.latency_ms.end());
    all.fluorescent += own.fluorescent;
  }
  std::printf("Research software, not a medical device. Simulated camera: %.0f frames/s of %zu x %zu, %zu scorers\n",
              fps, height, width, scorers);
  print(all.latency_ms, dropped, all.fluorescent);
  return failed ? 1 : 0;
}

double argument(int argc, char** argv, int k, double otherwise) {
  return argc > k ? std::strtod(argv[k], nullptr) : otherwise;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const double fps = argument(argc, argv, 2, 60);
    const auto height = static_cast<std::size_t>(argument(argc, argv, 3, 1080));
    const auto width = static_cast<std::size_t>(argument(argc, argv, 4, 1920));
    return run(argument(argc, argv, 1, 10), fps, height, width, static_cast<std::size_t>(argument(argc, argv, 5, 2)));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
