#include "pyicg/rim.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numbers>
#include <string>
#include <utility>

#include "../kernels/gaussian.hpp"
#include "../kernels/pixel_bits.hpp"
#include "detail/bright.hpp"
#include "detail/lesion_parts.hpp"
#include "detail/number.hpp"
#include "detail/odd_lesion.hpp"
#include "detail/residual_regions.hpp"
#include "detail/rim_workspace.hpp"
#include "detail/traced_lesion.hpp"
#include "pyicg/calibrate.hpp"
#include "pyicg/error.hpp"

namespace pyicg {
namespace {

constexpr double settled_rim = 0.95;  // of the confidence: no other trace of the same lesion is asked for
constexpr std::uint8_t invalid = detail::not_in_picture;

// Calls visit(i) for every pixel in which the maps may not be zero.
template <class Visit>
void each_painted(const RimWorkspace& ws, const Visit& visit) {
  for (const detail::Box& box : ws.search->painted) {
    for (std::size_t y = box.y0; y < box.y1; ++y) {
      for (std::size_t x = box.x0; x < box.x1; ++x) visit(y * ws.search->width + x);
    }
  }
}

// A lesion of which nothing is known, in the memory of another.
void renew(Lesion& lesion) {
  Lesion next;
  const auto take_over = [](auto& from, auto& to) {
    to = std::move(from);
    to.clear();
  };
  take_over(lesion.inner, next.inner);
  take_over(lesion.outer, next.outer);
  take_over(lesion.inner_sigma, next.inner_sigma);
  take_over(lesion.outer_sigma, next.outer_sigma);
  take_over(lesion.thickness, next.thickness);
  take_over(lesion.gaps, next.gaps);
  lesion = std::move(next);
}

// Lesions that are no longer wanted keep their memory: the first lies on top.
void put_aside(std::vector<Lesion>& lesions, std::vector<Lesion>& spare) {
  for (std::size_t k = lesions.size(); k-- > 0;) spare.push_back(std::move(lesions[k]));
  lesions.clear();
}

// Labels 1, 2, ... from the largest lesion to the smallest.
void order_by_size(RimWorkspace& ws, std::vector<Lesion>& lesions) {
  detail::RimSearchWorkspace& own = *ws.search;
  const auto larger = [&](std::size_t i, std::size_t k) { return own.lesions[i].area_px > own.lesions[k].area_px; };
  std::vector<std::int32_t>& renamed = own.renamed;
  renamed.assign(own.lesions.size() + 1, 0);
  for (const std::size_t i : own.order.sort(own.lesions.size(), larger)) {
    if (own.spare.empty()) own.spare.emplace_back();
    lesions.push_back(std::move(own.spare.back()));
    own.spare.pop_back();
    const auto label = static_cast<std::int32_t>(lesions.size());
    lesions.back() = own.lesions[i];
    lesions.back().label = label;
    renamed[i + 1] = label;
  }
  own.spare.reserve(own.spare.size() + lesions.size());  // for when they come back
  // Boxes may overlap: what has its new name already is marked by the sign.
  each_painted(ws, [&](std::size_t i) {
    if (ws.labels[i] > 0) ws.labels[i] = -renamed[static_cast<std::size_t>(ws.labels[i])];
  });
  each_painted(ws, [&](std::size_t i) { ws.labels[i] = std::abs(ws.labels[i]); });
}

// Zeros everywhere; only what the last frame has painted is cleared.
void clear_maps(ImageView<const float> data, RimWorkspace& ws) {
  detail::RimSearchWorkspace& search = *ws.search;
  if (search.height == data.height && search.width == data.width) {
    each_painted(ws, [&](std::size_t i) {
      ws.labels[i] = 0;
      ws.rim_mask[i] = 0;
      ws.core_mask[i] = 0;
    });
  } else {
    ws.labels.assign(data.size(), 0);
    ws.rim_mask.assign(data.size(), 0);
    ws.core_mask.assign(data.size(), 0);
    search.height = data.height;
    search.width = data.width;
  }
  search.painted.clear();
}

Rejected rejected_at(Reason why, const detail::RimCandidate& c, const detail::Frame& f) {
  const detail::Box box = detail::box_about(f, c.centre_y, c.centre_x, c.radius_px);
  return {why,    c.centre_y, c.centre_x, std::numbers::pi * c.radius_px * c.radius_px,
          box.y0, box.x0,     box.y1 - 1, box.x1 - 1};
}

void smooth_pixels(ImageView<const float> data, ImageView<const std::uint8_t> mask, double sigma_px, RimWorkspace& ws) {
  const auto smooth = detail::plane(ws.smooth, data.height, data.width);
  std::uint8_t any = 0;
  for (std::size_t y = 0; y < data.height; ++y) any |= kernels::bit_kernels().all_bits(mask.row(y), mask.width);
  if ((any & invalid) == 0) {
    kernels::gaussian(data, sigma_px, smooth, ws.scratch);
    return;
  }
  // Normalised convolution: what is invalid has no weight.
  const auto weights = detail::plane(ws.weights, data.height, data.width);
  for (std::size_t y = 0; y < data.height; ++y) {
    for (std::size_t x = 0; x < data.width; ++x) {
      const bool valid = (mask(y, x) & invalid) == 0;
      smooth(y, x) = valid ? data(y, x) : 0.0F;
      weights(y, x) = valid ? 1.0F : 0.0F;
    }
  }
  kernels::gaussian(smooth, sigma_px, smooth, ws.scratch);
  kernels::gaussian(weights, sigma_px, weights, ws.scratch);
  for (std::size_t i = 0; i < ws.smooth.size(); ++i) {
    ws.smooth[i] = ws.weights[i] > 0.01F ? ws.smooth[i] / ws.weights[i] : std::numeric_limits<float>::quiet_NaN();
  }
}

}  // namespace

RimWorkspace::RimWorkspace()
    : search(std::make_unique<detail::RimSearchWorkspace>()), residual(std::make_unique<detail::ResidualRegions>()) {}
RimWorkspace::~RimWorkspace() = default;
RimWorkspace::RimWorkspace(RimWorkspace&&) noexcept = default;
RimWorkspace& RimWorkspace::operator=(RimWorkspace&&) noexcept = default;

void smooth_frame(ImageView<const float> data, ImageView<const std::uint8_t> mask, double sigma_px, RimWorkspace& ws) {
  smooth_pixels(data, mask, sigma_px, ws);
  ws.row_most.resize(data.height);
  for (std::size_t y = 0; y < data.height; ++y) {
    ws.row_most[y] = kernels::bit_kernels().largest(ws.smooth.data() + y * data.width, data.width);
  }
}

void check(const RimOptions& o) {
  const auto require = [](bool ok, ErrorKind kind, const char* name, const char* expected, double found) {
    if (!ok) throw Error(kind, std::string(name) + " must be " + expected + ", found " + detail::number(found));
  };
  const double px = o.pixel_size_mm;
  const double psf = o.psf_sigma_px;
  require(o.sbr_cut > 1 && std::isfinite(o.sbr_cut), ErrorKind::input, "sbr_cut", "greater than 1", o.sbr_cut);
  // Assumed: far from any camera; well beyond, an area in mm^2 is no number.
  require(std::isnan(px) || (px >= 1e-15 && px <= 1e15), ErrorKind::unit, "pixel_size_mm",
          "positive, from 1e-15 to 1e15", px);
  require(o.smooth_px >= 0.5 && o.smooth_px <= 100, ErrorKind::input, "smooth_px", "between 0.5 and 100", o.smooth_px);
  require(std::isnan(psf) || (psf >= 0 && psf <= 100), ErrorKind::input, "psf_sigma_px", "between 0 and 100", psf);
  require(o.min_area_px >= 1 && std::isfinite(o.min_area_px), ErrorKind::input, "min_area_px", "at least 1 and finite",
          o.min_area_px);
}

void segment_rim(ImageView<const float> data, ImageView<const std::uint8_t> mask, const Background& background,
                 const RimOptions& options, RimWorkspace& ws, RimResult& result) {
  clear_maps(data, ws);
  detail::RimSearchWorkspace& own = *ws.search;
  put_aside(result.lesions, own.spare);
  result.rejected.clear();
  if (std::isnan(background.level)) return;
  const detail::Frame frame{data, mask, ImageView<const float>(ws.smooth.data(), data.height, data.width)};
  const double cut = options.sbr_cut * background.level;
  const detail::RimSearch search{options.sbr_cut, options.min_area_px, options.smooth_px, options.threshold};
  const detail::TraceOptions tracing{cut, background.level, options.psf_sigma_px, options.smooth_px, invalid};
  using detail::TracedCandidate;
  std::vector<TracedCandidate>& traced = own.traced;
  traced.clear();
  detail::RimTracer tracer(data, mask, tracing, own.tracing);
  for (const detail::RimCandidate& candidate :
       detail::find_rim_candidates(data, mask, background, search, result.rejected, ws, own)) {
    auto* const settled = tracer.settle(candidate);
    const auto is_this = [&](const TracedCandidate& other) {
      return other.confidence > settled_rim && detail::leads_to(*settled, *other.trace);
    };
    if (settled != nullptr && std::ranges::any_of(traced, is_this)) continue;
    const bool fits = settled != nullptr && detail::may_glow(*settled, background, options);
    const detail::RimTrace* const trace = fits ? tracer.trace(settled) : nullptr;
    traced.push_back({candidate, trace, trace != nullptr ? detail::confidence(trace->evidence) : 0.0});
  }
  own.lesions.clear();
  const auto add = [&](const auto& fill) {
    Lesion& lesion = own.lesions.next();
    renew(lesion);
    lesion.label = static_cast<std::int32_t>(own.lesions.size());
    lesion.background_not_resolved = background.reason != Reason::none;
    if (!fill(lesion)) own.lesions.drop_last();
  };
  // Shapes that rays do not see first: traced, they would fall into pieces.
  for (const detail::RimCandidate& hole : own.holes) {
    const bool within = std::any_of(traced.begin(), traced.end(), [&](const TracedCandidate& other) {
      return other.confidence > sure_rim && detail::is_well_within(hole, *other.trace);
    });
    if (within) continue;
    add([&](Lesion& lesion) { return detail::add_odd_shape(frame, hole, traced, background, options, ws, lesion); });
  }
  // Several candidates may lead to one lesion: the surest keeps the place.
  const auto surer = [&](std::size_t i, std::size_t k) { return traced[i].confidence > traced[k].confidence; };
  for (const std::size_t i : own.order.sort(traced.size(), surer)) {
    const TracedCandidate& one = traced[i];
    Reason why = Reason::no_closed_boundary;
    add([&](Lesion& lesion) {
      if (one.trace == nullptr) return false;
      why = detail::add_traced(frame, *one.trace, background, options, ws, lesion);
      lesion.confidence = one.confidence;
      return !lesion.inner.empty();
    });
    if (why != Reason::none) result.rejected.push_back(rejected_at(why, one.candidate, frame));
  }
  order_by_size(ws, result.lesions);
}

}  // namespace pyicg
