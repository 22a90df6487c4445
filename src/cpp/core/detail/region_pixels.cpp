#include "region_pixels.hpp"

#include <algorithm>
#include <bit>

#include "../../kernels/pixel_bits.hpp"
#include "pyicg/calibrate.hpp"

namespace pyicg::detail {
namespace {

constexpr std::size_t word = 64;
constexpr std::uint64_t all_ones = ~std::uint64_t{0};

std::size_t ones(std::uint64_t bits) { return static_cast<std::size_t>(std::popcount(bits)); }
std::size_t lowest(std::uint64_t bits) { return static_cast<std::size_t>(std::countr_zero(bits)); }
std::size_t end_of(std::uint64_t bits) { return static_cast<std::size_t>(std::bit_width(bits)); }

}  // namespace

RegionPixels::RegionPixels(ImageView<const float> data)
    : data_(data), stride_(kernels::words_of(data.width)), words_(stride_ * data.height), rows_(data.height) {}

RegionPixels::Count RegionPixels::select_row(std::size_t y, ImageView<const std::uint8_t> mask,
                                             ImageView<const std::uint8_t> region,
                                             std::vector<std::uint64_t>& scratch) {
  const kernels::BitKernels& kernel = kernels::bit_kernels();
  const std::span<std::uint64_t> words = std::span(words_).subspan(y * stride_, stride_);
  Row& row = rows_[y];
  if (region.data == nullptr) {
    std::fill(words.begin(), words.end(), all_ones);
    if (data_.width % word != 0) words.back() >>= word - data_.width % word;
    row.last = stride_;
  } else {
    if (kernel.all_bits(region.row(y), region.width) == 0) return {};
    kernel.any_of(region.row(y), 0xFF, region.width, words.data());
    row.last = stride_;
    while (words[row.first] == 0) ++row.first;
    while (words[row.last - 1] == 0) --row.last;
  }
  const std::size_t from = row.first * word;
  const std::size_t width = std::min(row.last * word, data_.width) - from;
  const std::span<std::uint64_t> used = words.subspan(row.first, row.last - row.first);
  Count count;
  for (const std::uint64_t bits : used) count.asked += ones(bits);

  scratch.resize(used.size());
  const std::uint8_t* const lost = mask.row(y) + from;
  const std::uint8_t seen = kernel.all_bits(lost, width);
  if ((seen & mask_saturated) != 0) {
    kernel.any_of(lost, mask_saturated, width, scratch.data());
    for (std::size_t i = 0; i < used.size(); ++i) count.saturated += ones(used[i] & scratch[i]);
  }
  if ((seen & mask_left_out) != 0) {
    kernel.any_of(lost, mask_left_out, width, scratch.data());
    for (std::size_t i = 0; i < used.size(); ++i) used[i] &= ~scratch[i];
  }
  kernel.finite(data_.row(y) + from, width, scratch.data());
  for (std::size_t i = 0; i < used.size(); ++i) {
    used[i] &= scratch[i];
    row.n += ones(used[i]);
  }
  if (row.n == 0) return count;
  while (words[row.first] == 0) ++row.first;
  while (words[row.last - 1] == 0) --row.last;
  return count;
}

std::span<const float> RegionPixels::row(std::size_t y, std::vector<float>& buffer) const {
  const Row& row = rows_[y];
  if (row.n == 0) return {};
  const std::uint64_t* const words = words_.data() + y * stride_;
  const float* const values = data_.row(y);
  const std::size_t first = row.first * word + lowest(words[row.first]);
  const std::size_t end = (row.last - 1) * word + end_of(words[row.last - 1]);
  if (end - first == row.n) return {values + first, row.n};

  buffer.resize(std::max(buffer.size(), row.n));
  float* out = buffer.data();
  for (std::size_t i = row.first; i < row.last; ++i) {
    const std::uint64_t bits = words[i];
    if (bits == 0) continue;
    const float* const from = values + i * word;
    if (bits == all_ones) {
      std::size_t past = i + 1;
      while (past < row.last && words[past] == all_ones) ++past;
      out = std::copy(from, values + past * word, out);
      i = past - 1;
      continue;
    }
    const std::size_t begin = lowest(bits);
    const std::size_t past = end_of(bits);
    if (past - begin == ones(bits)) {
      out = std::copy(from + begin, from + past, out);
      continue;
    }
    for (std::uint64_t left = bits; left != 0; left &= left - 1) *out++ = from[lowest(left)];
  }
  return {buffer.data(), row.n};
}

}  // namespace pyicg::detail
