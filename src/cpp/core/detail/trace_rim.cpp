#include "trace_rim.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <utility>

#include "fixed_list.hpp"
#include "polar.hpp"
#include "pyicg/measurement.hpp"
#include "select.hpp"

namespace pyicg::detail {
namespace {

constexpr int settle_rounds = 5;
constexpr double least_width = 0.2;  // of the rim's median thickness: less is none

// Radii in steps of an eighth of an octave: places that differ by less give the same search.
double stepped(double radius) { return std::exp2(std::round(8 * std::log2(radius)) / 8); }

void resample(const std::vector<double>& radii, std::size_t n, std::vector<double>& out) {
  out.resize(n);
  for (std::size_t k = 0; k < n; ++k) {
    const double at = static_cast<double>(k) * static_cast<double>(radii.size()) / static_cast<double>(n);
    out[k] = between(radii, rays_at(at, radii.size()));
  }
}

// The lesser of the values on either side.
void take_nearest_least(const std::vector<double>& values, std::size_t n, std::vector<double>& out) {
  out.resize(n);
  for (std::size_t k = 0; k < n; ++k) {
    const double at = static_cast<double>(k) * static_cast<double>(values.size()) / static_cast<double>(n);
    const BetweenRays rays = rays_at(at, values.size());
    out[k] = rays.share > 0 ? std::min(values[rays.before], values[rays.after]) : values[rays.before];
  }
}

double median_where(const std::vector<double>& values, const std::vector<bool>& where) {
  FixedList<float, most_rays> chosen;
  for (std::size_t k = 0; k < values.size(); ++k) {
    if (where[k] && !std::isnan(values[k])) chosen.push_back(static_cast<float>(values[k]));
  }
  return chosen.empty() ? nan : median(chosen);
}

struct Widths {
  FixedList<float, most_rays> px;  // of the rim, per ray
  double least = 0;                // of one: in a gap the boundaries have nothing to hold them apart
};

Widths widths_of(const RimFit& fit) {
  Widths widths;
  for (std::size_t k = 0; k < fit.inner.radius.size(); ++k) {
    widths.px.push_back(static_cast<float>(fit.outer.radius[k] - fit.inner.radius[k]));
  }
  FixedList<float, most_rays> sorted = widths.px;
  widths.least = least_width * median(sorted);
  return widths;
}

// A rim ends where its level is half way between the rim and the gap, not where its blurred end falls under the cut.
void mark_over(RimTrace& trace, const Widths& widths, double cut) {
  const std::vector<double>& rim = trace.fit.rim_here;
  const std::size_t n = rim.size();
  double arc = 0;
  for (const double r : trace.fit.inner.radius) arc += r;
  arc *= 2 * std::numbers::pi / static_cast<double>(n * n);
  const double blur = std::hypot(trace.fit.blur_px, 1.0);
  const auto reach = std::min(static_cast<std::size_t>(std::ceil(2 * blur / arc)), n / 8);
  // A gap narrower than a few blurs fills up with its ends' light, over the cut maybe; it still dips under half of
  // both.
  const auto flank = std::min(static_cast<std::size_t>(std::ceil(2.5 * blur / arc)), n / 8);
  const double dark = median_where(trace.fit.outside, trace.in_view);
  const auto dips = [&](std::size_t k) {
    double before = -infinity;
    double after = -infinity;
    for (std::size_t d = 1; d <= flank; ++d) {
      before = std::max(before, rim[(k + n - d) % n]);
      after = std::max(after, rim[(k + d) % n]);
    }
    return rim[k] - dark < 0.5 * (std::min(before, after) - dark);
  };
  for (std::size_t k = 0; k < n; ++k) {
    double most = -infinity;
    double least = infinity;
    for (std::size_t d = 0; d <= 2 * reach; ++d) {
      const double value = rim[(k + n - reach + d) % n];
      most = std::max(most, value);
      least = std::min(least, value);
    }
    const double needed = least > cut ? cut : std::max(cut, 0.5 * (most + least));
    const bool wide = static_cast<double>(widths.px[k]) > widths.least;
    trace.over[k] = trace.in_view[k] && wide && rim[k] > needed && rim[k] > trace.fit.core[k] && !dips(k);
  }
}

void mark_present(RimTrace& trace, const Widths& widths) {
  const RimFit& fit = trace.fit;
  const std::size_t n = fit.rim_here.size();
  FixedList<float, most_rays> levels;
  for (std::size_t k = 0; k < n; ++k) {
    if (trace.in_view[k] && !std::isnan(fit.rim_here[k])) levels.push_back(static_cast<float>(fit.rim_here[k]));
  }
  const double bright = levels.empty() ? nan : quantile(levels, 0.75);
  const double dark = std::max(median_where(fit.core, trace.in_view), median_where(fit.outside, trace.in_view));
  std::size_t present = 0;
  for (std::size_t k = 0; k < n; ++k) {
    const bool wide = fit.outer.radius[k] - fit.inner.radius[k] > widths.least;
    trace.present[k] = trace.over[k] || (trace.in_view[k] && wide && fit.rim_here[k] > 0.5 * (bright + dark));
    present += trace.present[k];
  }
  const auto in_view = static_cast<double>(std::count(trace.in_view.begin(), trace.in_view.end(), true));
  trace.support = in_view > 0 ? static_cast<double>(present) / in_view : 0.0;
  const std::vector<bool>& where = present > 0 ? trace.present : trace.in_view;
  trace.core = median_where(fit.core, where);
  trace.rim = median_where(fit.rim, where);
  trace.outside = median_where(fit.outside, where);
}

}  // namespace

RimTracer::RimTracer(ImageView<const float> data, ImageView<const std::uint8_t> mask, const TraceOptions& options,
                     TraceBuffers& buffers)
    : data_(data), mask_(mask), options_(options), buffers_(buffers) {
  buffers.found.clear();
}

// Centre of gravity and radius of equal area, of a contour given by radii about a place.
RimTracer::Place RimTracer::place_of(const Place& about, const std::vector<double>& radii) {
  const std::size_t n = radii.size();
  double area = 0;
  double moment_y = 0;
  double moment_x = 0;
  const auto vertex = [&](std::size_t k) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(k % n) / static_cast<double>(n);
    return std::pair{radii[k % n] * std::sin(angle), radii[k % n] * std::cos(angle)};
  };
  for (std::size_t k = 0; k < n; ++k) {
    const auto [ay, ax] = vertex(k);
    const auto [by, bx] = vertex(k + 1);
    const double twice = ax * by - bx * ay;
    area += 0.5 * twice;
    moment_y += twice * (ay + by) / 6;
    moment_x += twice * (ax + bx) / 6;
  }
  if (!(area > 0)) return about;
  return {about.y + std::lround(moment_y / area), about.x + std::lround(moment_x / area),
          stepped(std::sqrt(area / std::numbers::pi))};
}

bool RimTracer::in_frame(const Place& p) const {
  return p.y >= 0 && p.x >= 0 && std::cmp_less(p.y, data_.height) && std::cmp_less(p.x, data_.width);
}

const GreyCrop& RimTracer::crop(const Place& place) {
  if (any_crop_ && crop_place_ == place) return buffers_.crop;
  // A large lesion needs no detail of single pixels.
  const double coarse = place.radius > 100 ? place.radius / 100 : 0.0;
  const double smooth = std::max(options_.smooth_px > 1 ? options_.smooth_px : 0.0, coarse);
  const auto reach = static_cast<std::size_t>(2.5 * place.radius + 60 + 4 * smooth);
  buffers_.crop.cut(data_, mask_, options_.invalid, place.y, place.x, reach, smooth);
  any_crop_ = true;
  crop_place_ = place;
  return buffers_.crop;
}

RimTracer::Found& RimTracer::locate(const Place& place) {
  const auto known = std::ranges::find(buffers_.found, place, &Found::place);
  if (known != buffers_.found.end()) return *known;
  Found& found = buffers_.found.next();
  found.place = place;
  found.own = nullptr;
  found.fit.reset();
  found.trace.reset();
  const bool any = search_polar(crop(place), place.radius, options_.outside, buffers_.polar, found.search.renew());
  if (!any) found.search.reset();
  return found;
}

void RimTracer::fit(const Found& at, const RoughFit& goes_on, RimFit& fit) {
  const auto n = static_cast<std::size_t>(
      4 * std::clamp(std::lround(2 * std::numbers::pi * at.place.radius / 4), 16L, static_cast<long>(most_rays / 4)));
  const PolarSearch& search = *at.search;
  const RimRadii& radii = search.radii;
  RimRadii& start = buffers_.start;
  resample(radii.inner, n, start.inner);
  resample(radii.outer, n, start.outer);
  take_nearest_least(radii.gaps.bare_px, n, start.gaps.bare_px);
  start.gaps.most_liver = radii.gaps.most_liver;
  const RimFitOptions options{options_.psf_sigma_px, search.blur_px, search.grainy};
  buffers_.fitter.fit(crop(at.place), start, options, goes_on, fit);
}

RimTracer::Found* RimTracer::settle(const RimCandidate& candidate) {
  const auto height = static_cast<std::ptrdiff_t>(data_.height);
  const auto width = static_cast<std::ptrdiff_t>(data_.width);
  Found* at = &locate({std::clamp<std::ptrdiff_t>(std::lround(candidate.centre_y), 0, height - 1),
                       std::clamp<std::ptrdiff_t>(std::lround(candidate.centre_x), 0, width - 1),
                       stepped(candidate.radius_px)});
  for (int round = 1; round < settle_rounds && at->search; ++round) {
    const Place next = place_of(at->place, at->search->radii.inner);
    if (next == at->place) break;
    if (!in_frame(next) || !(next.radius > 1)) return nullptr;
    at = &locate(next);
  }
  return at->search ? at : nullptr;
}

const RimTrace* RimTracer::trace(Found* at) {
  if (!at->search) return nullptr;
  // The contours hardly depend on where the search began; begun anew where they themselves say, not at all: a frame
  // that is shifted or turned gives the same contours bit for bit, whatever the pyramid made of it.
  if (at->own == nullptr) {
    Place own = at->place;
    const auto stays = [&] { return own == at->place || !in_frame(own); };
    const auto goes_on = [&](const std::vector<double>& inner) {
      own = place_of(at->place, inner);
      return stays();
    };
    fit(*at, std::cref(goes_on), buffers_.fit);  // as a reference: a copy would ask for memory
    at->own = stays() ? at : &locate(own);
    if (stays()) at->fit.renew() = buffers_.fit;
  }
  const auto is_fitted = [&](Found& place) {
    if (!place.search) return false;
    if (!place.fit) fit(place, [](const std::vector<double>&) { return true; }, place.fit.renew());
    return !place.fit->inner.sigma.empty() && !place.fit->outer.sigma.empty();
  };
  // From a place a little beside it the search may still be led elsewhere: then what is known stands.
  if (is_fitted(*at->own)) {
    at = at->own;
  } else if (!is_fitted(*at)) {
    return nullptr;
  }
  if (!at->trace) trace(at->place, *at->fit, at->trace.renew());
  return &*at->trace;
}

void RimTracer::trace(const Place& place, const RimFit& fitted, RimTrace& trace) {
  trace.centre_y = place.y;
  trace.centre_x = place.x;
  trace.fit = fitted;
  const std::size_t n = fitted.inner.radius.size();
  for (std::vector<bool>* rays : {&trace.in_view, &trace.clipped, &trace.over, &trace.present}) rays->assign(n, false);
  for (std::size_t k = 0; k < n; ++k) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n);
    const auto inside = [&](double r) {
      const double y = static_cast<double>(place.y) + r * std::sin(angle);
      const double x = static_cast<double>(place.x) + r * std::cos(angle);
      return y >= 0 && x >= 0 && y <= static_cast<double>(data_.height - 1) &&
             x <= static_cast<double>(data_.width - 1);
    };
    trace.in_view[k] = inside(0.5 * (fitted.inner.radius[k] + fitted.outer.radius[k]));
    trace.clipped[k] = !inside(fitted.outer.radius[k]);
  }
  const Widths widths = widths_of(fitted);
  mark_over(trace, widths, options_.cut);
  mark_present(trace, widths);
  const auto in_view = static_cast<double>(std::ranges::count(trace.in_view, true)) / static_cast<double>(n);
  trace.evidence = gather_evidence(crop(place), fitted, std::min(trace.outside, options_.outside), in_view);
}

}  // namespace pyicg::detail
