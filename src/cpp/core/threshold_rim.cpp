#include "pyicg/threshold_rim.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "../kernels/pixel_bits.hpp"
#include "detail/border.hpp"
#include "detail/number.hpp"
#include "detail/otsu_bits.hpp"
#include "detail/parallel.hpp"
#include "detail/ray_thickness.hpp"
#include "detail/runs.hpp"
#include "pyicg/calibrate.hpp"
#include "pyicg/distance.hpp"
#include "pyicg/error.hpp"

namespace pyicg {
namespace {

using detail::BorderKind;
using detail::Component;
using detail::Run;

std::string size_of(std::size_t height, std::size_t width) {
  return std::to_string(height) + " x " + std::to_string(width);
}

std::size_t length_of(const Run& run) { return run.last - run.first + 1; }

// A border's pixels within those of all borders, which move as they become more.
struct BorderRange {
  std::size_t rim;
  bool hole;
  std::size_t first, last;
};

// The box of one rim.
struct BoxBuffers {
  std::vector<std::uint8_t> mask;
  std::vector<float> distances;
};

struct Hole {
  std::size_t rim;
  BorderPixel start;  // where its border begins
};

void check(const ThresholdOptions& options) {
  if (!(options.smooth_px >= 0.5 && options.smooth_px <= 100)) {
    throw Error(ErrorKind::input, "smooth_px must be between 0.5 and 100, found " + detail::number(options.smooth_px));
  }
  if (!(options.min_area_px >= 1) || !std::isfinite(options.min_area_px)) {
    throw Error(ErrorKind::input, "min_area_px must be at least 1, found " + detail::number(options.min_area_px));
  }
}

}  // namespace

struct ThresholdRims::Parts {
  std::size_t height;
  std::size_t width;
  double threshold = nan;
  std::vector<std::uint8_t> rim_mask;
  std::vector<std::uint8_t> core_mask;
  std::vector<std::int32_t> labels;
  std::vector<float> distances;
  std::vector<float> sbr_map;
  bool has_sbr_map = false;
  std::vector<float> thickness;
  std::vector<RimBorder> borders;
  RegionStatistics sbr;

  detail::OtsuBits bright;
  detail::RunComponents regions;
  detail::RunComponents rest;          // what is no rim
  std::vector<std::int32_t> label_of;  // of a component of `regions`; 0: too small
  std::vector<Run> runs;               // of the rims, one rim after the other
  std::vector<std::size_t> first_run;  // of each rim, and how many runs there are
  std::vector<Component> rims;
  std::vector<Run> painted_holes;
  std::vector<Hole> holes;
  std::vector<BorderPixel> border_pixels;
  std::vector<BorderRange> border_ranges;
  std::vector<BoxBuffers> boxes;  // one for each thread
  std::vector<float> values;      // of the rims' pixels
  std::vector<std::uint8_t> value_mask;
  detail::RayThickness rays;

  Parts(std::size_t height_, std::size_t width_)
      : height(height_),
        width(width_),
        rim_mask(height * width),
        core_mask(height * width),
        labels(height * width),
        distances(height * width) {}

  template <class T, class Plane>
  void fill(Plane& plane, const Run& run, T value) {
    std::fill_n(plane.data() + run.y * width + run.first, length_of(run), value);
  }

  // What the last frame has painted.
  void clear() {
    for (const Run& run : runs) {
      fill(rim_mask, run, std::uint8_t{0});
      fill(labels, run, 0);
      fill(distances, run, 0.0F);
    }
    for (const Run& run : painted_holes) {
      fill(core_mask, run, std::uint8_t{0});
      fill(labels, run, 0);
    }
    painted_holes.clear();
    runs.clear();
    first_run.clear();
    rims.clear();
    holes.clear();
    border_pixels.clear();
    border_ranges.clear();
    borders.clear();
    thickness.clear();
    sbr = {};
  }

  void find_rims(double min_area_px) {
    regions.find(height, width, detail::Connectivity::eight, [&](std::size_t y, std::span<std::uint64_t> words) {
      std::ranges::copy(bright.row(y), words.begin());
    });
    label_of.clear();
    for (const Component& c : regions.components()) {
      const bool large = static_cast<double>(c.area) >= min_area_px;
      if (large) rims.push_back(c);
      label_of.push_back(large ? static_cast<std::int32_t>(rims.size()) : 0);
    }
  }

  // Holes are what neither a rim nor a way to the frame's border, side by side, belongs to.
  void find_holes() {
    const std::span<const Run> all = regions.runs();
    auto run = all.begin();
    rest.find(height, width, detail::Connectivity::four, [&](std::size_t y, std::span<std::uint64_t> words) {
      std::ranges::fill(words, ~std::uint64_t{0});
      if (width % 64 != 0) words.back() >>= 64 - width % 64;
      for (; run != all.end() && run->y == y; ++run) {
        if (label_of[run->component] == 0) continue;
        for (std::size_t w = run->first / 64; w <= run->last / 64; ++w) {
          const std::uint64_t from = w == run->first / 64 ? ~std::uint64_t{0} << run->first % 64 : ~std::uint64_t{0};
          const std::uint64_t to = w == run->last / 64 ? ~std::uint64_t{0} >> (63 - run->last % 64) : ~std::uint64_t{0};
          words[w] &= ~(from & to);
        }
      }
    });
  }

  void paint_rims() {
    regions.sort_by_component();
    for (const Run& run : regions.runs()) {
      const std::int32_t label = label_of[run.component];
      if (label == 0) continue;
      if (first_run.size() < static_cast<std::size_t>(label)) first_run.push_back(runs.size());
      runs.push_back(run);
      fill(rim_mask, run, std::uint8_t{1});
      fill(labels, run, label);
    }
    first_run.push_back(runs.size());
  }

  void paint_holes() {
    label_of.assign(rest.components().size(), 0);  // from here on those of the holes
    for (const Run& run : rest.runs()) {
      if (rest.components()[run.component].touches_border) continue;
      std::int32_t& label = label_of[run.component];
      if (label == 0) {  // its first pixel: what lies to the left of it surrounds the hole
        label = labels[run.y * width + run.first - 1];
        holes.push_back({static_cast<std::size_t>(label - 1),
                         {static_cast<std::int32_t>(run.y), static_cast<std::int32_t>(run.first) - 1}});
      }
      fill(core_mask, run, std::uint8_t{1});
      fill(labels, run, label);
      painted_holes.push_back(run);
    }
    std::ranges::stable_sort(holes, {}, &Hole::rim);
  }

  void follow_borders() {
    const ImageView<const std::uint8_t> mask(rim_mask.data(), height, width);
    const auto follow = [&](std::size_t rim, const BorderPixel& start, BorderKind kind) {
      const std::size_t first = border_pixels.size();
      detail::follow_border(mask, start, kind, border_pixels);
      border_ranges.push_back({rim, kind == BorderKind::hole, first, border_pixels.size()});
    };
    auto hole = holes.begin();
    for (std::size_t k = 0; k < rims.size(); ++k) {
      const Run& run = runs[first_run[k]];
      follow(k, {static_cast<std::int32_t>(run.y), static_cast<std::int32_t>(run.first)}, BorderKind::outer);
      for (; hole != holes.end() && hole->rim == k; ++hole) follow(k, hole->start, BorderKind::hole);
    }
    for (const BorderRange& range : border_ranges) {
      borders.push_back(
          {range.rim, range.hole, std::span(border_pixels).subspan(range.first, range.last - range.first)});
    }
  }

  // The nearest pixel outside a rim is never beyond its box and the pixels around that: whatever lies further on a
  // straight line from pixel to pixel comes after one that is next to the rim.
  void measure(std::size_t rim, BoxBuffers& buffers, const Threads& threads) {
    const Component& box = rims[rim];
    const std::span<const Run> rim_runs = std::span(runs).subspan(first_run[rim], first_run[rim + 1] - first_run[rim]);
    const std::size_t top = box.y0 > 0 ? box.y0 - 1 : 0;
    const std::size_t left = box.x0 > 0 ? box.x0 - 1 : 0;
    const std::size_t rows = std::min(box.y1 + 2, height) - top;
    const std::size_t columns = std::min(box.x1 + 2, width) - left;
    const auto place = [&](const Run& run) { return (run.y - top) * columns + run.first - left; };
    buffers.mask.assign(rows * columns, 0);
    buffers.distances.resize(std::max(buffers.distances.size(), buffers.mask.size()));
    for (const Run& run : rim_runs) std::fill_n(buffers.mask.data() + place(run), length_of(run), std::uint8_t{1});
    const std::span<float> found = std::span(buffers.distances).first(buffers.mask.size());
    distance_transform(buffers.mask, {1, rows, columns}, {1, 1, 1}, found, threads);
    for (const Run& run : rim_runs) {
      std::copy_n(found.data() + place(run), length_of(run), distances.data() + run.y * width + run.first);
    }
    rays.measure({found.data() + (box.y0 - top) * columns + (box.x0 - left), box.y1 - box.y0 + 1, box.x1 - box.x0 + 1,
                  static_cast<std::ptrdiff_t>(columns * sizeof(float))},
                 rim_runs, box.y0, box.x0,
                 std::span<float, thickness_rays>(thickness.data() + rim * thickness_rays, thickness_rays));
  }

  // Each rim by one thread; a single one by all of them.
  void measure_rims(const Threads& threads) {
    const std::size_t shares = std::min<std::size_t>(threads.count, rims.size());
    thickness.resize(rims.size() * thickness_rays);
    boxes.resize(std::max(boxes.size(), shares));
    detail::parallel_ranges(shares, threads, [&](std::size_t first, std::size_t last) {
      for (std::size_t share = first; share < last; ++share) {
        for (std::size_t rim = share; rim < rims.size(); rim += shares) {
          measure(rim, boxes[share], rims.size() == 1 ? threads : Threads{});
        }
      }
    });
  }

  void measure_sbr(ImageView<const float> data, ImageView<const std::uint8_t> mask, const ThresholdOptions& options,
                   const Threads& threads) {
    const double level = options.background_level;
    std::size_t left_out = 0;
    std::size_t saturated = 0;
    values.clear();
    for (const Run& run : runs) {
      const float* const value = data.row(run.y) + run.first;
      const std::uint8_t* const bits = mask.row(run.y) + run.first;
      const std::size_t n = length_of(run);
      if ((kernels::bit_kernels().all_bits(bits, n) & mask_left_out) == 0) {
        values.insert(values.end(), value, value + n);
        continue;
      }
      for (std::size_t i = 0; i < n; ++i) {
        saturated += (bits[i] & mask_saturated) != 0 ? 1 : 0;
        if ((bits[i] & mask_left_out) == 0) {
          values.push_back(value[i]);
        } else {
          ++left_out;
        }
      }
    }
    // As a picture of their own, whose last row is filled up with pixels that do not count.
    constexpr std::size_t columns = 4096;
    const std::size_t rows = (values.size() + columns - 1) / columns;
    const std::size_t filling = rows * columns - values.size();
    value_mask.assign(values.size(), 0);
    value_mask.resize(rows * columns, mask_excluded);
    values.resize(rows * columns);
    sbr.percentiles.assign(options.percentages.size(), nan);
    if (rows > 0) {
      sbr = region_statistics({values.data(), rows, columns}, {value_mask.data(), rows, columns}, {},
                              options.percentages, threads);
    }
    sbr.n_left_out += left_out - filling;
    sbr.n_saturated = saturated;
    for (double* figure : {&sbr.minimum, &sbr.maximum, &sbr.sum, &sbr.mean, &sbr.sd, &sbr.median, &sbr.mad}) {
      *figure /= level;
    }
    for (double& percentile : sbr.percentiles) percentile /= level;
  }
};

ThresholdRims::ThresholdRims(std::size_t height, std::size_t width) : parts_(std::make_unique<Parts>(height, width)) {}
ThresholdRims::~ThresholdRims() = default;
ThresholdRims::ThresholdRims(ThresholdRims&&) noexcept = default;
ThresholdRims& ThresholdRims::operator=(ThresholdRims&&) noexcept = default;

void ThresholdRims::find(ImageView<const float> data, ImageView<const std::uint8_t> mask,
                         const ThresholdOptions& options, const Threads& threads) {
  Parts& p = *parts_;
  if (data.height != p.height || data.width != p.width || mask.height != p.height || mask.width != p.width) {
    throw Error(ErrorKind::input, "frames here are " + size_of(p.height, p.width) + ", found data of " +
                                      size_of(data.height, data.width) + " and a mask of " +
                                      size_of(mask.height, mask.width));
  }
  check(options);
  p.clear();
  p.has_sbr_map = options.sbr_map;
  if (options.sbr_map) p.sbr_map.resize(data.size());
  const detail::RatioMap ratio{
      options.sbr_map ? ImageView<float>(p.sbr_map.data(), p.height, p.width) : ImageView<float>(),
      static_cast<float>(options.background_level)};
  p.threshold = static_cast<double>(p.bright.find(data, mask, options.smooth_px, ratio, threads));
  if (!std::isnan(p.threshold)) {
    p.find_rims(options.min_area_px);
    p.find_holes();
    p.paint_rims();
    p.paint_holes();
    p.follow_borders();
    p.measure_rims(threads);
  }
  p.measure_sbr(data, mask, options, threads);
}

std::size_t ThresholdRims::height() const { return parts_->height; }
std::size_t ThresholdRims::width() const { return parts_->width; }
double ThresholdRims::threshold() const { return parts_->threshold; }
ImageView<const std::uint8_t> ThresholdRims::rim_mask() const {
  return {parts_->rim_mask.data(), parts_->height, parts_->width};
}
ImageView<const std::uint8_t> ThresholdRims::core_mask() const {
  return {parts_->core_mask.data(), parts_->height, parts_->width};
}
ImageView<const std::int32_t> ThresholdRims::labels() const {
  return {parts_->labels.data(), parts_->height, parts_->width};
}
ImageView<const float> ThresholdRims::distances() const {
  return {parts_->distances.data(), parts_->height, parts_->width};
}
ImageView<const float> ThresholdRims::sbr_map() const {
  if (!parts_->has_sbr_map) return {};
  return {parts_->sbr_map.data(), parts_->height, parts_->width};
}
std::size_t ThresholdRims::count() const { return parts_->rims.size(); }
std::span<const RimBorder> ThresholdRims::borders() const { return parts_->borders; }
std::span<const float> ThresholdRims::thickness() const { return parts_->thickness; }
const RegionStatistics& ThresholdRims::sbr() const { return parts_->sbr; }

}  // namespace pyicg
