// Which pixels of a smoothed frame exceed Otsu's threshold (IEEE Trans. Syst. Man Cybern. 9 (1979) 62) of 256 levels
// between 0 and its largest value: one bit each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "../../kernels/gaussian.hpp"
#include "../../kernels/level_rows.hpp"
#include "pyicg/image_view.hpp"
#include "pyicg/runner.hpp"

namespace pyicg::detail {

using LevelCounts = std::array<std::uint64_t, kernels::grey_levels>;

// The last level of the darker class, the first of equally good ones; -1 where there are no two levels.
int otsu_level(const LevelCounts& counts);

// Where the data go divided by a level, on the way. No data pointer: nowhere.
struct RatioMap {
  ImageView<float> out;
  float level = 1;
};

// Keeps its buffers from frame to frame.
class OtsuBits {
 public:
  // Returns the threshold: pixels of the smoothed frame that exceed it are bright. NaN where no pixel is: one level
  // only, or no value over 0.
  float find(ImageView<const float> data, ImageView<const std::uint8_t> mask, double sigma, const RatioMap& ratio,
             const Threads& threads);

  // Of a row, see pixel_bits.hpp.
  [[nodiscard]] std::span<const std::uint64_t> row(std::size_t y) const;

 private:
  // What one share of the rows needs and finds.
  struct Share {
    std::uint8_t seen = 0;  // bits of the mask
    std::vector<float> lines;
    kernels::LevelPairs counts{};
    std::size_t missing = 0;
  };

  template <class Work>
  void share_rows(const Threads& threads, const Work& work);
  void leave_out(ImageView<const float> data, ImageView<const std::uint8_t> mask);
  void smooth_rows(ImageView<const float> data, const kernels::MirroredGaussian& blur, std::size_t y, Share& share);
  void count_row(std::size_t y, float scale, Share& share) const;
  void set_bits(std::size_t y, float cut);

  std::size_t height_ = 0;
  std::size_t width_ = 0;
  bool whole_ = true;  // every pixel takes part
  std::vector<float> smooth_;
  std::vector<float> most_;     // of the pixels of a word
  std::vector<float> filled_;   // where pixels are left out: the others, and 0
  std::vector<float> weights_;  // 1 and 0
  std::vector<float> blurred_weights_;
  std::vector<std::uint64_t> words_;
  std::vector<Share> shares_;
};

}  // namespace pyicg::detail
