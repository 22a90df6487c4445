#include "rim_candidates.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <span>
#include <utility>

#include "bright.hpp"
#include "bright_regions.hpp"
#include "rim_workspace.hpp"
#include "ring_rays.hpp"

namespace pyicg::detail {
namespace {

// On each level rings of these radii are looked for, in its own pixels: two octaves, so that each size is met twice.
constexpr double least_radius = 3.2;
constexpr double largest_radius = 15;
constexpr std::size_t least_side = 12;
constexpr std::size_t most_peaks = 48;
constexpr std::size_t most_candidates = 10;
// Of the votes of a whole ring in perfect focus, 2 sqrt(2 pi) = 5; a straight edge has 1 at a distance of 4 pixels.
constexpr double least_votes = 0.8;
constexpr double least_facing = 0.38;
constexpr double least_facing_cut_off = 0.5;   // of what lies in the frame, where the border cuts a ring off
constexpr double least_facing_of_hole = 0.25;  // it need not be round
constexpr double least_depth = 0.1;

struct Level {
  ImageView<const float> image;
  double factor;  // px of the full frame per px
  double scale_px;
};

struct Scene {
  const Background& background;
  const RimSearch& search;
  RimWorkspace& ws;
  RimSearchWorkspace& own;
};

// A buffer as a plane that may be smaller: what is behind it stays, and need not be made anew.
template <class T>
ImageView<T> part_of(std::vector<T>& buffer, std::size_t height, std::size_t width) {
  if (buffer.size() < height * width) buffer.resize(height * width);
  return {buffer.data(), height, width};
}

// How often a frame can be halved.
std::size_t levels_of(std::size_t height, std::size_t width) {
  std::size_t n = 0;
  for (std::size_t side = (std::min(height, width) + 1) / 2; side >= least_side; side = (side + 1) / 2) ++n;
  return n;
}

// Noise of one pixel of a level: white noise through the Gaussian and the mean over the level's square.
double level_noise(const Scene& s, double factor) {
  const double width = std::sqrt(s.search.smooth_px * s.search.smooth_px + (factor * factor - 1) / 12);
  return noise_after_blur(s.background.sigma, width);
}

RimCandidate candidate_of(const Ring& ring, const Level& level, bool closed) {
  return {from_level(ring.y, level.factor),
          from_level(ring.x, level.factor),
          ring.radius * level.factor,
          level.scale_px,
          closed,
          ring.facing * (0.5 + 0.5 * ring.depth)};
}

// A ring of which half may be missing, or of which the frame's border hides a part. Two straight walls or a corner are
// met at half of the angles too, but face the middle at few of them.
bool like_a_ring(const Ring& ring) {
  if (ring.depth < least_depth) return false;
  return ring.facing >= least_facing ||
         (ring.in_frame < 0.9 && ring.facing >= least_facing_cut_off * ring.in_frame && ring.facing >= 0.2);
}

RingSearch ring_search(const Scene& s, const Level& level) {
  // No smaller than what counts, nor than what smoothing leaves of a ring.
  const double smallest = std::max(0.8 * std::sqrt(s.search.min_area_px / std::numbers::pi), 2.5 * s.search.smooth_px);
  return {std::max(least_radius, smallest / level.factor), largest_radius, s.background.level};
}

// A point of the hole, as near to its centroid as there is one.
template <class Holds>
std::pair<double, double> middle_of(const Component& hole, const Holds& holds) {
  double nearest = infinity;
  std::pair<double, double> place;
  for (std::size_t y = hole.y0; y <= hole.y1; ++y) {
    for (std::size_t x = hole.x0; x <= hole.x1; ++x) {
      if (!holds(y, x)) continue;
      const double dy = static_cast<double>(y) - hole.centroid_y();
      const double dx = static_cast<double>(x) - hole.centroid_x();
      const double square = dy * dy + dx * dx;
      if (square < nearest) {
        nearest = square;
        place = {static_cast<double>(y), static_cast<double>(x)};
      }
    }
  }
  if (nearest < 1) place = {hole.centroid_y(), hole.centroid_x()};
  return place;
}

// The box of all regions that are large enough to enclose a dark place of so many pixels, and one pixel around it.
Component box_of(const std::vector<Component>& regions, double least, ImageView<const std::uint8_t> frame) {
  Component box;
  for (const Component& r : regions) {
    if (static_cast<double>((r.y1 - r.y0) * (r.x1 - r.x0)) < least) continue;
    if (box.area == 0) box = r;
    box.y0 = std::min(box.y0, r.y0);
    box.x0 = std::min(box.x0, r.x0);
    box.y1 = std::max(box.y1, r.y1);
    box.x1 = std::max(box.x1, r.x1);
  }
  box.y0 -= std::min<std::size_t>(box.y0, 1);
  box.x0 -= std::min<std::size_t>(box.x0, 1);
  box.y1 = std::min(box.y1 + 1, frame.height - 1);
  box.x1 = std::min(box.x1 + 1, frame.width - 1);
  return box;
}

// A component of a part of the frame, in the frame's own coordinates: sums of whole numbers, so nothing is rounded.
Component moved(Component c, std::size_t y, std::size_t x) {
  c.sum_y += static_cast<double>(y * c.area);
  c.sum_x += static_cast<double>(x * c.area);
  c.y0 += y;
  c.y1 += y;
  c.x0 += x;
  c.x1 += x;
  return c;
}

// Dark places that a bright region encloses. `bright` holds the regions.
void add_holes(const Scene& s, const Level& level, const std::vector<Component>& regions,
               ImageView<const std::uint8_t> bright) {
  const double pixel = level.factor * level.factor;
  const double least = std::max(s.search.min_area_px / pixel, std::numbers::pi * least_radius * least_radius);
  // A dark place that meets the border of this box is open to the frame's.
  const Component box = box_of(regions, least, bright);
  if (box.area == 0) return;
  const ImageView<const std::uint8_t> within(bright.row(box.y0) + box.x0, box.y1 - box.y0 + 1, box.x1 - box.x0 + 1,
                                             bright.stride_bytes);
  const auto labels = part_of(s.ws.holes, within.height, within.width);
  const std::vector<Component>& dark = label_components(within, 0, Connectivity::four, labels, s.own.dark);
  for (std::size_t k = 0; k < dark.size(); ++k) {
    const Component hole = moved(dark[k], box.y0, box.x0);
    if (hole.touches_border || static_cast<double>(hole.area) < least) continue;
    const auto [y, x] = middle_of(
        hole, [&](std::size_t py, std::size_t px) { return std::cmp_equal(labels(py - box.y0, px - box.x0), k + 1); });
    const double radius = std::sqrt(static_cast<double>(hole.area) / std::numbers::pi);
    if (level.factor == 1) s.own.all_holes.push_back({y, x, radius, level.scale_px, true, 1});
    RingSearch search = ring_search(s, level);
    // Blur fills a small hole up from its edge: the steepest places lie further out than the threshold.
    search.radius = 2 * radius;
    search.least_radius = std::min(0.7 * radius, search.least_radius);
    Ring ring = find_ring(s.own.edges, search, y, x);
    if (ring.facing < least_facing_of_hole) continue;
    if (std::hypot(ring.y - y, ring.x - x) > 0.5 * radius) {
      ring.y = y;
      ring.x = x;
      ring.radius = radius;
    }
    s.own.found.push_back(candidate_of(ring, level, true));
  }
}

void add_voted(const Scene& s, const Level& level) {
  const RingSearch search = ring_search(s, level);
  if (search.least_radius >= search.radius) return;
  const VoteRange range{search.least_radius, 0.9 * search.radius};
  for (const Peak& peak : vote_peaks(s.own.edges, range, least_votes, most_peaks, s.own.votes)) {
    const Ring ring = find_ring(s.own.edges, search, peak.y, peak.x);
    if (!like_a_ring(ring)) continue;
    if (ring.radius < search.least_radius || ring.radius > 1.1 * search.radius) continue;
    s.own.found.push_back(candidate_of(ring, level, false));
  }
}

// Strongest first. Of two at one place and of one size the stronger stays; so it does where cores would overlap, unless
// the other is closed or nearly as strong.
void keep_one_per_place(RimSearchWorkspace& own) {
  const auto stronger = [&](std::size_t i, std::size_t k) {
    const RimCandidate& a = own.found[i];
    const RimCandidate& b = own.found[k];
    return a.closed != b.closed ? a.closed : a.strength > b.strength;
  };
  std::vector<RimCandidate>& kept = own.candidates;
  for (const std::size_t i : own.order.sort(own.found.size(), stronger)) {
    const RimCandidate& c = own.found[i];
    const bool known = std::any_of(kept.begin(), kept.end(), [&](const RimCandidate& k) {
      const double apart = std::hypot(c.centre_y - k.centre_y, c.centre_x - k.centre_x);
      const double ratio = c.radius_px / k.radius_px;
      if (apart < 0.5 * k.radius_px && ratio < 1.6 && ratio > 1 / 1.6) return true;
      return !c.closed && apart < std::max(c.radius_px, k.radius_px) && c.strength < 0.75 * k.strength;
    });
    if (!known) kept.push_back(c);
    if (kept.size() == most_candidates) break;
  }
}

void keep_largest_holes(RimSearchWorkspace& own) {
  const auto larger = [&](std::size_t i, std::size_t k) {
    return own.all_holes[i].radius_px > own.all_holes[k].radius_px;
  };
  for (const std::size_t k : own.order.sort(own.all_holes.size(), larger)) {
    if (own.holes.size() == most_candidates) break;
    own.holes.push_back(own.all_holes[k]);
  }
}

// Whether a candidate explains a region: its centre lies in the region's box, or twice its circle meets it.
bool touches(const RimCandidate& c, const Component& region) {
  const auto outside = [](double v, std::size_t first, std::size_t last) {
    return std::max({static_cast<double>(first) - v, v - static_cast<double>(last), 0.0});
  };
  return std::hypot(outside(c.centre_y, region.y0, region.y1), outside(c.centre_x, region.x0, region.x1)) <=
         2 * c.radius_px;
}

}  // namespace

const std::vector<RimCandidate>& find_rim_candidates(ImageView<const float> data, ImageView<const std::uint8_t> mask,
                                                     const Background& background, const RimSearch& search,
                                                     std::vector<Rejected>& rejections, RimWorkspace& ws,
                                                     RimSearchWorkspace& own) {
  for (std::vector<RimCandidate>* list : {&own.found, &own.candidates, &own.all_holes, &own.holes}) list->clear();
  if (data.empty() || std::isnan(background.level)) return own.candidates;
  const Scene scene{background, search, ws, own};
  const ImageView<const float> smooth(ws.smooth.data(), data.height, data.width);
  // A gradient that counts: over three times its noise, and not so small that no rim over the cut could have it.
  const double faintest = 0.02 * (search.sbr_cut - 1) * std::max(background.level, 0.0);

  own.levels.resize(levels_of(data.height, data.width));
  for (std::size_t j = 0; j < own.levels.size(); ++j) halve(j == 0 ? smooth : own.levels[j - 1].view(), own.levels[j]);

  plane(ws.bright, data.height, data.width);
  plane(ws.components, data.height, data.width);
  // Coarsest first: what the last level leaves in the label planes are the regions of the frame itself.
  const std::vector<Component>& regions = own.bright.components;
  BrightCut cut = bright_cut(search.threshold, std::span(ws.smooth), background, search.sbr_cut, level_noise(scene, 1));
  for (std::size_t j = own.levels.size() + 1; j-- > 0;) {
    const double factor = std::ldexp(1.0, static_cast<int>(j));
    const Level level{j == 0 ? smooth : own.levels[j - 1].view(), factor, search.smooth_px * factor};
    const double threshold = std::max({3 * gradient_noise(level.image, ws.scratch), faintest,
                                       static_cast<double>(std::numeric_limits<float>::min())});
    mark_edges(level.image, threshold, own.edges);
    if (search.threshold == ThresholdRule::hysteresis) {
      cut = bright_cut(search.threshold, {}, background, search.sbr_cut, level_noise(scene, factor));
    }
    const auto bright = part_of(ws.bright, level.image.height, level.image.width);
    const auto labels = part_of(ws.components, level.image.height, level.image.width);
    bright_components(level.image, cut, bright, labels, own.bright);
    add_holes(scene, level, regions, bright);
    add_voted(scene, level);
  }
  keep_largest_holes(own);
  keep_one_per_place(own);
  const std::vector<RimCandidate>& candidates = own.candidates;

  const auto labels = plane(ws.components, data.height, data.width);
  const RegionFrame frame{data, mask, smooth, labels};
  for (std::size_t k = 0; k < regions.size(); ++k) {
    const Component& r = regions[k];
    if (std::any_of(candidates.begin(), candidates.end(), [&](const RimCandidate& c) { return touches(c, r); }))
      continue;
    const Reason why = why_no_rim(frame, r, static_cast<std::int32_t>(k + 1), background, search.min_area_px,
                                  search.smooth_px, ws.scratch);
    rejections.push_back({why, r.centroid_y(), r.centroid_x(), static_cast<double>(r.area), r.y0, r.x0, r.y1, r.x1});
  }
  return candidates;
}

}  // namespace pyicg::detail
